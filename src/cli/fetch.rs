//! `war-vol fetch`.

use std::sync::{Arc, OnceLock};

use serde_json::json;

use super::args::Fetch;
use super::{Report, progress};
use crate::app::{self, Error};
use crate::artifact::Bytes;

pub(super) async fn run(args: &Fetch) -> Result<Report, Error> {
    let (url, checksum) = (&args.artifact.url, args.artifact.checksum.as_deref());
    let what = app::Fetch::new(url, checksum, args.file.as_deref())?;
    let watched = OnceLock::new();
    let work = app::fetch((&args.downloading, &args.secrets), &what, |gauge| {
        let _ = watched.set(Arc::clone(gauge));
    });
    let fetched = progress::shown(work, || Some(watched.get()?.snapshot())).await?;
    let path = fetched.path.display().to_string();
    Ok(Report::done(
        format!("{}  {path}  ({})", fetched.sha256, Bytes(fetched.size)),
        json!({ "path": path, "digest": fetched.sha256, "size": fetched.size }),
    ))
}

/// Whether standard output is the artifact's, so that everything else goes to standard error.
pub(super) fn takes_stdout(args: &Fetch) -> bool {
    args.file.as_deref().is_some_and(app::is_stdout)
}
