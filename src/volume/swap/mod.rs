//! From what a volume shows to something else, while a pod uses it.
//!
//! All that takes long is done beside what is shown; then the volume is locked, and one rename shows it. In this order a
//! process that is killed leaves the old content or the new one, and the next look finds out which.

mod history;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use self::history::{changed, found, with_history};
use super::clock::{now, seconds};
use super::locks::{Busy, Wait};
use super::plan::View;
use super::record::{Before, Draining, History, Rejected};
use super::renew::FIRST;
use super::request::KeyedRequest;
use super::{Error, Record, Shared};
use crate::artifact::{Digest, VolumePath};
use crate::mount::Mounter;
use crate::store::{Artifact, Copying, Incoming, PodTree, Stamp, VolumeDir, set_time, too_early};
use crate::unpack::zip;

/// What is to be shown instead of what is shown.
pub(super) struct Swap {
    /// See [`History::asked`](super::History::asked).
    pub(super) asked: String,
    pub(super) bytes: Bytes,
    pub(super) place: VolumePath,
    /// The time in which nothing else should be shown.
    pub(super) settle: Duration,
    pub(super) cause: Cause,
}

/// Why something else is shown.
pub(super) enum Cause {
    /// It is wanted.
    Wanted {
        /// Whether it is rolled back if it makes the pod unready.
        on_trial: bool,
    },
    /// What was shown made the pod unready.
    RolledBack(Rejected),
}

/// Where its bytes are.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    Cached(Artifact),
    /// In the volume itself: what it showed before.
    Kept(Before),
}

impl Bytes {
    pub(super) fn digest(&self) -> &Digest {
        match self {
            Self::Cached(artifact) => artifact.digest(),
            Self::Kept(before) => &before.sha256,
        }
    }

    /// The URL that gave it, redacted.
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Cached(artifact) => artifact.url(),
            Self::Kept(before) => &before.url,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Cached(artifact) => artifact.size(),
            Self::Kept(before) => before.size,
        }
    }

    fn incoming(&self) -> Incoming<'_> {
        match self {
            Self::Cached(artifact) => Incoming::Cached(artifact),
            Self::Kept(before) => Incoming::Kept(&before.sha256),
        }
    }
}

/// What became of it.
pub(super) enum Swapped {
    /// It is shown. What the volume remembers of itself now.
    Shown(Box<Record>),
    /// Its time would not be newer than that of what is shown; so long it has to wait.
    TooEarly(Duration),
}

/// What is ready beside what is shown.
enum Staged {
    Link,
    Copy,
    InTree(Copying),
}

impl<M: Mounter> Shared<M> {
    /// Shows something else. Returns early once the volume is unpublished.
    pub(super) fn swap(
        &self,
        keyed: &KeyedRequest,
        wait: &Wait,
        (record, swap): (&Record, &Swap),
    ) -> Result<Swapped, Error> {
        let dir = self.dir_of(keyed)?;
        let (place, old) = (&swap.place, self.place_of(keyed, record)?);
        self.check_archive(&dir, swap)?;
        let there = self.shown_at(keyed, &dir, (record.view, place))?;
        let seen = there.as_ref().and_then(|file| file.metadata().ok());
        let shown = match (&there, &seen) {
            // Under a name of its own, by a driver that was killed before it could note it.
            (Some(file), Some(seen)) if *place != old => {
                let found = dir.identify(file)?;
                let is_it = found.is_some_and(|(found, _)| found == *swap.bytes.digest());
                is_it.then(|| seen.ino())
            }
            (_, _) => None,
        };
        let staged = if shown.is_none() {
            let than = seen.and_then(|seen| seen.modified().ok());
            let early = too_early(than, now());
            if !early.is_zero() {
                return Ok(Swapped::TooEarly(early));
            }
            if !dir.keeps(&record.sha256) {
                dir.keep(&old, &record.sha256)?;
            }
            Some(self.stage(keyed, &dir, (wait, record, swap, than))?)
        } else {
            None
        };
        let _held = wait.lock().map_err(|b| keyed.busy(b))?;
        let inode = match staged {
            Some(staged) => self.show(keyed, &dir, (staged, record, swap))?,
            None => shown.unwrap_or_default(),
        };
        let record = changed(record, swap, (&old, inode));
        self.note(keyed, &dir, &record)?;
        if let Some(before) = record.history.as_ref().and_then(|h| h.before.as_ref())
            && let Err(error) = self
                .store
                .keep_only(&dir, &[&record.sha256, &before.sha256])
        {
            tracing::warn!(%error, "cannot remove what is not kept any more");
        }
        Ok(Swapped::Shown(Box::new(record)))
    }

