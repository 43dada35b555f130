//! How kubelet learns of this driver, without a registrar beside it.
//!
//! Owns a second socket, in the directory that kubelet watches, so that registering again never disturbs a CSI call.
//! kubelet asks there who this is, dials the endpoint, and says how that went. It never tries again what failed (seen
//! after a reboot, when it was up before the API server), but a socket that is made anew is news to it.
//!
//! Invariants: there is something to dial before the socket has its name; registered is what kubelet said of the socket
//! that is there now; nothing is taken away that is not ours.
//!
//! Left out on purpose: whether volumes can be made. A driver whose store cannot be used registers, too: kubelet calls
//! nobody whom it does not know, so it could neither say in a pod's events what is wrong, nor unpublish.

mod answers;
mod state;

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at, sleep, sleep_until};
use tonic::transport::Server;

use self::answers::Answers;
pub use self::state::Registered;
use self::state::{RegistrationState, Teller};
use super::pluginregistration::PluginInfo;
use super::pluginregistration::registration_server::RegistrationServer;
use super::socket::{self, Bound, Name, Replaces};
use super::{Endpoint, Error};
use crate::fault;

/// What follows the driver's name in the name of the socket.
///
/// Registrars have `-reg.sock` there. kubelet sends the path of the socket as `:authority`, with each `/` as `%2F`, and
/// h2 takes that for a malformed host (hyperium/h2#487) and resets the stream. Before an `@` it is a user's name, in
/// which RFC 3986 allows it. A kubelet before 1.29 sends the slashes themselves, for which there is no remedy.
const SUFFIX: &str = "@reg.sock";

/// The version that kubelet wants to hear: of CSI itself, whose first release speaks for all of 1.x.
const VERSION: &str = "1.0.0";

/// How often the socket is looked for, and what could not be made is tried again.
const LOOK: Duration = Duration::from_secs(10);

/// How long after a refusal the socket is made anew; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A registration with kubelet that is to be.
pub struct Registration {
    socket: Endpoint,
    info: PluginInfo,
    state: Teller,
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.socket, self.info.endpoint)
    }
}

impl Registration {
    /// Of the driver `name`, in a directory that must be there. `endpoint` is the CSI socket as kubelet sees it.
    /// Nothing is made yet.
    pub fn new(dir: &Path, name: &str, endpoint: &Endpoint) -> Result<Self, Error> {
        let path = dir.join(format!("{name}{SUFFIX}"));
        let wrong = |why: String| socket::Error {
            path: path.display().to_string(),
            why,
        };
        let meta = fs::metadata(dir).map_err(|e| wrong(format!("its directory: {e}")))?;
        if !meta.is_dir() {
            return Err(wrong("its parent is not a directory".to_owned()).into());
        }
        let text = path.to_str().ok_or_else(|| wrong("not UTF-8".to_owned()))?;
        Ok(Self {
            socket: text.parse().map_err(wrong)?,
            info: PluginInfo {
                r#type: "CSIPlugin".to_owned(),
                name: name.to_owned(),
                endpoint: endpoint.path().display().to_string(),
                supported_versions: vec![VERSION.to_owned()],
            },
            state: Teller::new(),
        })
    }

    /// What can be asked from now on.
    pub fn registered(&self) -> Registered {
        self.state.asked()
    }

    /// Begins, once the CSI socket is there to be dialled.
    pub(super) fn begin(self) -> Running {
        let (stop, stopping) = watch::channel(());
        Running {
            stop,
            task: tokio::spawn(self.run(stopping)),
        }
    }

    async fn run(self, mut stopping: watch::Receiver<()>) {
        let mut name = None;
        tokio::select! {
            never = self.keep(&mut name) => match never {},
            // Whoever could tell is gone: that is the end, too.
            _ = stopping.changed() => {}
        }
        self.state.say(RegistrationState::Without(
            "the driver is shutting down".to_owned(),
        ));
        if let Some(name) = name {
            name.unlink();
        }
    }

    /// Keeps a socket at its place. `ours` is the name to be taken away in the end.
    async fn keep(&self, ours: &mut Option<Name>) -> Infallible {
        let mut pauses = pauses();
        // A driver that begins takes over from one that ends, and from what a kill has left.
        let mut replaces = Replaces::Any;
        loop {
            match Bound::at(self.socket.path(), replaces).await {
                Ok(bound) => {
                    let name = ours.insert(bound.name());
                    replaces = self.offer(bound, name, &mut pauses).await;
                    if replaces == Replaces::Stale {
                        // Its inode may be another's soon, now that nothing holds it.
                        *ours = None;
                    }
                }
                Err(error) => {
                    self.state
                        .say(RegistrationState::Without(fault::line(&error)));
                    sleep(LOOK).await;
                }
            }
        }
    }

    /// Answers at one socket, until it is time for a new one. What that may replace: our own, or, where somebody has
    /// taken the name, a socket that nobody listens at. Two drivers must not take it from each other for ever.
    async fn offer(&self, bound: Bound, name: &Name, pauses: &mut ExponentialBackoff) -> Replaces {
        let (verdicts, mut verdict) = watch::channel(None);
        let info = self.info.clone();
        let server = Server::builder()
            .add_service(RegistrationServer::new(Answers { info, verdicts }))
            .serve_with_incoming(bound.callers());
        tokio::pin!(server);
        self.state.waits();
        let mut looks = interval_at(Instant::now() + LOOK, LOOK);
        let mut anew = None;
        loop {
            tokio::select! {
                ended = &mut server => {
                    let words = format!("the socket {} ended: {ended:?}", self.socket);
                    self.state.say(RegistrationState::Without(words));
                    sleep(LOOK).await;
                    return Replaces::Stale;
                }
                Ok(()) = verdict.changed() => match verdict.borrow_and_update().clone() {
                    Some(Ok(())) => {
                        *pauses = self::pauses();
                        anew = None;
                        self.state.say(RegistrationState::Registered);
                    }
                    Some(Err(why)) => {
                        // It may be said more than once of one socket.
                        if anew.is_none() {
                            anew = Some(Instant::now() + pauses.next().unwrap_or(LONGEST_PAUSE));
                        }
                        self.state.say(RegistrationState::Refused(why));
                    }
                    None => {}
                },
                () = sleep_until(anew.unwrap_or_else(Instant::now)), if anew.is_some() => {
                    return if name.is_there() { Replaces::Any } else { Replaces::Stale };
                }
                _ = looks.tick() => if !name.is_there() {
                    let words = format!("the socket {} was removed or replaced", self.socket);
                    self.state.say(RegistrationState::Without(words));
                    return Replaces::Stale;
                },
            }
        }
    }
}

/// A registration that is offered.
pub(super) struct Running {
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends it, and takes the socket away if it is still ours.
    pub(super) async fn end(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the registration task ended unexpectedly; please report it");
        }
    }
}

/// The pauses after refusals, from the first one on.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubelet_is_asked_again_after_a_second_that_doubles_up_to_a_minute() {
        let seconds: Vec<u64> = pauses().take(9).map(|p| p.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
