//! Records, and how one that was lost is written again.
//!
//! A record that cannot be read, or whose key is gone, compares as equal to whatever is asked. The first publish that
//! finds it so writes it anew, from the request and from what is there: from then on the volume is known again.

use std::sync::Arc;

use super::blocking::Takes;
use super::clock::{now, seconds};
use super::content::NewVolume;
use super::locks::Wait;
use super::record::{History, key_name};
use super::request::KeyedRequest;
use super::{Error, Owner, Record, Shared, Volumes};
use crate::artifact::Digest;
use crate::mount::Mounter;
use crate::store::{Placement, Version, VolumeDir};

/// What the first content of a volume counts as.
pub(super) const FIRST: u64 = 1;

impl<M: Mounter> Volumes<M> {
    /// For a volume that is shown already: no error of this is one of its publish (law 3).
    pub(super) async fn renew(&self, keyed: &Arc<KeyedRequest>, wait: &Wait) {
        let Ok(held) = wait.lock() else { return };
        let asked = Arc::clone(keyed);
        let renewed = self.run_blocking(Takes::Long, keyed.target(), move |shared| {
            let _held = held;
            shared.renew(&asked, false);
            Ok(())
        });
        if let Err(Error::Bug { what: error, .. }) = renewed.await {
            tracing::error!(%error, "the task that rewrites a lost record ended unexpectedly");
        }
    }
}

impl<M: Mounter> Shared<M> {
    /// Writes a lost record again; if that fails, the next publish tries. `made`: the target was made just now.
    pub(super) fn renew(&self, keyed: &KeyedRequest, made: bool) {
        if let Err(error) = self.try_renew(keyed, made) {
            tracing::warn!(volume = keyed.id.as_str(), %error, "cannot rewrite a lost record");
        }
    }

    fn try_renew(&self, keyed: &KeyedRequest, made: bool) -> Result<(), Error> {
        let Some(dir) = self.store.volume(keyed.id.as_str())? else {
            return Ok(());
        };
        let record = match Record::read(&self.store.record(&dir)) {
            Some(record) => Record {
                version: Version::CURRENT,
                fingerprint: keyed.fingerprint.clone(),
                key: key_name(self.store.key()),
                ..record
            },
            None => self.rebuilt(keyed, &dir, made)?,
        };
        let bytes = serde_json::to_vec_pretty(&record).map_err(|e| keyed.bug(e.to_string()))?;
        Ok(self.store.write_record(&dir, &bytes)?)
    }

    fn rebuilt(&self, keyed: &KeyedRequest, dir: &VolumeDir, made: bool) -> Result<Record, Error> {
        let new = self.new_volume(keyed, FIRST)?;
        let (sha256, size) = dir.measure_content(&new.placement())?;
        let content = (sha256, size, new.spec.artifact.url.to_string());
        // Whose directory the target was that was there is not known any more: a user's own is left alone.
        let made_target = made || keyed.request.owner != Owner::CommandLine;
        let mut record = self.record(keyed, &new, content, made_target);
        // What is there may have been asked for in another way: the next look finds out.
        if let Some(history) = &mut record.history {
            history.asked.clear();
        }
        Ok(record)
    }

    pub(super) fn record(
        &self,
        keyed: &KeyedRequest,
        new: &NewVolume,
        (sha256, size, url): (Digest, u64, String),
        made_target: bool,
    ) -> Record {
        let request = &keyed.request;
        let Placement::File(place) = new.placement();
        let history = new.changes.map(|_| History {
            asked: self.asked(new),
            swap: FIRST,
            changed: seconds(now()),
            ..History::default()
        });
        Record {
            version: Version::CURRENT,
            volume: request.volume.clone(),
            target: request.target.path(),
            made_target,
            owner: request.owner.clone(),
            url,
            sha256,
            size,
            path: place.directories().collect::<Vec<_>>().join("/"),
            name: place.name().to_string(),
            view: new.view,
            group: new.layers(request).group,
            fingerprint: keyed.fingerprint.clone(),
            key: key_name(self.store.key()),
            boot: self.store.boot().to_owned(),
            history,
        }
    }
}
