//! A hundred pods want one artifact that nobody has, at once and with deadlines of all kinds: what the origin counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tonic::Code;

use crate::figure::{Figure, Unit};
use crate::kubelet::Kubelet;
use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::Place;
use crate::spread::Spread;
use crate::worker::{Layout, answer, runtime};

const PODS: usize = 100;

/// In the middle of the download.
const MIDDLE: u64 = 200_000_000;

/// What whoever waits is told, by the driver or because it was killed.
const AGAIN: [Code; 5] = [
    Code::Aborted,
    Code::Unavailable,
    Code::Unknown,
    Code::Cancelled,
    Code::DeadlineExceeded,
];

/// What a storm with a kill in its middle left on disk.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Storm {
    /// Bytes that the killed driver had; 0 where none was killed.
    kept: u64,
}

pub(crate) fn run(place: &Place, origin: &Origin) -> Outcome<Vec<Figure>> {
    let object = format!("{} {}", origin.large.sha256, origin.slow_url(&origin.large));
    let mut asked = Vec::new();
    for kill in [false, true] {
        let before = origin.answers()?;
        let round = place.fresh()?;
        let mut arguments = vec![
            "worker-storm".into(),
            round.dir.clone().into(),
            object.clone().into(),
        ];
        if kill {
            arguments.push("--kill".into());
        }
        let storm: Storm = answer(arguments)?;
        place.remove(&round.top)?;
        place.rest()?;
        let ranges: Vec<Option<u64>> = origin.ranges()?.split_off(before);
        say(format_args!(
            "{PODS} at once, killed with {} bytes: asked from {ranges:?}",
            storm.kept
        ));
        asked.push((storm, ranges));
    }
    let [(_, undisturbed), (storm, disturbed)] = asked.as_slice() else {
        return Err("two storms".into());
    };
    let whole = |ranges: &[Option<u64>]| ranges.iter().filter(|r| r.is_none()).count() as f64;
    // What was there and is asked for once more; everything is, by a GET without a range.
    let twice = disturbed
        .iter()
        .skip(1)
        .map(|r| storm.kept.saturating_sub(r.unwrap_or(0)));
    let calls = |what: &str, value: f64, limit: f64| Figure {
        unit: Unit::Calls,
        ..Figure::ratio(what, Spread::of([value])).at_most(limit)
    };
    Ok(vec![
        calls(
            "100 publishes at once of one artifact: requests to the origin",
            undisturbed.len() as f64,
            1.0,
        ),
        calls(
            "the same with a kill -9: GETs of all of it",
            whole(disturbed),
            1.0,
        ),
        calls(
            "the same with a kill -9: bytes asked for twice",
            twice.sum::<u64>() as f64,
            0.0,
        ),
    ])
}

/// In a process of its own.
pub(crate) fn work(dir: &Path, object: &str, kill: bool) -> Outcome {
    let (dir, object): (PathBuf, String) = (dir.to_owned(), object.to_owned());
    let storm = runtime()?.block_on(async { tokio::spawn(rage(dir, object, kill)).await })??;
    println!("{}", serde_json::to_string(&storm)?);
    Ok(())
}

async fn rage(dir: PathBuf, object: String, kill: bool) -> Outcome<Storm> {
    let kubelet = Arc::new(RwLock::new(Kubelet::start(&dir).await?));
    let mut pods = JoinSet::new();
    for n in 0..PODS {
        let want = kubelet
            .read()
            .await
            .want(&format!("pod-{n}"), Layout::Overlay, &object)?;
        let kubelet = Arc::clone(&kubelet);
        pods.spawn(async move {
            // From half a second to ten.
            let deadline = Duration::from_millis(500 + 96 * n as u64);
            match n {
                0 => {
                    // Hangs up, and does not come back.
                    let calls = kubelet.read().await;
                    let call = calls.publish(&want, deadline);
                    let _ = tokio::time::timeout(Duration::from_millis(300), call).await;
                    Outcome::Ok(())
                }
                1 => {
                    let calls = kubelet.read().await;
                    let _ = calls.publish(&want, Duration::from_millis(800)).await;
                    calls.unpublish(&want).await
                }
                _ => until_it_is_there(&kubelet, &want, deadline).await,
            }
        });
    }
    let mut kept = 0;
    if kill {
        while kubelet.read().await.downloaded() < MIDDLE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Those who wait are cut off by it; whoever asks again waits for the next driver.
        kubelet.read().await.kill()?;
        let mut kubelet = kubelet.write().await;
        kept = kubelet.downloaded();
        kubelet.restart().await?;
    }
    while let Some(pod) = pods.join_next().await {
        pod??;
    }
    Ok(Storm { kept })
}

/// Asks again as long as it is told to.
async fn until_it_is_there(
    kubelet: &RwLock<Kubelet>,
    want: &war_vol::csi::proto::NodePublishVolumeRequest,
    deadline: Duration,
) -> Outcome {
    loop {
        let Err(status) = kubelet.read().await.publish(want, deadline).await else {
            return Ok(());
        };
        if !AGAIN.contains(&status.code()) {
            return Err(format!("{:?}: {}", status.code(), status.message()).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
