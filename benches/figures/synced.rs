//! No publish of what is cached waits for the disk: strace counts.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::figure::{Figure, Unit};
use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::{Place, command};
use crate::spread::Spread;
use crate::worker::{Driver, Layout, runtime};

/// How many of each layout.
const COUNT: usize = 20;

/// Directories that are never there: to remove them is a mark in the trace.
const BEGIN: &str = "/publish-begins";
const END: &str = "/publish-ends";

pub(crate) fn run(place: &Place, origin: &Origin) -> Outcome<Vec<Figure>> {
    let (dir, trace) = (place.path("synced"), place.path("trace"));
    fs::create_dir(&dir)?;
    let traced = command("strace")
        .args(["--follow-forks", "--trace"])
        .arg("fsync,fdatasync,sync_file_range,syncfs,sync,msync,rmdir")
        .arg("--output")
        .arg(&trace)
        .arg(std::env::current_exe()?)
        .arg("worker-synced")
        .arg(&dir)
        .arg(format!(
            "{} {}",
            origin.small.sha256,
            origin.url(&origin.small)
        ))
        .stdout(Stdio::null())
        .output()
        .map_err(|e| format!("strace cannot be started: {e}; `make tools` installs it"))?;
    if !traced.status.success() {
        return Err(String::from_utf8_lossy(&traced.stderr).into_owned().into());
    }
    let trace = fs::read_to_string(trace)?;
    let (before, rest) = trace.split_once(BEGIN).ok_or("no begin in the trace")?;
    let (within, _) = rest.split_once(END).ok_or("no end in the trace")?;
    let count = |text: &str| text.lines().filter(|l| l.contains("sync")).count();
    if count(before) == 0 {
        return Err("strace saw no fsync of the download either".into());
    }
    say(format_args!(
        "{} of a download, {} of {} publishes after it",
        count(before),
        count(within),
        COUNT * Layout::ALL.len()
    ));
    place.remove("synced")?;
    place.remove("trace")?;
    let calls = Spread::of([count(within) as f64]);
    Ok(vec![Figure {
        unit: Unit::Calls,
        ..Figure::ratio("cached: fsync and its like in 60 publishes", calls).at_most(0.0)
    }])
}

/// In a process of its own.
pub(crate) fn work(dir: &Path, object: &str) -> Outcome {
    runtime()?.block_on(async {
        let driver = Driver::open(dir, 4)?;
        let seed = driver.want("seed", Layout::Bind, object)?;
        driver.publish(seed).await?;
        let mut wants = Vec::new();
        for layout in Layout::ALL {
            for n in 0..COUNT {
                let name = format!("{}-{n}", layout.argument());
                wants.push(driver.want(&name, layout, object)?);
            }
        }
        let _ = fs::remove_dir(BEGIN);
        for want in wants {
            driver.publish(want).await?;
        }
        let _ = fs::remove_dir(END);
        driver.volumes.close()?;
        Ok(())
    })
}
