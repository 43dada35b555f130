//! From a request to a volume that is seen.

use std::sync::Arc;

use super::attributes::Want;
use super::guard::{Commit, Wait};
use super::plan::{self, Step, View};
use super::record::fingerprint;
use super::{Error, Found, Id, Publish, Record, Shared, Volumes, Writable};
use crate::acquire::{Artifact, Joined, Request};
use crate::artifact;
use crate::mount::{Mounter, Overlay, Target, Upper};
use crate::source::Credentials;
use crate::store::{self, Blob, Layers, Staged, VolumeDir};

/// How often an artifact that was collected between its arrival and its link is fetched again.
const MOST_RACES: usize = 3;

impl<M: Mounter> Volumes<M> {
    /// Shows a volume. May wait for its artifact as long as that takes: whoever gives up drops the future, and the
    /// download goes on for the next call. What follows the wait is never cancelled.
    pub async fn publish(&self, want: Publish) -> Result<(), Error> {
        let id = self.shared.id(&want.volume, &want.target);
        let was_there = self.shared.store.volume(id.as_str()).is_some();
        let published = self.publish_once(id, want).await;
        // Law 1; looked up before anything of the request was parsed.
        published.map_err(|e| if was_there { e.of_published() } else { e })
    }

    async fn publish_once(&self, id: Id, want: Publish) -> Result<(), Error> {
        let shared = &self.shared;
        let print = fingerprint(shared.store.key(), &want.attributes, want.asks_read_only());
        let wait = self.guards.wait(id.as_str());
        for _ in 0..MOST_RACES {
            let found = shared.look(&id, &want.target, Some(&print))?;
            // The view is needed only for what is to be mounted, and a known volume has one already.
            let goal = match &found.record {
                Some(record) => Goal::Again(Box::new(record.clone())),
                None => Goal::Anew(Box::new(self.anew(&want)?)),
            };
            let steps = plan::publish(goal.view(), found.kept, found.place)
                .map_err(|r| Error::of_refusal(r, want.target.path()))?;
            if steps.is_empty() {
                return Ok(());
            }
            let blob = match (steps.first(), &goal) {
                (Some(Step::Acquire), Goal::Anew(anew)) => {
                    Some(self.acquire(&id, &want, anew, &wait).await?)
                }
                _ => None,
            };
            let commit = wait.commit().map_err(|b| self.busy(b, &want.target))?;
            let work = Work {
                id: id.clone(),
                want: want.clone(),
                goal,
                print: print.clone(),
                blob,
            };
            match self.in_background(commit, work).await {
                Err(Error::Store(store::Error::Gone(_))) => {}
                done => return done,
            }
        }
        Err(Error::Store(store::Error::Gone(artifact::Digest::sha256(
            [0; 32],
        ))))
    }

    /// What a volume that is new here is to be.
    fn anew(&self, want: &Publish) -> Result<Anew, Error> {
        let meant = Want::parse(&want.attributes)?;
        let writable = match want.writable {
            Writable::Yes => true,
            Writable::No => false,
            Writable::IfScratch => meant.scratch,
        };
        let view = plan::view(want.readonly, writable, meant.layout).ok_or(Error::NoSafeForm)?;
        let credentials = Credentials::from_keys(want.secrets.clone())
            .map_err(|e| Error::from(crate::acquire::Error::from(e)))?;
        Ok(Anew {
            meant,
            view,
            credentials,
        })
    }

    /// The first phase: waits for the artifact.
    async fn acquire(
        &self,
        id: &Id,
        want: &Publish,
        anew: &Anew,
        wait: &Wait,
    ) -> Result<Blob, Error> {
        let shared = &self.shared;
        if anew.view.writable() {
            // A writable layer has no limit of its own, so none begins on a disk that is nearly full.
            shared.store.make_room(0, "a writable volume")?;
        }
        let permit = shared.policy.check(&anew.meant.url, anew.meant.max_size);
        let request = Request {
            url: anew.meant.url.clone(),
            pin: anew.meant.pin.clone(),
            pull: anew.meant.pull,
            credentials: anew.credentials.clone(),
        };
        let waiting = match shared.acquire.join(&permit, &request, id.as_str())? {
            Joined::Have(Artifact::File(blob)) => return Ok(blob),
            Joined::Flying(waiting) => Arc::new(waiting),
        };
        shared
            .waits()
            .insert(id.as_str().to_owned(), Arc::clone(&waiting));
        let landed = tokio::select! {
            landed = waiting.landed() => landed.map(|Artifact::File(blob)| blob).map_err(Error::from),
            () = wait.ended() => Err(Error::Ended { target: want.target.path() }),
        };
        shared.waits().remove(id.as_str());
        if landed.is_err() {
            shared.acquire.leave(id.as_str());
        }
        landed
    }

