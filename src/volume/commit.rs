//! The second phase of a publish: milliseconds, alone, never cancelled.

use std::sync::Arc;

use super::content::Content;
use super::locks::Busy;
use super::plan::{self, PublishStep, TargetState, View};
use super::request::KeyedRequest;
use super::{Error, Record, Shared, Sharing, VolumeState};
use crate::mount::{Mounter, Overlay, Parent, Target, Upper};
use crate::store::{Artifact, Layers, Placement, Staged, VolumeDir};

/// What the second phase is to do.
pub(super) struct Work {
    pub(super) keyed: Arc<KeyedRequest>,
    pub(super) content: Content,
    pub(super) artifact: Option<Artifact>,
}

/// A volume in the making: what the steps need of it.
struct Making {
    dir: Option<VolumeDir>,
    placement: Placement,
    layers: Layers,
    parent: Parent,
    /// Nothing stands at the target, so that its directory is ours to make.
    lacks_target: bool,
    made_target: bool,
    /// What a new volume remembers whose content may change.
    made: Option<Record>,
}

impl<M: Mounter> Shared<M> {
    /// Does what is to be done, now that it is locked: `found` is what is there, unless somebody may have
    /// had since; then it is looked at again. An error leaves nothing of a volume that was not there before.
    pub(super) fn commit(&self, work: &Work, found: Option<VolumeState>) -> Result<(), Error> {
        let target = &work.keyed.request.target;
        let found = match found {
            Some(found) => found,
            None => self.look(&work.keyed.id, target, Some(&work.keyed.fingerprint))?,
        };
        let steps = plan::publish(work.content.view(), found.record_match, found.target_state)
            .map_err(|r| Error::of_refusal(r, target.path()))?;
        if !steps.is_empty()
            && work.keyed.request.sharing == Sharing::OneTarget
            && let Some(other) = self.elsewhere(&work.keyed.id)?
        {
            return Err(Error::SecondTarget {
                target: target.path(),
                other,
            });
        }
        if work.content.view() == View::Copy
            && let Some(artifact) = &work.artifact
        {
            self.store.make_room(artifact.size(), "a private copy")?;
        }
        let (is_new, lost) = (found.dir.is_none(), found.lost);
        let mut making = self.making(work, found)?;
        for step in steps {
            if let Err(error) = self.step(work, &mut making, step) {
                let error = self.explained(error);
                self.undo(work, &making, is_new);
                return Err(error);
            }
        }
        if lost {
            self.renew(&work.keyed, making.made_target);
        }
        if let Some(record) = &making.made {
            self.notices.mounted(&work.keyed.request, record);
        }
        Ok(())
    }

    /// Before anything is taken back: what is full now is what there was too little of.
    pub(super) fn explained(&self, error: Error) -> Error {
        let Error::Store(inner) = error else {
            return error;
        };
        Error::Store(self.store.explain(inner, "the volume"))
    }

    fn making(&self, work: &Work, found: VolumeState) -> Result<Making, Error> {
        let target = &work.keyed.request.target;
        let placement = work.content.placement();
        Ok(Making {
            dir: found.dir,
            placement: placement.map_err(|e| Error::unreadable(target.path(), &e))?,
            // One that is missing is looked for once more, for the error.
            parent: found
                .parent
                .map_or_else(|| self.mounter.parent(target), Ok)?,
            layers: work.content.layers(&work.keyed.request),
            lacks_target: found.target_state == TargetState::Free,
            made_target: false,
            made: None,
        })
    }

    fn step(&self, work: &Work, making: &mut Making, step: PublishStep) -> Result<(), Error> {
        let target = &work.keyed.request.target;
        match step {
            // Done in the first phase.
            PublishStep::Acquire => Ok(()),
            PublishStep::MakeDirectory => {
                making.dir = Some(self.make_directory(work, making)?);
                Ok(())
            }
            PublishStep::ResetLayers => self.reset(work, making),
            PublishStep::CopyContent => {
                Ok(dir(making, target)?.copy_content(&making.placement, making.layers)?)
            }
            PublishStep::MakeTarget => {
                making.made_target = self.mounter.create(&making.parent, target)?;
                Ok(())
            }
            PublishStep::Mount(view) => self.mount(work, making, view),
        }
    }

