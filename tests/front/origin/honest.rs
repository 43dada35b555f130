//! What an honest origin answers (RFC 9110, 13 and 14).

use super::date::{http_date, parse_http_date};
use super::object::Object;
use super::plan::{Body, Framing, Plan};
use super::request::Request;

/// The honest answer to a request for what is, or is not, behind its path.
pub(super) fn answer(request: &Request, object: Option<&Object>) -> Plan {
    let head_only = request.method == "HEAD";
    if !head_only && request.method != "GET" {
        return Plan::text(405, "only GET and HEAD\n").with("Allow", "GET, HEAD");
    }
    let plan = match object {
        None => Plan::text(404, "no such object\n"),
        Some(object) if refused(request, object) => unauthorized(),
        Some(object) if unchanged(request, object) => described(Plan::text(304, ""), object),
        Some(object) if head_only => whole(object),
        Some(object) => ranged(request, object).unwrap_or_else(|| whole(object)),
    };
    Plan { head_only, ..plan }
}

/// 200 with every byte.
pub(super) fn whole(object: &Object) -> Plan {
    let body = Body::of(object.bytes.clone());
    let plan = Plan {
        framing: Framing::Length(body.len()),
        artifact: true,
        body,
        ..Plan::text(200, "")
    };
    described(plan, object)
        .with("Accept-Ranges", "bytes")
        .with("Content-Type", "application/java-archive")
}

/// 206 with these bytes, which must exist.
pub(super) fn part(object: &Object, first: u64, last: u64) -> Plan {
    let total = object.bytes.len() as u64;
    let mut plan = whole(object);
    plan.status = 206;
    plan.part = Some((first, last, total));
    plan.body.from = usize::try_from(first).unwrap();
    plan.body.to = usize::try_from(last).unwrap() + 1;
    plan.framing = Framing::Length(plan.body.len());
    plan.with("Content-Range", format!("bytes {first}-{last}/{total}"))
}

/// 401.
pub(super) fn unauthorized() -> Plan {
    Plan::text(401, "who are you?\n").with("WWW-Authenticate", "Bearer")
}

/// 416.
pub(super) fn unsatisfiable(object: &Object) -> Plan {
    Plan::text(416, "no such bytes\n")
        .with("Content-Range", format!("bytes */{}", object.bytes.len()))
}

fn described(mut plan: Plan, object: &Object) -> Plan {
    if let Some(etag) = &object.etag {
        plan.set("ETag", etag);
    }
    if let Some(time) = object.last_modified {
        plan.set("Last-Modified", http_date(time));
    }
    plan
}

fn refused(request: &Request, object: &Object) -> bool {
    object.guard.is_some() && request.header("authorization") != object.guard.as_deref()
}

/// Whether the client's copy is still good: `If-None-Match` (weak comparison) or else `If-Modified-Since`.
fn unchanged(request: &Request, object: &Object) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if let Some(list) = request.header("if-none-match") {
        let ours = object.etag.as_deref().map(bare);
        return list.trim() == "*" || list.split(',').any(|tag| Some(bare(tag)) == ours);
    }
    let since = request
        .header("if-modified-since")
        .and_then(parse_http_date);
    match (since, object.last_modified) {
        // Dates on the wire have whole seconds, so the text is compared where the time is not later.
        (Some(since), Some(ours)) => ours <= since || http_date(ours) == http_date(since),
        (Some(_), None) | (None, Some(_) | None) => false,
    }
}

/// The range that was asked for, if the client's part is of this version.
fn ranged(request: &Request, object: &Object) -> Option<Plan> {
    let asked = request.range()?;
    if let Some(validator) = request.header("if-range") {
        // A weak tag never matches here (RFC 9110, 13.1.5).
        let date = object.last_modified.map(http_date);
        let strong = object.etag.as_deref().filter(|t| !t.starts_with("W/"));
        if Some(validator) != strong && Some(validator) != date.as_deref() {
            return None;
        }
    }
    let total = object.bytes.len() as u64;
    Some(if asked.first >= total {
        unsatisfiable(object)
    } else {
        let last = asked.last.unwrap_or(total).min(total - 1);
        part(object, asked.first, last)
    })
}