    /// The second phase: a task of its own, because a caller that hangs up must not leave half a volume.
    async fn in_background(&self, commit: Commit, work: Work) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let target = work.want.target.path();
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let (_hands, _in) = (commit, span.enter());
            shared.commit(&work)
        });
        task.await.unwrap_or_else(|e| {
            Err(Error::Bug {
                target,
                what: e.to_string(),
            })
        })
    }
}

/// What a request means for a volume that is not known here.
struct Anew {
    meant: Want,
    view: View,
    credentials: Credentials,
}

/// What is to be shown.
enum Goal {
    /// What the request says.
    Anew(Box<Anew>),
    /// What the volume showed before.
    Again(Box<Record>),
}

impl Goal {
    fn view(&self) -> View {
        match self {
            Self::Anew(anew) => anew.view,
            Self::Again(record) => record.view,
        }
    }
}

struct Work {
    id: Id,
    want: Publish,
    goal: Goal,
    print: String,
    blob: Option<Blob>,
}

/// A volume in the making: what the steps need of it.
struct Making {
    dir: Option<VolumeDir>,
    place: artifact::Place,
    layers: Layers,
    made_target: bool,
}

impl<M: Mounter> Shared<M> {
    /// Looks again, now that nobody else has hands on it, and does what is to be done. An error leaves nothing of a
    /// volume that was not there before.
    fn commit(&self, work: &Work) -> Result<(), Error> {
        let target = &work.want.target;
        let found = self.look(&work.id, target, Some(&work.print))?;
        let steps = plan::publish(work.goal.view(), found.kept, found.place)
            .map_err(|r| Error::of_refusal(r, target.path()))?;
        let is_new = found.dir.is_none();
        let mut making = self.making(work, found)?;
        for step in steps {
            if let Err(error) = self.step(work, &mut making, step) {
                self.undo(work, &making, is_new);
                return Err(error);
            }
        }
        Ok(())
    }

    fn making(&self, work: &Work, found: Found) -> Result<Making, Error> {
        let (place, layers) = match &work.goal {
            Goal::Anew(anew) => {
                let writable = anew.view.writable();
                (
                    anew.meant.place.clone(),
                    Layers {
                        writable,
                        group: work.want.group.filter(|_| writable),
                    },
                )
            }
            Goal::Again(record) => {
                let place = record
                    .place()
                    .map_err(|e| Error::unreadable(work.want.target.path(), &e))?;
                (place, record.layers())
            }
        };
        Ok(Making {
            dir: found.dir,
            place,
            layers,
            made_target: false,
        })
    }

    fn step(&self, work: &Work, making: &mut Making, step: Step) -> Result<(), Error> {
        let target = &work.want.target;
        match step {
            // Done in the first phase.
            Step::Acquire => Ok(()),
            Step::MakeDirectory => {
                making.dir = Some(self.make_directory(work, making)?);
                Ok(())
            }
            Step::ResetLayers => self.reset(work, making),
            Step::CopyContent => {
                Ok(dir(making, target)?.copy_content(&making.place, making.layers)?)
            }
            Step::MakeTarget => {
                making.made_target = self.mounter.create(target)?;
                Ok(())
            }
            Step::Mount(view) => self.mount(work, dir(making, target)?, view),
            Step::Unmount | Step::RemoveTarget | Step::RemoveDirectory => Err(Error::Bug {
                target: target.path(),
                what: format!("{step:?} in a publish"),
            }),
        }
    }

