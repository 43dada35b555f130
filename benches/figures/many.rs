//! 40 downloads at once: what they take together.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::figure::{Figure, Unit};
use crate::measured;
use crate::origin::{Object, Origin};
use crate::outcome::{Outcome, say};
use crate::place::Place;
use crate::spread::Spread;
use crate::worker::{Driver, Layout, runtime};

const COUNT: usize = 40;
const SIZE: u64 = 25_000_000;
const RUNS: usize = 5;

pub(crate) fn run(place: &Place, origin: &Origin) -> Outcome<Vec<Figure>> {
    say(format_args!("making {COUNT} objects"));
    let objects = (0..COUNT)
        .map(|n| origin.make(&format!("many/{n}.bin"), SIZE))
        .collect::<Outcome<Vec<_>>>()?;
    let fast = objects.iter().map(|o| (o, origin.url(o))).collect();
    let slow = objects.iter().map(|o| (o, origin.distant_url(o))).collect();
    let figures = vec![
        figure(place, "as fast as they come", fast)?,
        figure(place, "of 5 MB/s each", slow)?,
    ];
    place.remove("origin/files/many")?;
    place.rest()?;
    Ok(figures)
}

fn figure(place: &Place, how: &str, objects: Vec<(&Object, String)>) -> Outcome<Figure> {
    let mut program: Vec<OsString> = vec![
        std::env::current_exe()?.into(),
        "worker-many".into(),
        place.path("many").into(),
    ];
    program.extend(
        objects
            .iter()
            .map(|(object, url)| format!("{} {url}", object.sha256).into()),
    );
    let mut all = Vec::new();
    for n in 1..=RUNS {
        std::fs::create_dir(place.path("many"))?;
        let used = measured::run(None, &program)?;
        place.remove("many")?;
        place.rest()?;
        say(format_args!(
            "{COUNT} at once, {how}, {n} of {RUNS}: {:.1} s, {:.1} MiB",
            used.wall, used.peak
        ));
        all.push(used);
    }
    let peak = Spread::of(all.iter().map(|used| used.peak));
    Ok(Figure {
        unit: Unit::MiB,
        cpu: Some(Spread::of(all.iter().map(|used| used.cpu)).median),
        memory: Some(peak.greatest),
        ..Figure::ratio(
            format!("{COUNT} downloads of 25 MB at once, {how}: peak memory"),
            peak,
        )
        .at_most(32.0)
    })
}

/// In a process of its own.
pub(crate) fn work(dir: &Path, objects: &[String]) -> Outcome {
    runtime()?.block_on(async {
        let driver = Arc::new(Driver::open(dir, objects.len())?);
        let mut tasks = JoinSet::new();
        for (n, object) in objects.iter().enumerate() {
            let want = driver.want(&format!("volume-{n}"), Layout::Bind, object)?;
            let driver = Arc::clone(&driver);
            tasks.spawn(async move { driver.publish(want).await });
        }
        while let Some(published) = tasks.join_next().await {
            published??;
        }
        Ok(())
    })
}
