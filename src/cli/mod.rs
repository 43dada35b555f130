//! The command line: data on stdout, words on stderr, an exit code for programs.
//!
//! Left out on purpose: any knowledge of how a thing is done; each command is a few calls of [`crate::app`].

mod args;
mod cache;
mod exit;
mod fetch;
mod flexvolume;
mod list;
mod policy;
mod policy_args;
mod progress;
mod serve;
mod usage;
mod voice;
mod volumes;

use std::ffi::OsString;
use std::process::ExitCode;

use serde_json::json;

use self::args::{Cli, Command, Mount, Unmount};
use self::policy_args::PolicyAction;
use self::voice::{Report, Voice};
use crate::app::{self, Error, VolumeAccess};
use crate::artifact::Bytes;
use crate::telemetry;

/// How long an interrupted command may take to remove what it has half done.
const TAKE_BACK: std::time::Duration = std::time::Duration::from_secs(1);

/// What can be typed: for whoever documents it, or checks a document.
pub fn grammar() -> clap::Command {
    Cli::grammar()
}

/// Parses the arguments, runs the command, prints what it has to say.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(home) = crate::flexvolume::Home::own() {
        return flexvolume::run_by_kubelet(&home, arguments.get(1..).unwrap_or_default());
    }
    let cli = match Cli::typed(arguments.clone()) {
        Ok(cli) => cli,
        Err(e) => return usage::end(&e, &arguments),
    };
    let voice = Voice::of(&cli);
    if let Err(why) = telemetry::start(cli.log_format, &cli.level()) {
        return voice.say(Err(Error::Setting(why)));
    }
    let runtime = match runtime(&cli.command) {
        Ok(runtime) => runtime,
        Err(e) => return voice.say(Err(Error::Setting(format!("cannot start: {e}")))),
    };
    let typed = cli.command;
    if let Command::Serve(args) = &typed {
        // Its own end of signals: what runs is brought to an end in order.
        let report = runtime.block_on(serve::run(args));
        runtime.shutdown_background();
        return voice.say(report);
    }
    let ended = runtime.block_on(async {
        // A task of its own: what blocks (another's lock, a long verification) must not keep a signal from us.
        let mut work = tokio::spawn(async move { command(&typed, voice).await });
        tokio::select! {
            report = &mut work => Some(report.unwrap_or_else(|e| Err(Error::Bug(e.to_string())))),
            () = interrupted() => {
                work.abort();
                // It takes back what is half done, unless it blocks.
                let _ = tokio::time::timeout(TAKE_BACK, work).await;
                None
            }
        }
    });
    // What still runs is a download that the next command takes up where it stands.
    runtime.shutdown_background();
    match ended {
        Some(report) => voice.say(report),
        None => {
            voice.remark(
                "interrupted; nothing is left half done, and the next command resumes a download into the store",
            );
            ExitCode::from(exit::INTERRUPTED)
        }
    }
}

/// A download without a store stays on the main thread, as one into a store stays on a thread of its own: it is not moved
/// between threads from one chunk to the next, and its calls have a fixed order that a test can kill one by one. Of
/// kubelet's calls many may wait at a time, each a process.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    use tokio::runtime::Builder;
    if matches!(command, Command::Fetch(_) | Command::Flexvolume(_)) {
        return Builder::new_current_thread().enable_all().build();
    }
    Builder::new_multi_thread()
        .worker_threads(app::WORKERS)
        .max_blocking_threads(app::THREADS)
        .enable_all()
        .build()
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        (Ok(mut int), Ok(mut term)) => tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        },
        // Without handlers the signals end the process by themselves.
        _ => std::future::pending().await,
    }
}

async fn command(command: &Command, voice: Voice) -> Result<Report, Error> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Fetch(args) => fetch::run(args, voice).await,
        Command::Mount(args) => mount(args, voice).await,
        Command::Unmount(args) => unmount(args, voice).await,
        Command::Cache(action) => cache::run(action, voice).await,
        Command::Flexvolume(args) => flexvolume::run(args).await,
        Command::Volumes(storing) => volumes::run(storing, voice).await,
        Command::Policy(PolicyAction::Check(args)) => policy::run(args),
    }
}

async fn mount(args: &Mount, voice: Voice) -> Result<Report, Error> {
    needs_root("mount", "mounts a file system and keeps its cache private")?;
    if args.read_only && args.layout.as_deref() == Some("copy") {
        return Err(Error::Setting(
            "--layout copy makes a writable copy, which --read-only forbids; drop one of the two"
                .to_owned(),
        ));
    }
    let access = VolumeAccess::open(
        &args.storing,
        (&args.downloading, &args.secrets),
        voice.says_it_waits(),
    )
    .await?;
    if !access.heeds_settings() && !args.typed.is_empty() {
        voice.remark(&format!(
            "the driver uses its own settings and ignores {}",
            args.typed.join(", ")
        ));
    }
    let work = access.mount(args.attributes(), &args.dir, args.read_only);
    let record = progress::shown(voice, work, || access.progress(&args.dir)).await?;
    let dir = absolute(&args.dir);
    let file = dir.join(&record.path).join(&record.name);
    Ok(Report::done(
        format!(
            "{}  {}  ({}, {})",
            record.sha256,
            file.display(),
            Bytes(record.size),
            record.view.name()
        ),
        json!({
            "dir": dir, "file": file, "digest": record.sha256, "size": record.size, "layout": record.view,
        }),
    ))
}

async fn unmount(args: &Unmount, voice: Voice) -> Result<Report, Error> {
    needs_root("unmount", "unmounts a file system")?;
    let access = VolumeAccess::open_idle(&args.storing, voice.says_it_waits()).await?;
    let was_there = access.unmount(&args.dir).await?;
    let dir = absolute(&args.dir);
    if !was_there {
        voice.remark(&format!(
            "no war-vol volume is mounted on {}",
            dir.display()
        ));
    }
    Ok(Report::done(
        "",
        json!({ "dir": dir, "unmounted": was_there }),
    ))
}

fn absolute(dir: &std::path::Path) -> std::path::PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    // Without a trailing slash, as targets are written.
    absolute.components().collect()
}

fn needs_root(what: &'static str, why: &'static str) -> Result<(), Error> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err(Error::NeedsRoot(what, why))
    }
}