    fn make_directory(&self, work: &Work, making: &mut Making) -> Result<VolumeDir, Error> {
        let (Some(artifact), Content::New(new)) = (&work.artifact, &work.content) else {
            // The first look was taken beside an unpublish that was not through: the volume was still there.
            return Err(work.keyed.busy(Busy::Committing));
        };
        let content = (
            artifact.digest().clone(),
            artifact.size(),
            artifact.url().to_owned(),
        );
        let missing = making.lacks_target;
        let record = self.record(&work.keyed, new, content, missing);
        let bytes =
            serde_json::to_vec_pretty(&record).map_err(|e| work.keyed.bug(e.to_string()))?;
        let staged = Staged {
            artifact,
            placement: &making.placement,
            layers: making.layers,
            record: &bytes,
        };
        let dir = self.store.create_volume(work.keyed.id.as_str(), &staged)?;
        making.made = record.history.is_some().then_some(record);
        Ok(dir)
    }

    /// A volume whose mount is gone: after a reboot, or torn down by somebody. It shows what it showed.
    fn reset(&self, work: &Work, making: &Making) -> Result<(), Error> {
        let target = &work.keyed.request.target;
        let dir = dir(making, target)?;
        self.store.reset_layers(dir, making.layers)?;
        if let Content::Existing(record) = &work.content {
            self.restore(dir, making, record)?;
        }
        // What is leased is as durable as the store. A copy is not, and another boot may have lost bytes of it.
        let promised = match &work.content {
            Content::Existing(record) if record.boot == self.store.boot() => return Ok(()),
            Content::Existing(record) => Some(&record.sha256),
            Content::New(new) => new.artifact_request.pin(),
        };
        if dir.is_leased(&making.placement, promised)? {
            return Ok(());
        }
        let (found, _) = dir.measure_content(&making.placement)?;
        if promised == Some(&found) {
            return Ok(());
        }
        let promised = promised.map_or("an unknown digest".into(), ToString::to_string);
        Err(Error::Damaged {
            target: target.path(),
            why: format!("{found} instead of {promised}"),
        })
    }

    /// What was swapped in last is what is shown, and nothing that was on its way out.
    fn restore(&self, dir: &VolumeDir, making: &Making, record: &Record) -> Result<(), Error> {
        let Some(history) = &record.history else {
            return Ok(());
        };
        let Placement::File(place) = &making.placement;
        self.store.restore(dir, place, &record.sha256)?;
        for file in history.draining.iter().filter_map(|file| file.place().ok()) {
            self.store.remove_shown(dir, &file)?;
        }
        Ok(())
    }

    fn mount(&self, work: &Work, making: &Making, view: View) -> Result<(), Error> {
        let (target, id) = (&work.keyed.request.target, work.keyed.id.as_str());
        let (dir, parent) = (dir(making, target)?, &making.parent);
        let (content, upper, work_dir) = (dir.content(), dir.upper(), dir.work());
        let overlay = |lower: &[_], upper| {
            let overlay = Overlay {
                volume: id,
                lower,
                upper,
            };
            self.mounter.overlay(&overlay, parent, target)
        };
        let mount = match view {
            View::Bind => {
                let content = self.view()?.join(id).join("c");
                self.mounter.bind(&content, parent, target)?
            }
            View::Copy => self.mounter.bind(&upper, parent, target)?,
            // Two lowers, because an overlay without an upper layer needs them; the second is empty.
            View::ReadOnlyOverlay => overlay(&[content, upper], None)?,
            View::Overlay => overlay(
                &[content],
                Some(Upper {
                    upper: &upper,
                    work: &work_dir,
                }),
            )?,
        };
        self.remember(
            &work.keyed.id,
            target,
            mount,
            (&work.keyed.fingerprint, Some(view)),
        );
        Ok(())
    }

    /// Law 1: a failed publish leaves nothing behind of a volume that was not there before. What cannot be taken
    /// back is said in the log; the next call or the next start finds it.
    fn undo(&self, work: &Work, making: &Making, is_new: bool) {
        let target = &work.keyed.request.target;
        let left = |what: &str, error: &dyn std::fmt::Display| {
            tracing::warn!(target = %target.path().display(), %error, "cannot undo {what}");
        };
        if making.made_target
            && let Err(error) = self.mounter.remove(target)
        {
            left("the target directory", &error);
        }
        if is_new
            && making.dir.is_some()
            && let Err(error) = self.store.remove_volume(work.keyed.id.as_str())
        {
            left("the volume's directory", &error);
        }
    }
}

fn dir<'a>(making: &'a Making, target: &Target) -> Result<&'a VolumeDir, Error> {
    let bug = || Error::bug(target, "the volume has no directory");
    making.dir.as_ref().ok_or_else(bug)
}
