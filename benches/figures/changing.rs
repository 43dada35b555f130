//! What a mounted volume shows changes to another cached artifact of 1 GB, against a call that does nothing plus one link
//! and one rename; and what asking a volume again costs whose content may change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use war_vol::csi::proto::NodePublishVolumeRequest;

use crate::figure::Figure;
use crate::kubelet::{DEADLINE, Kubelet};
use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::Place;
use crate::rounds;
use crate::spread::{Spread, between, percentile};
use crate::worker::{Layout, answer, runtime};

/// Changes in a round. The times of a file's versions are a second apart, so each has to wait for that.
const COUNT: usize = 10;

/// So long after a change the next one need not wait.
const PAUSE: Duration = Duration::from_millis(1100);

/// How long it is between two looks at what is shown.
const LOOK: Duration = Duration::from_micros(20);

/// How often the volume is asked again beside each change.
const AGAIN: usize = 20;

const SIZE: u64 = 1_000_000_000;

/// What a worker is asked for.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Asked {
    dir: PathBuf,
    /// Where the origin is
    origin: String,
    /// SHA-256 and name of what is shown in turn
    #[arg(num_args = 2)]
    objects: Vec<String>,
}

/// How long each took, in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Samples {
    change: Vec<f64>,
    bare: [Vec<f64>; 2],
    republish: Vec<f64>,
    empty: [Vec<f64>; 2],
}

pub(crate) fn run(place: &Place, origin: &Origin, rounds: usize) -> Outcome<Vec<Figure>> {
    let made = [origin.make("one.bin", SIZE)?, origin.make("two.bin", SIZE)?];
    let url = origin.url(&made[0]);
    let server = url.strip_suffix("/one.bin").unwrap_or(&url).to_owned();
    rounds::settled(|| {
        let mut series: Vec<Samples> = Vec::new();
        for n in 1..=rounds {
            let round = place.fresh()?;
            let mut arguments = vec![
                "worker-changing".into(),
                round.dir.clone().into(),
                server.clone().into(),
            ];
            arguments.extend(
                made.iter()
                    .map(|o| format!("{} {}", o.sha256, o.name).into()),
            );
            let samples: Samples = answer(arguments)?;
            place.remove(&round.top)?;
            place.rest()?;
            say(format_args!(
                "a change, round {n} of {rounds}: median {:.3} ms to {:.3} ms, again {:.3} ms to {:.3} ms",
                percentile(&samples.change, 0.5),
                percentile(&samples.bare[0], 0.5),
                percentile(&samples.republish, 0.5),
                percentile(&samples.empty[0], 0.5),
            ));
            series.push(samples);
        }
        Ok(vec![
            figure(
                &series,
                "a change of 1 GB to empty call + link + rename",
                |s| (&s.change, &s.bare),
            )
            .at_most(2.0),
            figure(
                &series,
                "republish of what may change, to empty call",
                |s| (&s.republish, &s.empty),
            )
            .at_most(1.3),
        ])
    })
}

fn figure(
    series: &[Samples],
    what: &str,
    of: impl Fn(&Samples) -> (&Vec<f64>, &[Vec<f64>; 2]),
) -> Figure {
    let median = |all: &[f64]| percentile(all, 0.5);
    let value = series.iter().map(|samples| {
        let (ours, [one, two]) = of(samples);
        median(ours) / between(median(one), median(two))
    });
    let same = series.iter().map(|samples| {
        let (_, [one, two]) = of(samples);
        median(two) / median(one)
    });
    Figure {
        same: Some(Spread::of(same)),
        ..Figure::ratio(
            format!("over gRPC, read-only bind: {what}"),
            Spread::of(value),
        )
    }
}

/// In a process of its own.
pub(crate) fn work(asked: &Asked) -> Outcome {
    let asked = asked.clone();
    let samples = runtime()?.block_on(async { tokio::spawn(change(asked)).await })??;
    println!("{}", serde_json::to_string(&samples)?);
    Ok(())
}

async fn change(asked: Asked) -> Outcome<Samples> {
    let kubelet = Kubelet::start(&asked.dir).await?;
    let object = |n: usize| asked.objects[n % 2].split_once(' ').unwrap_or_default();
    // Whoever shows the other one has it in the cache, and leaves.
    for n in [1, 0] {
        let want = wanted(&kubelet, &asked, "first", object(n))?;
        kubelet.publish(&want, DEADLINE).await?;
        kubelet.unpublish(&want).await?;
    }
    let want = wanted(&kubelet, &asked, "seed", object(0))?;
    kubelet.publish(&want, DEADLINE).await?;
    let shown = Path::new(&want.target_path).join("artifact.bin");
    let blobs = asked.dir.join("root/v1/blobs");
    let bare = Bare::new(asked.dir.join("bare"))?;
    let mut samples = Samples::default();
    for n in 1..=COUNT {
        tokio::time::sleep(PAUSE).await;
        let want = wanted(&kubelet, &asked, "seed", object(n))?;
        let before = fs::metadata(&shown)?.ino();
        let began = Instant::now();
        kubelet.publish(&want, DEADLINE).await?;
        while fs::metadata(&shown)?.ino() == before {
            if began.elapsed() > DEADLINE {
                return Err("the content does not change".into());
            }
            // Not in a loop without a pause: it would take a processor from whoever makes the change.
            pause();
        }
        samples.change.push(passed(began));
        // What comes first after a pause is slower.
        for who in [n % 2, (n + 1) % 2] {
            let began = Instant::now();
            kubelet.empty().await?;
            bare.change(&blobs.join(object(n).0), who)?;
            samples.bare[who].push(passed(began));
        }
        for _ in 0..AGAIN {
            let began = Instant::now();
            kubelet.publish(&want, DEADLINE).await?;
            samples.republish.push(passed(began));
            for who in &mut samples.empty {
                let began = Instant::now();
                kubelet.empty().await?;
                who.push(passed(began));
            }
        }
    }
    Ok(samples)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the runtime's timer counts milliseconds, and nobody else needs this thread"
)]
fn pause() {
    std::thread::sleep(LOOK);
}

fn passed(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// A volume whose content is what a Secret says.
fn wanted(
    kubelet: &Kubelet,
    asked: &Asked,
    name: &str,
    (sha256, object): (&str, &str),
) -> Outcome<NodePublishVolumeRequest> {
    let url = format!("{}/${{secret['name']}}", asked.origin);
    let mut want = kubelet.want(name, Layout::Bind, &format!("{sha256} {url}"))?;
    let context = [
        ("checksum", "sha256:${secret['sum']}"),
        ("settle", "0s"),
        ("spread", "0s"),
    ];
    for (key, value) in context {
        want.volume_context.insert(key.to_owned(), value.to_owned());
    }
    for (key, value) in [("name", object), ("sum", sha256)] {
        want.secrets.insert(key.to_owned(), value.to_owned());
    }
    Ok(want)
}

/// What a change cannot do without.
struct Bare(PathBuf);

impl Bare {
    fn new(dir: PathBuf) -> Outcome<Self> {
        fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    /// Of two that show the same, each with a file of its own.
    fn change(&self, blob: &Path, who: usize) -> Outcome {
        let new = self.0.join("new");
        fs::hard_link(blob, &new)?;
        Ok(fs::rename(
            &new,
            self.0.join(format!("artifact-{who}.bin")),
        )?)
    }
}
