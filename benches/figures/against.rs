//! Another build of the program beside this one: `make bench AGAINST=PATH`.
//!
//! This one runs twice in each round. Where it is slower than the other one by more than it differs from itself, plus
//! three in a hundred, it has become slower.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::cold;
use crate::figure::Figure;
use crate::kubelet::{DEADLINE, Kubelet};
use crate::measured::{self, Used};
use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::Place;
use crate::preflight::WAR_VOL;
use crate::rounds;
use crate::spread::{Spread, between, percentile};
use crate::worker::{Layout, answer, runtime};

const COUNT: usize = 300;

/// How much slower than the other one it may be, beyond what it differs from itself.
const SLOWER: f64 = 1.03;

/// Who is measured: this build, the other one, this one again.
const WHO: usize = 3;

pub(crate) fn run(
    place: &Place,
    origin: &Origin,
    other: &Path,
    rounds: usize,
) -> Outcome<Vec<Figure>> {
    let other = fs::canonicalize(other)?;
    let mut all = rounds::settled(|| mounts(place, origin, &other, rounds))?;
    for layout in Layout::ALL {
        all.extend(rounds::settled(|| {
            calls(place, origin, &other, layout, rounds)
        })?);
    }
    Ok(all)
}

fn figure(what: String, series: &[[f64; WHO]]) -> Figure {
    let ratio = |of: fn(&[f64; WHO]) -> f64| Spread::of(series.iter().map(of));
    let same = ratio(|[ours, _, again]| again / ours);
    Figure {
        same: Some(same),
        ..Figure::ratio(
            what,
            ratio(|[ours, other, again]| between(*ours, *again) / other),
        )
    }
    .at_most(SLOWER * same.median.max(1.0))
}

/// The order of a round: everybody is once in each place.
fn order(n: usize) -> [usize; WHO] {
    let mut order = [0, 1, 2];
    order.rotate_left(n % WHO);
    if n % 2 == 1 {
        order.reverse();
    }
    order
}

/// 500 MB that nobody here has.
fn mounts(place: &Place, origin: &Origin, other: &Path, rounds: usize) -> Outcome<Vec<Figure>> {
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for n in 0..rounds {
        let mut used: [Option<Used>; WHO] = [None; WHO];
        for who in order(n) {
            let program = [Path::new(WAR_VOL), other, Path::new(WAR_VOL)][who];
            origin.warm(&origin.large)?;
            fs::create_dir(place.path(cold::OUT))?;
            used[who] = Some(measured::run(None, &cold::mount(program, place, origin))?);
            place.remove(cold::OUT)?;
            place.rest()?;
        }
        let used = used.map(Option::unwrap_or_default);
        let seconds = used.map(|used| used.wall);
        say(format_args!(
            "500 MB, round {} of {rounds}: {:.2} s, the other {:.2} s, again {:.2} s",
            n + 1,
            seconds[0],
            seconds[1],
            seconds[2]
        ));
        wall.push(seconds);
        cpu.push(used.map(|used| used.cpu));
    }
    Ok(vec![
        figure("500 MB, mount to the other's".to_owned(), &wall),
        figure("500 MB, CPU of mount to the other's".to_owned(), &cpu),
    ])
}

/// What a worker is asked for.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Asked {
    dir: PathBuf,
    #[arg(value_enum)]
    layout: Layout,
    /// SHA-256 and URL of what is cached
    object: String,
    /// The other build
    other: PathBuf,
}

/// Medians in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Medians {
    publish: [f64; WHO],
    republish: [f64; WHO],
}

/// A cached artifact over gRPC, and what asking again costs.
fn calls(
    place: &Place,
    origin: &Origin,
    other: &Path,
    layout: Layout,
    rounds: usize,
) -> Outcome<Vec<Figure>> {
    let (mut publish, mut republish) = (Vec::new(), Vec::new());
    for n in 1..=rounds {
        let round = place.blank()?;
        let arguments: Vec<OsString> = vec![
            "worker-against".into(),
            round.dir.clone().into(),
            layout.argument().into(),
            format!("{} {}", origin.small.sha256, origin.url(&origin.small)).into(),
            other.into(),
        ];
        let medians: Medians = answer(arguments)?;
        place.remove(&round.top)?;
        place.go_on()?;
        say(format_args!(
            "over gRPC, {}, round {n} of {rounds}: {:.3} ms, the other {:.3} ms, again {:.3} ms",
            layout.name(),
            medians.publish[0],
            medians.publish[1],
            medians.publish[2]
        ));
        publish.push(medians.publish);
        republish.push(medians.republish);
    }
    let name = layout.name();
    Ok(vec![
        figure(
            format!("over gRPC, {name}: publish to the other's"),
            &publish,
        ),
        figure(
            format!("over gRPC, {name}: republish to the other's"),
            &republish,
        ),
    ])
}

/// In a process of its own.
pub(crate) fn work(asked: &Asked) -> Outcome {
    let asked = asked.clone();
    let medians = runtime()?.block_on(async { tokio::spawn(call(asked)).await })??;
    println!("{}", serde_json::to_string(&medians)?);
    Ok(())
}

async fn call(asked: Asked) -> Outcome<Medians> {
    let programs = [Path::new(WAR_VOL), &asked.other, Path::new(WAR_VOL)];
    let mut kubelets = Vec::new();
    for (who, program) in programs.into_iter().enumerate() {
        let dir = asked.dir.join(who.to_string());
        kubelets.push(Kubelet::of(&dir, program).await?);
    }
    let mut seeds = Vec::new();
    for kubelet in &kubelets {
        let seed = kubelet.want("seed", asked.layout, &asked.object)?;
        kubelet.publish(&seed, DEADLINE).await?;
        seeds.push(seed);
    }
    let mut publish: [Vec<f64>; WHO] = Default::default();
    let mut republish: [Vec<f64>; WHO] = Default::default();
    for n in 0..COUNT {
        for who in order(n) {
            let kubelet = &kubelets[who];
            let want = kubelet.want(&format!("pod-{n}"), asked.layout, &asked.object)?;
            let began = Instant::now();
            kubelet.publish(&want, DEADLINE).await?;
            publish[who].push(began.elapsed().as_secs_f64() * 1e3);
            let began = Instant::now();
            kubelet.publish(&seeds[who], DEADLINE).await?;
            republish[who].push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(Medians {
        publish: publish.map(|all| percentile(&all, 0.5)),
        republish: republish.map(|all| percentile(&all, 0.5)),
    })
}
