//! `war-vol flexvolume`, and the program where kubelet calls it.
//!
//! kubelet reads stdout and stderr as one, and on an exit code other than 0 it logs the arguments with the secrets in
//! them. So a call says one JSON object on stdout and nothing on stderr, logs nothing, and ends with 0 whatever happens.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::args::{Flexvolume, FlexvolumeAction};
use super::needs_root;
use super::voice::Report;
use crate::app::Error;
use crate::fault;
use crate::flexvolume::{self, Home, Installed};

pub(super) async fn run(args: &Flexvolume) -> Result<Report, Error> {
    match &args.action {
        FlexvolumeAction::Install { dir, at } => {
            let Installed { program, is_new } = flexvolume::install(dir, &at.root)?;
            let words = match is_new {
                true => "installed",
                false => "already installed",
            };
            Ok(Report::done(
                format!("{}: {words}", program.display()),
                json!({ "program": program, "new": is_new }),
            ))
        }
        FlexvolumeAction::Call(call) => {
            let answer = answer(Ok(args.at.root.clone()), call).await;
            Ok(Report::done(answer.to_string(), answer))
        }
    }
}

/// The program where kubelet calls it: the arguments are kubelet's, and no flag is among them.
pub(super) fn run_by_kubelet(home: &Home, call: &[OsString]) -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build();
    let answer = match runtime {
        Ok(runtime) => runtime.block_on(answer(home.root(), call)),
        Err(e) => failure(&Error::Bug(e.to_string())),
    };
    // A kubelet that has ended reads no more.
    let _ = writeln!(std::io::stdout(), "{answer}");
    ExitCode::SUCCESS
}

/// The answer to a call of kubelet's, for the driver that has its store in `root`.
async fn answer(root: Result<PathBuf, flexvolume::Error>, call: &[OsString]) -> Value {
    let done = done(root, call).await;
    done.unwrap_or_else(|error| failure(&error))
}

fn failure(error: &Error) -> Value {
    json!({ "status": "Failure", "message": fault::line(error) })
}

async fn done(root: Result<PathBuf, flexvolume::Error>, call: &[OsString]) -> Result<Value, Error> {
    let name = call.first().and_then(|name| name.to_str());
    match (name, call.get(1..).unwrap_or_default()) {
        (Some("init"), _) => return Ok(init()),
        (Some("mount"), [dir, options]) => {
            let mount = flexvolume::mount_of(dir, options)?;
            needs_root("mount", "mounts a file system")?;
            flexvolume::mount(&root?, mount).await?;
        }
        // Whatever is wrong with its settings, a pod must be able to go.
        (Some("unmount"), [dir]) => {
            needs_root("unmount", "unmounts a file system")?;
            flexvolume::unmount(root.ok().as_deref(), dir).await?;
        }
        (Some("mount"), _) => Err(flexvolume::Error::Call("mount takes DIR and OPTIONS"))?,
        (Some("unmount"), _) => Err(flexvolume::Error::Call("unmount takes DIR"))?,
        (Some(_) | None, _) => return Ok(json!({ "status": "Not supported" })),
    }
    Ok(json!({ "status": "Success" }))
}

/// A capability that is missing counts as true: kubelet would attach, and change the owner of every file.
fn init() -> Value {
    json!({
        "status": "Success",
        "capabilities": {
            "attach": false,
            "fsGroup": false,
            "requiresFSResize": false,
            "selinuxRelabel": false,
            "supportsMetrics": false,
        },
    })
}
