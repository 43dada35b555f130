//! What a driver takes that has nothing to do: with no volume, and with 1,000.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::figure::{Figure, Unit};
use crate::kubelet::{DEADLINE, Kubelet};
use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::Place;
use crate::spread::Spread;
use crate::worker::{Layout, answer, runtime};

const RUNS: usize = 3;
const VOLUMES: usize = 1000;

/// Over how long the processor is watched.
const WATCHED: Duration = Duration::from_secs(30);

/// What one driver took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Took {
    /// MiB with no volume.
    idle: f64,
    /// MiB with all volumes.
    full: f64,
    /// Per cent of a core, with all volumes.
    cpu: f64,
}

pub(crate) fn run(place: &Place, origin: &Origin) -> Outcome<Vec<Figure>> {
    let mut all = Vec::new();
    for n in 1..=RUNS {
        let round = place.blank()?;
        let object = format!("{} {}", origin.small.sha256, origin.url(&origin.small));
        let took: Took = answer(vec![
            "worker-idle".into(),
            round.dir.clone().into(),
            object.into(),
        ])?;
        place.remove(&round.top)?;
        place.go_on()?;
        say(format_args!(
            "idle, {n} of {RUNS}: {:.1} MiB, with {VOLUMES} volumes {:.1} MiB and {:.3} % of a core",
            took.idle, took.full, took.cpu
        ));
        all.push(took);
    }
    let figure = |what: &str, unit, value: fn(&Took) -> f64, limit| Figure {
        unit,
        ..Figure::ratio(what, Spread::of(all.iter().map(value))).at_most(limit)
    };
    Ok(vec![
        figure("idle driver: resident memory", Unit::MiB, |t| t.idle, 20.0),
        figure(
            "with 1,000 volumes: resident memory",
            Unit::MiB,
            |t| t.full,
            40.0,
        ),
        figure(
            "with 1,000 volumes, idle: share of a core",
            Unit::Percent,
            |t| t.cpu,
            0.1,
        ),
    ])
}

/// In a process of its own.
pub(crate) fn work(dir: &Path, object: &str) -> Outcome {
    let (dir, object): (PathBuf, String) = (dir.to_owned(), object.to_owned());
    let took = runtime()?.block_on(async { tokio::spawn(watch(dir, object)).await })??;
    println!("{}", serde_json::to_string(&took)?);
    Ok(())
}

async fn watch(dir: PathBuf, object: String) -> Outcome<Took> {
    let kubelet = Kubelet::start(&dir).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = kubelet.memory()?;
    for n in 0..VOLUMES {
        let layout = Layout::ALL[n % Layout::ALL.len()];
        let want = kubelet.want(&format!("volume-{n}"), layout, &object)?;
        kubelet.publish(&want, DEADLINE).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let full = kubelet.memory()?;
    let (before, began) = (kubelet.cpu()?, Instant::now());
    tokio::time::sleep(WATCHED).await;
    let cpu = (kubelet.cpu()? - before) / began.elapsed().as_secs_f64() * 100.0;
    Ok(Took { idle, full, cpu })
}
