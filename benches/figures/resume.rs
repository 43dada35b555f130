//! A download that was killed at 90 %: what the next one asks of the origin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::figure::Figure;
use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::{Place, command, sleep};
use crate::preflight::WAR_VOL;
use crate::spread::Spread;

const RUNS: usize = 3;

pub(crate) fn run(place: &Place, origin: &Origin) -> Outcome<Vec<Figure>> {
    let mut shares = Vec::new();
    for n in 1..=RUNS {
        fs::create_dir(place.path("resumed"))?;
        shares.push(once(place, origin, n)?);
        place.remove("resumed")?;
        place.rest()?;
    }
    let value = Spread::of(shares);
    Ok(vec![
        Figure::ratio(
            "resumed after kill -9 at 90 %: bytes to a fresh download's",
            value,
        )
        .at_most(0.2),
    ])
}

/// The share of the object that came the second time.
fn once(place: &Place, origin: &Origin, n: usize) -> Outcome<f64> {
    let root = place.path("resumed/root");
    let mut child = mount(place, origin).stderr(Stdio::null()).spawn()?;
    let began = Instant::now();
    let enough = origin.large.size / 10 * 9;
    loop {
        let there = downloaded(&root)
            .and_then(|file| fs::metadata(file).ok())
            .map_or(0, |meta| meta.len());
        if there >= enough {
            break;
        }
        if let Some(status) = child.try_wait()? {
            return Err(format!("the download was over before it was killed: {status}").into());
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill()?;
            child.wait()?;
            return Err("the download takes more than a minute".into());
        }
        sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait()?;
    let kept = downloaded(&root)
        .and_then(|file| fs::metadata(file).ok())
        .ok_or("the download was over before it was killed")?
        .len();
    // Each run has two answers: one that was broken off, and the rest.
    let before: u64 = origin.sent(2 * n - 1)?.iter().sum();
    let output = mount(place, origin).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let shown = fs::read(place.path("resumed/shown/large.bin"))?;
    if shown != fs::read(&origin.large.file)? {
        return Err("what was resumed is not what is served".into());
    }
    let came = origin.sent(2 * n)?.iter().sum::<u64>() - before;
    say(format_args!(
        "resumed, {n} of {RUNS}: killed with {} MB, then {} MB came",
        kept / 1_000_000,
        came / 1_000_000
    ));
    Ok(came as f64 / origin.large.size as f64)
}

fn mount(place: &Place, origin: &Origin) -> Command {
    let mut mount = command(WAR_VOL);
    mount
        .args(["mount", &origin.slow_url(&origin.large)])
        .arg(place.path("resumed/shown"))
        .args(["--checksum", &format!("sha256:{}", origin.large.sha256)])
        .args(["--keep-free", "0", "--root"])
        .arg(place.path("resumed/root"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    mount
}

/// The file that the download grows in.
fn downloaded(root: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(root.join("v1/partial")).ok()?;
    Some(entries.next()?.ok()?.path().join("data"))
}
