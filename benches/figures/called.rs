//! A cached artifact into 1,000 volumes, asked for over gRPC as kubelet does, against a call that does nothing plus the
//! bare parts of a publish; and what asking again costs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use war_vol::mount::{Features, Linux};

use crate::bare::Bare;
use crate::figure::Figure;
use crate::kubelet::{DEADLINE, Kubelet};
use crate::origin::Origin;
use crate::outcome::{Error, Outcome, say};
use crate::place::Place;
use crate::rounds;
use crate::spread::{Spread, between, percentile};
use crate::worker::{Layout, runtime};

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

/// Who is measured.
#[derive(Clone, Copy, Debug)]
enum Who {
    Ours,
    /// A call that does nothing, and the bare parts.
    Bare,
    BareAgain,
    Republish,
    /// A call that does nothing.
    Empty,
    EmptyAgain,
}

const ALL: [Who; 6] = [
    Who::Ours,
    Who::Bare,
    Who::BareAgain,
    Who::Republish,
    Who::Empty,
    Who::EmptyAgain,
];

/// How long each took, in milliseconds, by [`Who`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Samples([Vec<f64>; 6]);

impl Samples {
    fn of(&self, who: Who, share: f64) -> f64 {
        percentile(&self.0[who as usize], share)
    }
}

pub(crate) fn run(place: &Place, origin: &Origin, rounds: usize) -> Outcome<Vec<Figure>> {
    let mut all = Vec::new();
    for layout in [Layout::Bind, Layout::ReadOnly] {
        all.extend(settled(place, origin, layout, rounds, None)?);
    }
    Ok(all)
}

/// The same while 500 MB come in, by the same driver.
pub(crate) fn run_busy(place: &Place, origin: &Origin, rounds: usize) -> Outcome<Vec<Figure>> {
    let large = format!("{} {}", origin.large.sha256, origin.url(&origin.large));
    settled(place, origin, Layout::Bind, rounds, Some(&large))
}

fn settled(
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
                rounds::round((place, origin), "worker-called", layout, meanwhile)?;
            say(format_args!(
                "over gRPC, {}, round {n} of {rounds}: median {:.3} ms to {:.3} ms, again {:.3} ms to {:.3} ms",
                layout.name(),
                samples.of(Who::Ours, 0.5),
                samples.of(Who::Bare, 0.5),
                samples.of(Who::Republish, 0.5),
                samples.of(Who::Empty, 0.5),
            ));
            series.push(samples);
        }
        Ok(figures(&series, layout, meanwhile.is_some()))
    })
}

fn figures(series: &[Samples], layout: Layout, is_busy: bool) -> Vec<Figure> {
    let figure = |what: &str, share: f64, (ours, peer, again): (Who, Who, Who)| {
        let value = series
            .iter()
            .map(|s| s.of(ours, share) / between(s.of(peer, share), s.of(again, share)));
        let same = series
            .iter()
            .map(|s| s.of(again, share) / s.of(peer, share));
        let p99 = |who| Spread::of(series.iter().map(|s| s.of(who, 0.99))).median;
        let when = if is_busy { " while 500 MB come" } else { "" };
        Figure {
            same: Some(Spread::of(same)),
            p99: Some((p99(ours), p99(peer))),
            ..Figure::ratio(
                format!("over gRPC, {}{when}: {what}", layout.name()),
                Spread::of(value),
            )
        }
    };
    let publish = (Who::Ours, Who::Bare, Who::BareAgain);
    let again = (Who::Republish, Who::Empty, Who::EmptyAgain);
    let median = figure("median to empty call + bare parts", 0.5, publish);
    let p99 = figure("p99 to empty call + bare parts", 0.99, publish).at_most(2.0);
    if is_busy {
        return vec![median, p99];
    }
    let republish = figure("republish, median to empty call", 0.5, again).at_most(1.3);
    vec![median.at_most(1.4), p99, republish]
}