    fn make_directory(&self, work: &Work, making: &Making) -> Result<VolumeDir, Error> {
        let target = work.want.target.path();
        let bug = |what: &str| Error::Bug {
            target: target.clone(),
            what: what.to_owned(),
        };
        let (Some(blob), Goal::Anew(anew)) = (&work.blob, &work.goal) else {
            return Err(bug("no artifact was acquired"));
        };
        let place = &making.place;
        let record = Record {
            volume: work.want.volume.clone(),
            made_target: matches!(
                self.mounter.probe(&work.want.target)?,
                crate::mount::Probe::Missing
            ),
            owner: work.want.owner.clone(),
            url: anew.meant.url.to_string(),
            sha256: blob.sha256().clone(),
            size: blob.size(),
            path: place.directories().collect::<Vec<_>>().join("/"),
            name: place.name().to_string(),
            view: anew.view,
            group: making.layers.group,
            fingerprint: work.print.clone(),
            boot: self.store.boot().to_owned(),
            target: target.clone(),
        };
        let record = serde_json::to_vec_pretty(&record).map_err(|e| bug(&e.to_string()))?;
        let staged = Staged {
            blob,
            place,
            layers: making.layers,
            record: &record,
        };
        Ok(self.store.create_volume(work.id.as_str(), &staged)?)
    }

    /// A volume whose mount is gone: after a reboot, or torn down by somebody. It shows what it showed.
    fn reset(&self, work: &Work, making: &Making) -> Result<(), Error> {
        let target = &work.want.target;
        let dir = dir(making, target)?;
        self.store.reset_layers(dir, making.layers)?;
        // A link of a blob is as durable as the blob. A copy is not, and another boot may have lost bytes of it.
        let Goal::Again(record) = &work.goal else {
            return Ok(());
        };
        if record.boot == self.store.boot() || dir.is_linked(&making.place)? {
            return Ok(());
        }
        let found = dir.hash_content(&making.place)?;
        if found == record.sha256 {
            return Ok(());
        }
        Err(Error::Damaged {
            target: target.path(),
            why: format!("{found} instead of {}", record.sha256),
        })
    }

    fn mount(&self, work: &Work, dir: &VolumeDir, view: View) -> Result<(), Error> {
        let (target, id) = (&work.want.target, work.id.as_str());
        let (content, upper, work_dir) = (dir.content(), dir.upper(), dir.work());
        let mount = match view {
            View::Bind => self
                .mounter
                .bind(&self.view()?.join(id).join("c"), target)?,
            View::Copy => self.mounter.bind(&upper, target)?,
            // Two lowers, because an overlay without an upper layer needs them; the second is empty.
            View::ReadOnlyOverlay => {
                let lower = [content, upper];
                self.mounter.overlay(
                    &Overlay {
                        volume: id,
                        lower: &lower,
                        upper: None,
                    },
                    target,
                )?
            }
            View::Overlay => {
                let upper = Some(Upper {
                    upper: &upper,
                    work: &work_dir,
                });
                self.mounter.overlay(
                    &Overlay {
                        volume: id,
                        lower: &[content],
                        upper,
                    },
                    target,
                )?
            }
        };
        self.mounts().insert(id.to_owned(), mount);
        Ok(())
    }

    /// Law 1: a failed publish leaves nothing behind of a volume that was not there before. What cannot be taken
    /// back is said in the log; the next call or the next start finds it.
    fn undo(&self, work: &Work, making: &Making, is_new: bool) {
        let target = &work.want.target;
        let left = |what: &str, error: &dyn std::fmt::Display| {
            tracing::warn!(target = %target.path().display(), %error, "cannot take back {what}");
        };
        if making.made_target
            && let Err(error) = self.mounter.remove(target)
        {
            left("the target directory", &error);
        }
        if is_new
            && making.dir.is_some()
            && let Err(error) = self.store.remove_volume(work.id.as_str())
        {
            left("the volume's directory", &error);
        }
    }
}

fn dir<'a>(making: &'a Making, target: &Target) -> Result<&'a VolumeDir, Error> {
    let bug = || Error::Bug {
        target: target.path(),
        what: "the volume has no directory".into(),
    };
    making.dir.as_ref().ok_or_else(bug)
}
