//! `war-vol cache`.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;

use super::args::{Cache, CacheAction};
use super::{Report, exit, needs_root, says_it_waits};
use crate::app::{self, Cached, Entry, Error, Verdict};
use crate::artifact::Bytes;
use crate::fault::Fault;

pub(super) fn run(args: &Cache) -> Result<Report, Error> {
    needs_root("cache", "looks into the store")?;
    let open = |storing| app::open_store(storing, says_it_waits);
    match &args.action {
        CacheAction::Ls(storing) => {
            let store = open(storing)?;
            Ok(list(&store.cached()?, &store.entries()?))
        }
        CacheAction::Verify(storing) => {
            let store = open(storing)?;
            let mut seen = Vec::new();
            for cached in store.cached()? {
                eprintln!("verifying {} ({})", cached.sha256, Bytes(cached.size));
                seen.push((store.verify(&cached.sha256)?, cached));
            }
            Ok(verified(&seen))
        }
        CacheAction::Prune(storing) => {
            let (objects, bytes) = open(storing)?.prune()?;
            Ok(Report::done(
                format!("removed {objects} artifacts ({})", Bytes(bytes)),
                json!({ "removed": objects, "bytes": bytes }),
            ))
        }
    }
}

fn list(cached: &[Cached], entries: &[Entry]) -> Report {
    let mut text = format!("{:<71}  {:>10}  {:>7}  FROM", "DIGEST", "SIZE", "VOLUMES");
    let mut data = Vec::new();
    for c in cached {
        let from: Vec<_> = entries
            .iter()
            .filter(|e| e.sha256 == c.sha256)
            .map(|e| e.url.as_str())
            .collect();
        let size = Bytes(c.size).to_string();
        let _ = write!(
            text,
            "\n{:<71}  {size:>10}  {:>7}  {}",
            c.sha256.to_string(),
            c.links,
            from.join(" ")
        );
        let used = c
            .used
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        data.push(json!({
            "digest": c.sha256, "size": c.size, "volumes": c.links, "lastUsed": used, "from": from,
        }));
    }
    let total: u64 = cached.iter().map(|c| c.size).sum();
    let _ = write!(text, "\n{} artifacts, {}", cached.len(), Bytes(total));
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
            "damaged: {} (hashes to {found}; in use by {} volumes, which go on showing it); it is fetched anew when \
             it is wanted again",
            cached.sha256, cached.links
        );
        damaged.push(json!({ "digest": cached.sha256, "found": found, "volumes": cached.links }));
    }
    let count = |verdict| seen.iter().filter(|(v, _)| *v == verdict).count();
    let (whole, skipped) = (count(Verdict::Whole), count(Verdict::Skipped));
    let _ = write!(text, "{whole} whole, {} damaged", damaged.len());
    if skipped > 0 {
        let _ = write!(
            text,
            ", {skipped} skipped (collected meanwhile, or held by a lease of somebody else's)"
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
