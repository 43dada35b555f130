//! Records, and how one that was lost is written again.
//!
//! A record that cannot be read, or whose key is gone, compares as equal to whatever is asked. The first publish that
//! finds it so writes it anew, from the request and from what is there: from then on the volume is known again.

use std::sync::Arc;

use super::commit::Anew;
use super::guard::Wait;
use super::record::key_name;
use super::{Error, Id, Owner, Publish, Record, Shared, Volumes};
use crate::artifact::Digest;
use crate::mount::Mounter;
use crate::store::VolumeDir;

impl<M: Mounter> Volumes<M> {
    /// For a volume that is shown already: no error of this is one of its publish (law 3).
    pub(super) async fn renew(&self, id: &Id, want: &Publish, print: &str, wait: &Wait) {
        let Ok(hands) = wait.commit() else { return };
        let shared = Arc::clone(&self.shared);
        let (id, want, print) = (id.clone(), want.clone(), print.to_owned());
        let task = tokio::task::spawn_blocking(move || {
            let _hands = hands;
            shared.renew(&id, &want, &print, false);
        });
        if let Err(error) = task.await {
            tracing::error!(%error, "writing a lost record again ended as it never should");
        }
    }
}

impl<M: Mounter> Shared<M> {
    /// Writes a lost record again; if that fails, the next publish tries. `made`: the target was made just now.
    pub(super) fn renew(&self, id: &Id, want: &Publish, print: &str, made: bool) {
        if let Err(error) = self.try_renew(id, want, print, made) {
            tracing::warn!(volume = id.as_str(), %error, "cannot write a lost record again");
        }
    }

    fn try_renew(&self, id: &Id, want: &Publish, print: &str, made: bool) -> Result<(), Error> {
        let Some(dir) = self.store.volume(id.as_str()) else {
            return Ok(());
        };
        let record = match Record::read(&self.store.record(&dir)) {
            Some(record) => Record {
                fingerprint: print.to_owned(),
                key: key_name(self.store.key()),
                ..record
            },
            None => self.told_anew(want, &dir, print, made)?,
        };
        let bytes = serde_json::to_vec_pretty(&record).map_err(|e| Error::Bug {
            target: want.target.path(),
            what: e.to_string(),
        })?;
        Ok(self.store.write_record(&dir, &bytes)?)
    }

    fn told_anew(
        &self,
        want: &Publish,
        dir: &VolumeDir,
        print: &str,
        made: bool,
    ) -> Result<Record, Error> {
        let anew = Anew::of(want)?;
        let place = &anew.meant.place;
        let content = (dir.hash_content(place)?, dir.content_size(place)?);
        // Whose directory the target was that was there is not known any more: a user's own is left alone.
        let made_target = made || want.owner != Owner::CommandLine;
        Ok(self.record(want, &anew, print, content, made_target))
    }

    pub(super) fn record(
        &self,
        want: &Publish,
        anew: &Anew,
        print: &str,
        (sha256, size): (Digest, u64),
        made_target: bool,
    ) -> Record {
        let place = &anew.meant.place;
        Record {
            volume: want.volume.clone(),
            target: want.target.path(),
            made_target,
            owner: want.owner.clone(),
            url: anew.meant.url.to_string(),
            sha256,
            size,
            path: place.directories().collect::<Vec<_>>().join("/"),
            name: place.name().to_string(),
            view: anew.view,
            group: anew.layers(want).group,
            fingerprint: print.to_owned(),
            key: key_name(self.store.key()),
            boot: self.store.boot().to_owned(),
        }
    }
}
