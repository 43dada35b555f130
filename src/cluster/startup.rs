//! When it is looked at the node, and what is said of it.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::sleep;

use super::api::Api;
use super::{Account, Error, Key, Names, NodeInfo};
use crate::fault::{self, Fault};
use crate::metrics::StartupTaints;

/// How long after a registration the second look is, and how often it is asked whether the driver is ready.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause between two looks. What sets taints may set them when the driver is there already
/// (aws-ebs-csi-driver#2447): it waits about as long as the driver has been registered, and never longer than this.
const LONGEST: Duration = Duration::from_secs(300);

/// The same where a look was in vain: pods may be waiting.
const LONGEST_IN_VAIN: Duration = Duration::from_secs(30);

/// The start-up taint of one node.
pub struct Startup {
    /// Who asks.
    pub account: Account,
    /// How names become addresses.
    pub names: Names,
    /// The node's name in the cluster.
    pub node: String,
    /// The driver's name, as kubelet registers it.
    pub driver: String,
    /// Which taint.
    pub key: Key,
    /// Where it is counted.
    pub counted: StartupTaints,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaintState {
    /// No taint of the key.
    Nothing,
    /// One, and it is gone.
    Removed,
    /// The driver is not ready, so it was not looked for.
    Early,
}

impl Startup {
    /// Looks at the node as long as it runs, often after each of the `registrations` and rarely later, and only while
    /// the driver is `ready`. What the node says of itself is told to `info`.
    pub async fn keep(
        self,
        ready: impl Fn() -> bool,
        mut registrations: impl Stream<Item = ()> + Unpin,
        info: watch::Sender<NodeInfo>,
    ) {
        let mut pauses = pauses();
        let mut said = None;
        // A node that is too old for the driver tells so before the driver can be ready, and else never.
        let mut knows_node = false;
        loop {
            let ready = ready();
            let pause = if ready || !knows_node {
                let looked = self.look(ready, &info).await;
                knows_node |= looked.is_ok();
                let longest = match &looked {
                    Ok(TaintState::Removed) => {
                        // Whoever has set it may be about to set it again.
                        pauses = self::pauses();
                        LONGEST
                    }
                    Ok(TaintState::Nothing) => LONGEST,
                    Ok(TaintState::Early) | Err(Error::Changed { .. }) => FIRST,
                    Err(_) => LONGEST_IN_VAIN,
                };
                self.tell(looked, &mut said);
                pauses.next().unwrap_or(LONGEST).min(longest)
            } else {
                FIRST
            };
            tokio::select! {
                () = sleep(pause) => {}
                Some(()) = registrations.next() => pauses = self::pauses(),
            }
        }
    }

    async fn look(&self, ready: bool, info: &watch::Sender<NodeInfo>) -> Result<TaintState, Error> {
        let api = Api::new(&self.account, self.names.clone());
        let node = api.node(&self.node).await?;
        let says = node.status.unwrap_or_default().node_info;
        info.send_if_modified(|known| {
            let news = *known != says;
            *known = says;
            news
        });
        if !ready {
            return Ok(TaintState::Early);
        }
        let Some(patch) = self.key.removed_from(&node.spec.taints) else {
            return Ok(TaintState::Nothing);
        };
        let listed = match api.csi_node(&self.node).await {
            Ok(known) => known.spec.lists(&self.driver),
            // kubelet makes it with the first driver.
            Err(Error::Missing { .. }) => false,
            Err(other) => return Err(other),
        };
        if !listed {
            return Err(Error::NotListed {
                node: self.node.clone(),
                driver: self.driver.clone(),
            });
        }
        api.patch_node(&self.node, patch).await?;
        Ok(TaintState::Removed)
    }

    /// To the log what has changed since it was `said`, to the numbers all but that there was nothing to do.
    fn tell(&self, looked: Result<TaintState, Error>, said: &mut Option<String>) {
        match looked {
            Ok(found) => {
                let was_in_vain = said.take().is_some();
                let words = match found {
                    TaintState::Removed => {
                        self.counted.ended(Ok(()));
                        "removed the startup taint"
                    }
                    TaintState::Nothing if was_in_vain => "the node has no startup taint",
                    TaintState::Early if was_in_vain => "the API server answers",
                    TaintState::Nothing | TaintState::Early => return,
                };
                tracing::info!(node = self.node, taint = %self.key, "{words}");
            }
            Err(error) => {
                self.counted.ended(Err(error.fault()));
                let words = fault::line(&error);
                if said.as_ref() != Some(&words) {
                    let what = format!("the startup taint {} is not removed: {words}", self.key);
                    if error.fault() == Fault::Pending {
                        tracing::info!("{what}");
                    } else {
                        tracing::warn!("{what}");
                    }
                }
                *said = Some(words);
            }
        }
    }
}

/// The pauses after a registration, from the first one on; spread, because a cluster's nodes may begin together.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST)
        .with_max_delay(LONGEST / 2)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rare_and_never_stop() {
        let all: Vec<Duration> = pauses().take(50).collect();
        assert!(all[0] >= FIRST && all[0] <= FIRST * 2, "{all:?}");
        assert!(
            all[20..].iter().all(|p| *p >= LONGEST / 2 && *p <= LONGEST),
            "{all:?}"
        );
    }
}
