//! What a pod is told of its volumes while it runs, beside what kubelet is answered.
//!
//! Owns the words. Who brings them to the pod takes them from the channel; where nobody does, or not fast enough, they are
//! lost, and the log has them all the same.

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::record::{Before, Rejected};
use super::{Error, Pod, PublishRequest, Record};
use crate::artifact::{Bytes, Digest};
use crate::fault;

/// How many may wait to be brought.
const WAITING: usize = 1000;

/// How many digits of a digest are said: enough to tell versions apart.
const DIGITS: usize = 12;

/// What happened to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Happened {
    /// It is shown for the first time.
    Mounted,
    /// It shows something else.
    Updated,
    /// It should show something else, and does not.
    UpdateFailed,
    /// It shows again what it showed before, because the change made the pod unready.
    RolledBack,
}

impl Happened {
    /// The reason of the event.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Mounted => "ArtifactMounted",
            Self::Updated => "ArtifactUpdated",
            Self::UpdateFailed => "ArtifactUpdateFailed",
            Self::RolledBack => "ArtifactRolledBack",
        }
    }

    /// Whether somebody has to act.
    pub fn is_warning(self) -> bool {
        match self {
            Self::Mounted | Self::Updated => false,
            Self::UpdateFailed | Self::RolledBack => true,
        }
    }
}

/// What a pod is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which pod.
    pub pod: Pod,
    /// What happened.
    pub happened: Happened,
    /// The same in words.
    pub words: String,
}

/// Where notices go. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Notices(Option<Sender<Notice>>);

impl Notices {
    /// With somebody who brings them.
    pub fn channel() -> (Self, Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(Some(sender)), receiver)
    }

    fn tell(&self, request: &PublishRequest, happened: Happened, words: impl FnOnce() -> String) {
        let (Some(sender), Some(pod)) = (&self.0, &request.pod) else {
            return;
        };
        let name = request.target.parent().file_name().unwrap_or_default();
        let words = format!("volume {}: {}", name.to_string_lossy(), words());
        let notice = Notice {
            pod: pod.clone(),
            happened,
            words: fault::line(&words),
        };
        let _ = sender.try_send(notice);
    }

    pub(super) fn mounted(&self, request: &PublishRequest, record: &Record) {
        self.tell(request, Happened::Mounted, || {
            shown((&record.url, &record.sha256), Some(record.size))
        });
    }

    pub(super) fn updated(&self, request: &PublishRequest, record: &Record) {
        self.tell(request, Happened::Updated, || {
            let now = shown((&record.url, &record.sha256), Some(record.size));
            let before = record.history.as_ref().and_then(|h| h.before.as_ref());
            before.map_or_else(String::new, |Before { url, sha256, .. }| {
                format!("now {now}, before {}", shown((url, sha256), None))
            })
        });
    }

    pub(super) fn rolled_back(&self, request: &PublishRequest, record: &Record, bad: &Rejected) {
        self.tell(request, Happened::RolledBack, || {
            let now = shown((&record.url, &record.sha256), None);
            let Rejected {
                url, sha256, why, ..
            } = bad;
            let bad = shown((url, sha256), None);
            format!(
                "back to {now}: {why}, after the change to {bad}, which is not tried again until something else is wanted"
            )
        });
    }

    pub(super) fn update_failed(&self, request: &PublishRequest, error: &Error) {
        self.tell(request, Happened::UpdateFailed, || {
            format!("keeps its content: {error}")
        });
    }
}

fn shown((url, sha256): (&str, &Digest), size: Option<u64>) -> String {
    let hex = sha256.hex();
    let digits = hex.get(..DIGITS).unwrap_or_default();
    match size {
        Some(size) => format!("{url} (sha256:{digits}…, {})", Bytes(size)),
        None => format!("{url} (sha256:{digits}…)"),
    }
}