/// In a process of its own.
pub(crate) fn work(asked: &Asked) -> Outcome {
    let asked = asked.clone();
    let samples = runtime()?.block_on(async { tokio::spawn(call(asked)).await })??;
    println!("{}", serde_json::to_string(&samples)?);
    Ok(())
}

async fn call(asked: Asked) -> Outcome<Samples> {
    let kubelet = Arc::new(Kubelet::start(&asked.dir).await?);
    let seed = kubelet.want("seed", asked.layout, &asked.object)?;
    kubelet.publish(&seed, DEADLINE).await?;
    let (sha256, _) = asked.object.split_once(' ').unwrap_or_default();
    let blob = asked.dir.join("root/v1/blobs").join(sha256);
    let bare = Bare::new(asked.dir.join("bare"), blob, features(&asked)?)?;
    let flying = Arc::new(AtomicBool::new(asked.meanwhile.is_none()));
    let measured = measure(&asked, &kubelet, &bare, &flying);
    match asked.meanwhile.clone() {
        None => measured.await,
        Some(large) => {
            let downloads = download(Arc::clone(&kubelet), large, Arc::clone(&flying));
            tokio::select! {
                samples = measured => samples,
                over = tokio::spawn(downloads) => Err(over?),
            }
        }
    }
}

fn features(asked: &Asked) -> Outcome<Features> {
    let scratch = asked.dir.join("tried");
    std::fs::create_dir(&scratch)?;
    Ok(Linux::new(&scratch)?.features())
}

/// Keeps a download in the air, one after the other; ends only with an error.
async fn download(kubelet: Arc<Kubelet>, large: String, flying: Arc<AtomicBool>) -> Error {
    for n in 0.. {
        let published = async {
            // Another URL each time: what is cached under one is not downloaded.
            let want =
                kubelet.want(&format!("large-{n}"), Layout::Bind, &format!("{large}?{n}"))?;
            flying.store(true, Ordering::Relaxed);
            kubelet.publish(&want, DEADLINE).await?;
            flying.store(false, Ordering::Relaxed);
            kubelet.unpublish(&want).await
        };
        if let Err(error) = published.await {
            return error;
        }
    }
    "no more downloads".into()
}

/// Takes turns, each time in another order; counts only what happens while `flying`.
async fn measure(
    asked: &Asked,
    kubelet: &Kubelet,
    bare: &Bare,
    flying: &AtomicBool,
) -> Outcome<Samples> {
    let mut samples = Samples::default();
    let seed = kubelet.want("seed", asked.layout, &asked.object)?;
    for n in 0.. {
        if samples.0[0].len() >= COUNT {
            break;
        }
        let mut order = ALL;
        order.rotate_left(n % ALL.len());
        if n % 2 == 1 {
            order.reverse();
        }
        let want = kubelet.want(&format!("ours-{n}"), asked.layout, &asked.object)?;
        let names = [format!("bare-{n}"), format!("again-{n}")];
        for name in &names {
            bare.prepare(name)?;
        }
        let was_flying = flying.load(Ordering::Relaxed);
        let mut took = [0.0; ALL.len()];
        for who in order {
            let began = Instant::now();
            match who {
                Who::Ours => kubelet.publish(&want, DEADLINE).await?,
                Who::Bare => {
                    kubelet.empty().await?;
                    bare.publish(&names[0], asked.layout)?;
                }
                Who::BareAgain => {
                    kubelet.empty().await?;
                    bare.publish(&names[1], asked.layout)?;
                }
                Who::Republish => kubelet.publish(&seed, DEADLINE).await?,
                Who::Empty | Who::EmptyAgain => kubelet.empty().await?,
            }
            took[who as usize] = began.elapsed().as_secs_f64() * 1e3;
        }
        if was_flying && flying.load(Ordering::Relaxed) {
            for (all, one) in samples.0.iter_mut().zip(took) {
                all.push(one);
            }
        }
    }
    Ok(samples)
}
