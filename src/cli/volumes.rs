//! `war-vol volumes`.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::needs_root;
use super::voice::{Report, Voice};
use crate::app::{Error, Owner, VolumeAccess};
use crate::artifact::Bytes;
use crate::config::Storing;

pub(super) async fn run(storing: &Storing, voice: Voice) -> Result<Report, Error> {
    needs_root("volumes", "reads the store")?;
    let access = VolumeAccess::open_idle(storing, voice.says_it_waits()).await?;
    let mut text = format!(
        "{:<7}  {:<17}  {:>10}  {:<12}  DIRECTORY  ARTIFACT",
        "MOUNTED", "LAYOUT", "SIZE", "OWNER"
    );
    let mut data = Vec::new();
    for volume in access.list().await? {
        let mounted = if volume.mounted { "yes" } else { "no" };
        let Some(r) = &volume.record else {
            let _ = write!(
                text,
                "\n{mounted:<7}  (its record cannot be read: {})",
                volume.id
            );
            data.push(json!({ "id": volume.id, "mounted": volume.mounted }));
            continue;
        };
        let owner = match r.owner {
            Owner::CommandLine => "command line",
            Owner::Kubelet { .. } => "kubelet",
        };
        let size = Bytes(r.size).to_string();
        let (view, target) = (r.view.name(), r.target.display());
        let _ = write!(
            text,
            "\n{mounted:<7}  {view:<17}  {size:>10}  {owner:<12}  {target}  {}",
            r.url
        );
        let before = r
            .history
            .as_ref()
            .and_then(|history| history.before.as_ref());
        if let Some(before) = before {
            let _ = write!(text, "\n{:<7}  before: {}", "", before.url);
        }
        if let Some(wanted) = &volume.behind {
            let since = UNIX_EPOCH + Duration::from_secs(wanted.since);
            let since = humantime::format_rfc3339_seconds(since);
            let _ = write!(text, "\n{:<7}  wanted since {since}: {}", "", wanted.url);
            if !wanted.why.is_empty() {
                let _ = write!(text, "\n{:<7}  {}", "", wanted.why);
            }
        }
        let before = before.map(|before| json!({ "url": before.url, "digest": before.sha256 }));
        let wanted = volume
            .behind
            .as_ref()
            .map(|wanted| json!({ "url": wanted.url, "since": wanted.since, "why": wanted.why }));
        data.push(json!({
            "id": volume.id, "mounted": volume.mounted, "dir": r.target, "url": r.url, "digest": r.sha256,
            "size": r.size, "layout": r.view, "owner": owner, "before": before, "wanted": wanted,
        }));
    }
    Ok(Report::done(text, json!({ "volumes": data })))
}