    fn stage(
        &self,
        keyed: &KeyedRequest,
        dir: &VolumeDir,
        (wait, record, swap, than): (&Wait, &Record, &Swap, Option<SystemTime>),
    ) -> Result<Staged, Error> {
        let goes_on = || !wait.is_over();
        match self.stage_beside(keyed, dir, (&goes_on, record, swap, than)) {
            Err(_) if wait.is_over() => Err(keyed.busy(Busy::Ended)),
            Err(error) => Err(self.explained(error)),
            Ok(staged) => Ok(staged),
        }
    }

    fn stage_beside(
        &self,
        keyed: &KeyedRequest,
        dir: &VolumeDir,
        (goes_on, record, swap, than): (&dyn Fn() -> bool, &Record, &Swap, Option<SystemTime>),
    ) -> Result<Staged, Error> {
        let (place, layers) = (&swap.place, record.layers());
        let (incoming, view) = (swap.bytes.incoming(), record.view);
        let stamp = match view {
            View::Bind => Stamp::Newer { than, now: now() },
            View::Copy | View::Overlay | View::ReadOnlyOverlay => Stamp::Any,
        };
        self.store.stage_file(dir, incoming, stamp, goes_on)?;
        match view {
            View::Bind => Ok(Staged::Link),
            View::Copy => {
                let kept = swap.bytes.digest();
                self.store.stage_copy(dir, kept, layers, now(), goes_on)?;
                Ok(Staged::Copy)
            }
            View::Overlay => {
                let source = self.store.open_kept(dir, swap.bytes.digest())?;
                let tree = self.tree(keyed, dir, view)?;
                let copying = tree.copy_to(&source, place, layers, goes_on)?;
                Ok(Staged::InTree(copying))
            }
            View::ReadOnlyOverlay => Err(Error::Fixed { relabels: false }),
        }
    }

    /// The one step that a pod sees. Returns the inode of what is shown, where that is known.
    fn show(
        &self,
        keyed: &KeyedRequest,
        dir: &VolumeDir,
        (staged, record, swap): (Staged, &Record, &Swap),
    ) -> Result<u64, Error> {
        let (place, layers) = (&swap.place, record.layers());
        match staged {
            Staged::Link => Ok(self.store.show_staged(dir, place)?),
            Staged::Copy => {
                let tree = self.tree(keyed, dir, View::Copy)?;
                Ok(tree.put(&dir.staged(), place, layers)?)
            }
            Staged::InTree(copying) => Ok(copying.show(now())?),
        }
    }

    /// What a pod writes to.
    fn tree(&self, keyed: &KeyedRequest, dir: &VolumeDir, view: View) -> Result<PodTree, Error> {
        if view == View::Copy {
            return Ok(PodTree::open(&dir.upper())?);
        }
        let shown = self.mounts().get(keyed.id.as_str()).map(|s| s.mount);
        // The next publish mounts it again.
        let mount = shown.ok_or_else(|| keyed.busy(Busy::Committing))?;
        let root = self.mounter.open(keyed.target(), mount)?;
        Ok(PodTree::new(root, &keyed.target().path()))
    }

    /// The file at a place, as a pod sees it.
    fn shown_at(
        &self,
        keyed: &KeyedRequest,
        dir: &VolumeDir,
        (view, place): (View, &VolumePath),
    ) -> Result<Option<File>, Error> {
        Ok(match view {
            View::Bind => dir.open_shown(place)?,
            View::Copy | View::Overlay | View::ReadOnlyOverlay => {
                self.tree(keyed, dir, view)?.open_shown(place)?
            }
        })
    }

    /// What application servers deploy must be an archive, whatever a checksum says: they take down what runs before
    /// they look at what comes.
    fn check_archive(&self, dir: &VolumeDir, swap: &Swap) -> Result<(), Error> {
        if !zip::is_named_so(swap.place.name().as_str()) {
            return Ok(());
        }
        let file = self.store.open_bytes(dir, swap.bytes.incoming())?;
        zip::check(file).map_err(|error| Error::Archive {
            url: swap.bytes.url().to_owned(),
            error,
        })
    }

    /// Sets the time of what is shown once more.
    pub(super) fn restamp(
        &self,
        keyed: &KeyedRequest,
        wait: &Wait,
        mut record: Record,
    ) -> Result<Record, Error> {
        let (dir, place) = (self.dir_of(keyed)?, self.place_of(keyed, &record)?);
        let _held = wait.lock().map_err(|b| keyed.busy(b))?;
        match record.view {
            View::Bind => {
                let inode = self.store.restamp(&dir, &place, &record.sha256, now())?;
                with_history(&mut record, |h| h.inode = inode);
            }
            View::Copy | View::Overlay | View::ReadOnlyOverlay => {
                if let Some(file) = self.shown_at(keyed, &dir, (record.view, &place))? {
                    set_time(&file, &keyed.target().path().join(place.to_path()), now())?;
                }
            }
        }
        with_history(&mut record, |h| {
            h.restamp = false;
            // To whoever watches the file it has changed: what comes next has to wait for that, too.
            h.changed = seconds(now());
        });
        self.note(keyed, &dir, &record)?;
        Ok(record)
    }

