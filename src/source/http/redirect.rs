//! From one hop to the next.

use reqwest::Response;
use reqwest::header::LOCATION;
use url::Url;

use super::error::{Error, Failure};
use super::field;
use crate::artifact::Redacted;

/// Where an answer leads, if it may be followed there.
pub(super) fn next_hop(at: &Url, response: &Response) -> Result<Url, Error> {
    let refuse = |why: &str| Failure::Redirect(why.to_owned()).of(at);
    let location = response.headers().get(LOCATION);
    let location = location.ok_or_else(|| refuse("has no Location header"))?;
    let next = field::join(at, location);
    let next = next.ok_or_else(|| refuse("has a Location that is not a URL"))?;
    match (at.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(without_userinfo(next)),
        ("https", "http") => {
            let to = Redacted(&next);
            Err(refuse(&format!("leads from https to http, to {to}")))
        }
        (_, scheme) => Err(refuse(&format!(
            "leads to the unsupported scheme \"{scheme}\""
        ))),
    }
}

/// An origin must not choose the credentials that the next one gets.
fn without_userinfo(mut url: Url) -> Url {
    // Both fail only for URLs without a host, which an http URL always has.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url
}

/// Whether credentials for one of the two are for the other.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host() == b.host()
        && a.port_or_known_default() == b.port_or_known_default()
}
