//! `war-vol cache`.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;

use super::args::CacheAction;
use super::voice::{Report, Voice};
use super::{exit, needs_root};
use crate::app::{CacheAccess, Cached, Error, Held, Verdict};
use crate::artifact::Bytes;
use crate::fault::Fault;

pub(super) async fn run(action: &CacheAction, voice: Voice) -> Result<Report, Error> {
    needs_root("cache", "reads the store")?;
    let (CacheAction::Ls(storing) | CacheAction::Verify(storing) | CacheAction::Prune(storing)) =
        action;
    let cache = CacheAccess::open(storing, voice.says_it_waits()).await?;
    match action {
        CacheAction::Ls(_) => Ok(list(&cache.list().await?)),
        CacheAction::Verify(_) => {
            let begins = |cached: &Cached| {
                voice.remark(&format!(
                    "verifying {} ({})",
                    cached.sha256,
                    Bytes(cached.size)
                ));
            };
            Ok(verified(&cache.verify(begins).await?))
        }
        CacheAction::Prune(_) => {
            let (objects, bytes) = cache.prune().await?;
            Ok(Report::done(
                format!("removed {objects} artifacts ({})", Bytes(bytes)),
                json!({ "removed": objects, "bytes": bytes }),
            ))
        }
    }
}

fn list(artifacts: &[Held]) -> Report {
    let mut text = format!("{:<71}  {:>10}  {:>7}  FROM", "DIGEST", "SIZE", "VOLUMES");
    let mut data = Vec::new();
    for Held { cached: c, from } in artifacts {
        let size = Bytes(c.size).to_string();
        let _ = write!(
            text,
            "\n{:<71}  {size:>10}  {:>7}  {}",
            c.sha256.to_string(),
            c.leases,
            from.join(" ")
        );
        let used = c
            .used
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        data.push(json!({
            "digest": c.sha256, "size": c.size, "volumes": c.leases, "lastUsed": used, "from": from,
        }));
    }
    let total: u64 = artifacts.iter().map(|a| a.cached.size).sum();
    let _ = write!(text, "\n{} artifacts, {}", artifacts.len(), Bytes(total));
    Report::done(text, json!({ "artifacts": data, "bytes": total }))
}

fn verified(seen: &[(Verdict, Cached)]) -> Report {
    let mut text = String::new();
    let mut damaged = Vec::new();
    for (verdict, cached) in seen {
        let Verdict::Damaged { found } = verdict else {
            continue;
        };
        let _ = writeln!(
            text,
            "damaged: {} (content hashes to {found}; still shown by {} volumes); it is downloaded again when next \
             requested",
            cached.sha256, cached.leases
        );
        damaged.push(json!({ "digest": cached.sha256, "found": found, "volumes": cached.leases }));
    }
    let count = |verdict| seen.iter().filter(|(v, _)| *v == verdict).count();
    let (whole, skipped) = (count(Verdict::Whole), count(Verdict::Skipped));
    let _ = write!(text, "{whole} intact, {} damaged", damaged.len());
    if skipped > 0 {
        let _ = write!(
            text,
            ", {skipped} skipped (removed in the meantime, or in use by another process)"
        );
    }
    let code = if damaged.is_empty() {
        ExitCode::SUCCESS
    } else {
        exit::exit(Fault::Mismatch)
    };
    Report {
        text,
        data: json!({ "whole": whole, "damaged": damaged, "skipped": skipped }),
        code,
    }
}
