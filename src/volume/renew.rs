//! Records, and how one that was lost is written again.
//!
//! A record that cannot be read, or whose key is gone, compares as equal to whatever is asked. The first publish that
//! finds it so writes it anew, from the request and from what is there: from then on the volume is known again.

use std::sync::Arc;

use super::aside::Takes;
use super::ask::Ask;
use super::goal::Anew;
use super::guard::Wait;
use super::record::key_name;
use super::{Error, Owner, Record, Shared, Volumes};
use crate::artifact::Digest;
use crate::mount::Mounter;
use crate::store::{Content, Version, VolumeDir};

impl<M: Mounter> Volumes<M> {
    /// For a volume that is shown already: no error of this is one of its publish (law 3).
    pub(super) async fn renew(&self, ask: &Arc<Ask>, wait: &Wait) {
        let Ok(hands) = wait.commit() else { return };
        let asked = Arc::clone(ask);
        let renewed = self.aside(Takes::Long, move |shared| {
            let _hands = hands;
            shared.renew(&asked, false);
        });
        if let Err(error) = renewed.await {
            tracing::error!(%error, "the task that rewrites a lost record ended unexpectedly");
        }
    }
}

impl<M: Mounter> Shared<M> {
    /// Writes a lost record again; if that fails, the next publish tries. `made`: the target was made just now.
    pub(super) fn renew(&self, ask: &Ask, made: bool) {
        if let Err(error) = self.try_renew(ask, made) {
            tracing::warn!(volume = ask.id.as_str(), %error, "cannot rewrite a lost record");
        }
    }

    fn try_renew(&self, ask: &Ask, made: bool) -> Result<(), Error> {
        let Some(dir) = self.store.volume(ask.id.as_str())? else {
            return Ok(());
        };
        let record = match Record::read(&self.store.record(&dir)) {
            Some(record) => Record {
                version: Version::CURRENT,
                fingerprint: ask.print.clone(),
                key: key_name(self.store.key()),
                ..record
            },
            None => self.told_anew(ask, &dir, made)?,
        };
        let bytes = serde_json::to_vec_pretty(&record).map_err(|e| ask.bug(e.to_string()))?;
        Ok(self.store.write_record(&dir, &bytes)?)
    }

    fn told_anew(&self, ask: &Ask, dir: &VolumeDir, made: bool) -> Result<Record, Error> {
        let anew = Anew::of(&ask.want, self.mounter.relabels())?;
        let content = dir.measure_content(&anew.content())?;
        // Whose directory the target was that was there is not known any more: a user's own is left alone.
        let made_target = made || ask.want.owner != Owner::CommandLine;
        Ok(self.record(ask, &anew, content, made_target))
    }

    pub(super) fn record(
        &self,
        ask: &Ask,
        anew: &Anew,
        (sha256, size): (Digest, u64),
        made_target: bool,
    ) -> Record {
        let want = &ask.want;
        let Content::File(place) = anew.content();
        Record {
            version: Version::CURRENT,
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
            fingerprint: ask.print.clone(),
            key: key_name(self.store.key()),
            boot: self.store.boot().to_owned(),
        }
    }
}
