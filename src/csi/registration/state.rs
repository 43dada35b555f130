//! How far a registration is, and who may ask.

use std::fmt;

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;

/// Whether kubelet has registered the driver.
#[derive(Clone, Debug)]
pub struct Registered(watch::Receiver<RegistrationState>);

impl Registered {
    /// Ok once kubelet has said so about the socket that is there now; until then what is missing.
    pub fn now(&self) -> Result<(), String> {
        match &*self.0.borrow() {
            RegistrationState::Registered => Ok(()),
            missing @ (RegistrationState::Waiting
            | RegistrationState::Refused(_)
            | RegistrationState::Without(_)) => Err(missing.to_string()),
        }
    }

    /// Something each time that this may have changed; ends with the driver.
    pub fn news(self) -> BoxStream<'static, ()> {
        let next = |mut state: watch::Receiver<RegistrationState>| async move {
            state.changed().await.ok()?;
            Some(((), state))
        };
        stream::unfold(self.0, next).boxed()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RegistrationState {
    Waiting,
    Registered,
    /// By kubelet, in its words. It stays until kubelet says something else.
    Refused(String),
    /// There is no socket of ours.
    Without(String),
}

impl fmt::Display for RegistrationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str(
                "kubelet has not registered the driver yet; it watches plugins_registry in its own directory",
            ),
            Self::Registered => f.write_str("kubelet has registered the driver"),
            Self::Refused(why) => write!(f, "kubelet refused to register the driver: {why}"),
            Self::Without(why) => write!(f, "kubelet cannot register the driver: {why}"),
        }
    }
}

/// Where the state is said.
pub(super) struct Teller(watch::Sender<RegistrationState>);

impl Teller {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(RegistrationState::Without(
            "the CSI socket is not served yet".to_owned(),
        )))
    }

    pub(super) fn asked(&self) -> Registered {
        Registered(self.0.subscribe())
    }

    /// Says what has changed, to the log and to whoever asks. A verdict is said each time: kubelet may have restarted.
    pub(super) fn say(&self, state: RegistrationState) {
        let changed = *self.0.borrow() != state;
        match &state {
            RegistrationState::Registered => tracing::info!("{state}"),
            RegistrationState::Refused(_) => tracing::error!("{state}; asking again"),
            RegistrationState::Waiting if changed => tracing::info!("{state}"),
            RegistrationState::Without(_) if changed => tracing::warn!("{state}"),
            RegistrationState::Waiting | RegistrationState::Without(_) => {}
        }
        self.0.send_replace(state);
    }

    /// A new socket: until kubelet says something about it, the last refusal is the best that is known.
    pub(super) fn waits(&self) {
        let refused = matches!(*self.0.borrow(), RegistrationState::Refused(_));
        if !refused {
            self.say(RegistrationState::Waiting);
        }
    }
}
