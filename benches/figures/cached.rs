//! A publish of what is cached against its bare parts, 1,000 times, beside a download or without one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::bare::Bare;
use crate::figure::Figure;
use crate::origin::Origin;
use crate::outcome::{Error, Outcome, say};
use crate::place::Place;
use crate::rounds;
use crate::spread::{Spread, between, percentile};
use crate::worker::{Driver, Layout, runtime};

const COUNT: usize = 1000;

/// What a worker is asked for.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Asked {
    dir: PathBuf,
    #[arg(value_enum)]
    layout: Layout,
    /// SHA-256 and URL of what is cached
    object: String,
    /// SHA-256 and URL of what is downloaded meanwhile
    #[arg(long)]
    meanwhile: Option<String>,
}

/// How long each publish took, in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Samples {
    ours: Vec<f64>,
    bare: Vec<f64>,
    again: Vec<f64>,
}

/// Both figures of a layout, from a run in which the bare parts were as fast as themselves.
pub(crate) fn settled(
    place: &Place,
    origin: &Origin,
    layout: Layout,
    rounds: usize,
    meanwhile: Option<&str>,
) -> Outcome<Vec<Figure>> {
    rounds::settled(|| {
        let mut series = Vec::new();
        for n in 1..=rounds {
            let samples: Samples =
                rounds::round((place, origin), "worker-warm", layout, meanwhile)?;
            say(format_args!(
                "{}, round {n} of {rounds}: median {:.3} ms to {:.3} ms, p99 {:.2} ms to {:.2} ms",
                layout.name(),
                percentile(&samples.ours, 0.5),
                percentile(&samples.bare, 0.5),
                percentile(&samples.ours, 0.99),
                percentile(&samples.bare, 0.99),
            ));
            series.push(samples);
        }
        Ok(figures(&series, layout, meanwhile.is_some()))
    })
}

fn figures(series: &[Samples], layout: Layout, is_busy: bool) -> Vec<Figure> {
    let figure = |name: &str, share: f64| {
        let of = |samples: &[f64]| percentile(samples, share);
        let value = series
            .iter()
            .map(|s| of(&s.ours) / between(of(&s.bare), of(&s.again)));
        let same = series.iter().map(|s| of(&s.again) / of(&s.bare));
        let p99 = |whose: fn(&Samples) -> &[f64]| {
            Spread::of(series.iter().map(|s| percentile(whose(s), 0.99))).median
        };
        let when = if is_busy { " while 500 MB come" } else { "" };
        Figure {
            same: Some(Spread::of(same)),
            p99: Some((p99(|s| &s.ours), p99(|s| &s.bare))),
            ..Figure::ratio(
                format!("cached, {}{when}: {name} to bare parts", layout.name()),
                Spread::of(value),
            )
            .at_most(2.0)
        }
    };
    let p99 = figure("p99", 0.99);
    if is_busy {
        // The limit is the tail's; the median shows what the tail grows from.
        let median = Figure {
            limit: None,
            ..figure("median", 0.5)
        };
        return vec![median, p99];
    }
    vec![figure("median", 0.5), p99]
}

/// Who is measured.
#[derive(Clone, Copy, Debug)]
enum Who {
    Ours,
    Bare,
    Again,
}

/// In a process of its own.
pub(crate) fn work(asked: &Asked) -> Outcome {
    let asked = asked.clone();
    // On a worker of the runtime, as a server's calls are.
    let samples = runtime()?.block_on(async { tokio::spawn(publish(asked)).await })??;
    println!("{}", serde_json::to_string(&samples)?);
    Ok(())
}

async fn publish(asked: Asked) -> Outcome<Samples> {
    let driver = Arc::new(Driver::open(&asked.dir, 4)?);
    let seed = driver.want("seed", asked.layout, &asked.object)?;
    driver.publish(seed.clone()).await?;
    if std::fs::metadata(seed.target.path().join("artifact.bin"))?.len() == 0 {
        return Err("the volume is empty".into());
    }
    let (sha256, _) = asked.object.split_once(' ').unwrap_or_default();
    let blob = asked.dir.join("root/v1/blobs").join(sha256);
    let bare = Bare::new(asked.dir.join("bare"), blob, driver.features)?;
    let flying = Arc::new(AtomicBool::new(asked.meanwhile.is_none()));
    let measured = measure(&asked, &driver, &bare, &flying);
    let samples = match asked.meanwhile.clone() {
        None => measured.await?,
        Some(large) => {
            let downloads = download(Arc::clone(&driver), large, Arc::clone(&flying));
            tokio::select! {
                samples = measured => samples?,
                over = tokio::spawn(downloads) => return Err(over?),
            }
        }
    };
    driver.volumes.close()?;
    Ok(samples)
}

/// Takes turns, each time in another order; counts only what happens while `flying`.
async fn measure(
    asked: &Asked,
    driver: &Driver,
    bare: &Bare,
    flying: &AtomicBool,
) -> Outcome<Samples> {
    let mut samples = Samples::default();
    for n in 0.. {
        if samples.ours.len() >= COUNT {
            break;
        }
        let mut order = [Who::Bare, Who::Ours, Who::Again];
        order.rotate_left(n % 3);
        if n % 2 == 1 {
            order.reverse();
        }
        let want = driver.want(&format!("ours-{n}"), asked.layout, &asked.object)?;
        let names = [format!("bare-{n}"), format!("again-{n}")];
        for name in &names {
            bare.prepare(name)?;
        }
        let was_flying = flying.load(Ordering::Relaxed);
        let mut took = [0.0; 3];
        for who in order {
            let began = Instant::now();
            match who {
                Who::Ours => driver.publish(want.clone()).await?,
                Who::Bare => bare.publish(&names[0], asked.layout)?,
                Who::Again => bare.publish(&names[1], asked.layout)?,
            }
            took[who as usize] = began.elapsed().as_secs_f64() * 1e3;
        }
        if was_flying && flying.load(Ordering::Relaxed) {
            samples.ours.push(took[Who::Ours as usize]);
            samples.bare.push(took[Who::Bare as usize]);
            samples.again.push(took[Who::Again as usize]);
        }
    }
    Ok(samples)
}

/// Keeps a download in the air, one after the other; ends only with an error.
pub(crate) async fn download(driver: Arc<Driver>, large: String, flying: Arc<AtomicBool>) -> Error {
    for n in 0.. {
        // Another URL each time: what is cached under one is not downloaded.
        let published = async {
            let want = driver.want(&format!("large-{n}"), Layout::Bind, &format!("{large}?{n}"))?;
            flying.store(true, Ordering::Relaxed);
            driver.publish(want.clone()).await?;
            flying.store(false, Ordering::Relaxed);
            driver.volumes.unpublish(&want.volume, &want.target).await?;
            Outcome::Ok(())
        };
        if let Err(error) = published.await {
            return error;
        }
    }
    "no more downloads".into()
}
