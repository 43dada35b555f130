//! A program run to its end: how long, how much of the processor, how much memory.
//!
//! It is started by a small process of its own, whose only child it is, so that what the kernel says of "the
//! children" is said of it alone, with its own children and threads in it.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::place::command;

/// What a program used.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Used {
    /// Seconds by the clock.
    pub(crate) wall: f64,
    /// Seconds of processors, in the program and in the kernel for it.
    pub(crate) cpu: f64,
    /// The most memory that it had at once, in MiB.
    pub(crate) peak: f64,
}

/// Runs a program, on one core if that is said; an error if it fails.
pub(crate) fn run(core: Option<usize>, program: &[OsString]) -> Outcome<Used> {
    let mut measured = command(std::env::current_exe()?);
    measured.arg("worker-measured");
    if let Some(core) = core {
        measured.arg("--core").arg(core.to_string());
    }
    let output = measured
        .arg("--")
        .args(program)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program:?} failed:\n{words}").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The small process.
pub(crate) fn wrap(core: Option<usize>, program: &[OsString]) -> Outcome {
    pin(core)?;
    let (name, arguments) = program.split_first().ok_or("no program")?;
    let mut program = std::process::Command::new(name);
    program.args(arguments).stdout(Stdio::null());
    let began = Instant::now();
    let status = program.status()?;
    let wall = began.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{name:?} ended with {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let used = Used {
        wall,
        cpu: cpu(&usage).as_secs_f64(),
        peak: usage.max_rss() as f64 / 1024.0,
    };
    println!("{}", serde_json::to_string(&used)?);
    Ok(())
}

/// Keeps this process, and what it starts, on one core.
pub(crate) fn pin(core: Option<usize>) -> Outcome {
    if let Some(core) = core {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set)?;
    }
    Ok(())
}

/// Processor time so far.
pub(crate) fn cpu(usage: &Usage) -> Duration {
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