    /// Removes the files that nobody wants any more and whose time is over.
    pub(super) fn drain(
        &self,
        keyed: &KeyedRequest,
        wait: &Wait,
        (mut record, is_over): (Record, &dyn Fn(&Draining) -> bool),
    ) -> Result<Record, Error> {
        let dir = self.dir_of(keyed)?;
        let _held = wait.lock().map_err(|b| keyed.busy(b))?;
        let all = record
            .history
            .as_ref()
            .map(|h| h.draining.clone())
            .unwrap_or_default();
        for file in all.iter().filter(|file| is_over(file)) {
            if let Ok(place) = file.place() {
                match record.view {
                    View::Bind => self.store.remove_shown(&dir, &place)?,
                    View::Copy | View::Overlay | View::ReadOnlyOverlay => {
                        self.tree(keyed, &dir, record.view)?.remove(&place)?;
                    }
                }
            }
        }
        with_history(&mut record, |h| h.draining.retain(|file| !is_over(file)));
        self.note(keyed, &dir, &record)?;
        Ok(record)
    }

    /// Notes that what is shown is what is asked for now.
    pub(super) fn confirm(
        &self,
        keyed: &KeyedRequest,
        wait: &Wait,
        (mut record, asked, url): (Record, &str, String),
    ) -> Result<Record, Error> {
        let is_known = |h: &History| h.asked == asked && h.rejected.is_none();
        if record.history.as_ref().is_some_and(is_known) {
            return Ok(record);
        }
        let dir = self.dir_of(keyed)?;
        let _held = wait.lock().map_err(|b| keyed.busy(b))?;
        record.url = url;
        with_history(&mut record, |h| {
            asked.clone_into(&mut h.asked);
            h.rejected = None;
        });
        self.note(keyed, &dir, &record)?;
        Ok(record)
    }

    /// Notes that what is shown did not make the pod unready.
    pub(super) fn accept(
        &self,
        keyed: &KeyedRequest,
        wait: &Wait,
        mut record: Record,
    ) -> Result<Record, Error> {
        let dir = self.dir_of(keyed)?;
        let _held = wait.lock().map_err(|b| keyed.busy(b))?;
        with_history(&mut record, |h| h.on_trial = false);
        self.note(keyed, &dir, &record)?;
        Ok(record)
    }

    /// What a volume remembers of itself, and what it shows by that. After a kill between a swap and its note it shows
    /// the new content, and the note speaks of the old one.
    pub(super) fn recall(
        &self,
        keyed: &KeyedRequest,
        wait: &Wait,
    ) -> Result<Option<Record>, Error> {
        let Some(dir) = self.store.volume(keyed.id.as_str())? else {
            return Ok(None);
        };
        let Some(mut record) = Record::read(&self.store.record(&dir)) else {
            return Ok(None);
        };
        let place = self.place_of(keyed, &record)?;
        let known = record.history.as_ref().map_or(0, |history| history.inode);
        if let Some(file) = self.shown_at(keyed, &dir, (record.view, &place))?
            && let Ok(seen) = file.metadata()
            && seen.ino() != known
        {
            // What is none of ours a pod has put there: of that the note does not speak.
            if let Some((sha256, size)) = dir.identify(&file)?
                && sha256 != record.sha256
            {
                tracing::info!(digest = %sha256, "a driver changed the content and could not note it");
                found(&mut record, (sha256, size));
                with_history(&mut record, |h| h.inode = seen.ino());
                let _held = wait.lock().map_err(|b| keyed.busy(b))?;
                self.note(keyed, &dir, &record)?;
            }
            with_history(&mut record, |h| h.inode = seen.ino());
        }
        with_history(&mut record, |h| h.swap = h.swap.max(FIRST));
        Ok(Some(record))
    }

    fn dir_of(&self, keyed: &KeyedRequest) -> Result<VolumeDir, Error> {
        let dir = self.store.volume(keyed.id.as_str())?;
        dir.ok_or_else(|| keyed.busy(Busy::Ended))
    }

    fn place_of(&self, keyed: &KeyedRequest, record: &Record) -> Result<VolumePath, Error> {
        let place = record.place();
        place.map_err(|e| Error::unreadable(keyed.target().path(), &e))
    }

    fn note(&self, keyed: &KeyedRequest, dir: &VolumeDir, record: &Record) -> Result<(), Error> {
        let bytes = serde_json::to_vec_pretty(record).map_err(|e| keyed.bug(e.to_string()))?;
        Ok(self.store.write_record(dir, &bytes)?)
    }
}
