//! kubelet's older interface to volumes, FlexVolume: it runs a program on the node, and the program asks the driver.
//!
//! Owns what such a call comes to here. kubelet sets it no time limit, takes every failure for the last word, calls no
//! unmount after one, and publishes nothing again. So a mount waits for the driver and for as long as a download moves,
//! goes on with the next driver where one ends, and what it cannot end well it takes back; an unmount does without a
//! driver where none answers, and the next driver's sweep removes what is left of the volume.
//!
//! Left out on purpose: volumes of claims. kubelet does not tell them from others here.

mod error;
mod install;
mod options;

use std::ffi::OsStr;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

pub use self::error::Error;
pub use self::install::{Home, Installed, install};
pub use self::options::{directory, mount_of};

use crate::admin::{self, Client};
use crate::mount::{Linux, Mounter, Probe, Target};
use crate::volume::{Mount, Phase, Snapshot, is_shown};

/// The driver's name in a pod.
pub const DRIVER: &str = "geektime/war-vol";

/// How long one that begins waits for a driver: a restart takes no longer, and kubelet asks again.
const START: Duration = Duration::from_secs(10);

/// How long one waits while nothing moves. The driver ends a download that stands still long before, so this is for a
/// driver that hangs, or that went and does not come back.
const STILL: Duration = Duration::from_secs(15 * 60);

/// How many drivers may end in the middle of one mount before that is the answer.
const ENDS: usize = 5;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);

/// How long a driver may take to unmount before it is done without it.
const UNMOUNT: Duration = Duration::from_secs(60);

/// Shows an artifact to a pod, by the driver that has the store in `root`. Must be called within a tokio runtime.
pub async fn mount(root: &Path, mount: Mount) -> Result<(), Error> {
    let (mut timeout, mut ends) = (START, 0);
    loop {
        // kubelet itself asks for nothing where it sees a mount; but a bind it does not see. It is whole, whoever began
        // it: each is one mount(2).
        if look(&mount.target)? == Seen::Ours {
            return Ok(());
        }
        let Some(driver) = driver(root, timeout).await else {
            return taken_back(&mount.target, Error::Away(root.into()));
        };
        let work = driver.mount(mount.clone());
        match while_it_moves(work, || driver.progress(), STILL).await {
            Ok(Ok(_)) => break,
            Ok(Err(error)) if error.is_end_of_driver() && ends < ENDS => {
                (timeout, ends) = (STILL, ends + 1);
            }
            Ok(Err(error)) if error.is_end_of_driver() => {
                return taken_back(&mount.target, error.into());
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(still) => return taken_back(&mount.target, still),
        }
    }
    if look(&mount.target)? == Seen::Ours {
        return Ok(());
    }
    // kubelet would start the pod with an empty directory.
    if let Some(driver) = Client::find(root).await {
        let _ = driver.unmount_for_pod(&mount.target).await;
    }
    Err(Error::Unseen(mount.target.path()))
}

/// Takes away what a pod sees, by the driver that has the store in `root`, or without one where none answers.
pub async fn unmount(root: Option<&Path>, dir: &OsStr) -> Result<(), Error> {
    let target = directory(dir)?;
    if let Some(root) = root
        && let Some(driver) = Client::find(root).await
    {
        let ended = tokio::time::timeout(UNMOUNT, driver.unmount_for_pod(&target));
        if let Ok(Err(error)) = ended.await
            && !error.is_end_of_driver()
        {
            return Err(error.into());
        }
    }
    take_away(&target)
}

/// The driver, if it answers in time.
async fn driver(root: &Path, timeout: Duration) -> Option<Client> {
    let began = Instant::now();
    loop {
        if let Some(driver) = Client::find(root).await {
            return Some(driver);
        }
        if began.elapsed() >= timeout {
            return None;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits for the end of a mount, or until it has not moved for `timeout`.
async fn while_it_moves<T>(
    work: impl Future<Output = Result<T, admin::Error>>,
    progress: impl Fn() -> Option<Snapshot>,
    timeout: Duration,
) -> Result<Result<T, admin::Error>, Error> {
    tokio::pin!(work);
    let (mut last, mut moved): (Option<(Phase, u64)>, _) = (None, Instant::now());
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            () = tokio::time::sleep(LOOK.min(timeout)) => {}
        }
        let snapshot = progress();
        let now = snapshot.as_ref().map(|s| (s.phase.clone(), s.done));
        if now != last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() >= timeout {
            return Err(Error::Still {
                minutes: timeout.as_secs() / 60,
                at: snapshot.map_or_else(
                    || "no progress was reported".to_owned(),
                    |snapshot| snapshot.to_string(),
                ),
            });
        }
    }
}

/// What a pod's directory shows, as this process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Ours,
    Foreign,
}

fn look(target: &Target) -> Result<Seen, Error> {
    let mounter = Linux::untested();
    let mount = match mounter.probe_at(target)? {
        Probe::Missing | Probe::Directory { .. } | Probe::NotADirectory => {
            return Ok(Seen::Nothing);
        }
        Probe::Stale => return Ok(Seen::Foreign),
        Probe::Mount(mount) => mount,
    };
    let is_ours = is_shown(&mounter, target, mount)?;
    Ok(if is_ours { Seen::Ours } else { Seen::Foreign })
}

/// Unmounts what is ours, and nothing else.
fn take_away(target: &Target) -> Result<(), Error> {
    loop {
        match look(target)? {
            Seen::Nothing => return Ok(()),
            Seen::Ours => drop(Linux::untested().unmount(target)?),
            Seen::Foreign => return Err(Error::Foreign(target.path())),
        }
    }
}

/// kubelet takes the failure for the last word and never unmounts what a driver may have shown meanwhile.
fn taken_back(target: &Target, error: Error) -> Result<(), Error> {
    if look(target)? == Seen::Ours {
        take_away(target)?;
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn snapshot(done: u64) -> Snapshot {
        Snapshot {
            url: "https://example.com/a".to_owned(),
            phase: Phase::Downloading,
            done,
            total: None,
            speed: 1,
        }
    }

    fn wait(moves: u64) -> Result<Result<(), admin::Error>, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let seen = AtomicU64::new(0);
        let progress = || Some(snapshot(seen.fetch_add(1, Ordering::Relaxed).min(moves)));
        let timeout = Duration::from_millis(20);
        runtime.block_on(while_it_moves(std::future::pending(), progress, timeout))
    }

    #[test]
    fn who_waits_gives_up_only_after_nothing_has_moved() {
        let began = Instant::now();
        let words = wait(0).unwrap_err().to_string();
        assert!(words.contains("https://example.com/a"), "{words}");
        assert!(wait(10).is_err());
        assert!(began.elapsed() >= Duration::from_millis(20 + 200));
    }
}
