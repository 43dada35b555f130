//! Objects over HTTP and HTTPS.
//!
//! Owns the one place in the crate where an HTTP client is made, so that every request, hop and address passes the
//! same [`Reach`]. Redirects are followed in a loop of our own, because the client's own loop forwards custom
//! headers to other origins; bodies come over HTTP/1.1 only, because a single HTTP/2 stream is a third slower.
//! Left out on purpose: retries and resuming, which belong to whoever counts the bytes.
#![expect(clippy::disallowed_methods, reason = "the one factory of HTTP clients")]

mod answer;
mod cause;
mod client_cert;
mod field;
mod resolver;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::client_cert::ClientCert;

use reqwest::header::{
    ACCEPT_ENCODING, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE,
};
use reqwest::{RequestBuilder, Response};
use url::Url;

use super::{Answer, Credentials, Error, Source, Start};
use crate::artifact::{ArtifactUrl, Reach, Redacted};

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// How many header fields an answer may have: as many as curl takes. Their bytes are bounded by the parser, at 408 KiB.
const MOST_FIELDS: usize = 5000;

/// The variables that name proxies, as curl and others have them.
const PROXIES: [&str; 8] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// What every client of this process shares.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A file of PEM certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long an answer's head may take.
    pub patience: Duration,
}

/// Names to addresses, for a client that has another home.
pub fn names() -> Arc<dyn reqwest::dns::Resolve> {
    Arc::new(resolver::Filtered::new(Reach))
}

/// Makes clients.
#[derive(Clone)]
pub struct Factory {
    tls: rustls::ClientConfig,
    /// The same, with a certificate of ours for the origin.
    tls_with_cert: Option<rustls::ClientConfig>,
    identity: Vec<u8>,
    patience: Duration,
}

impl Factory {
    /// Loads the trusted certificates.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let (tls, mut identity) = tls::configure(settings.ca_file.as_deref())?;
        // A proxy sees and may change what comes over plain http.
        for name in PROXIES {
            let value = std::env::var_os(name).unwrap_or_default();
            identity.extend(value.as_encoded_bytes());
            identity.push(0);
        }
        Ok(Self {
            tls,
            tls_with_cert: None,
            identity,
            patience: settings.patience,
        })
    }

    /// Shows this certificate to an origin that asks for one, and to nobody else. A pair that cannot be used is an error
    /// here already.
    pub fn with_client_cert(mut self, files: &ClientCert) -> Result<Self, Error> {
        let (config, identity) = client_cert::present(&self.tls, files)?;
        self.tls_with_cert = Some(config);
        self.identity.extend(identity);
        Ok(self)
    }

    /// What of these settings decides whose bytes are believed: part of the trust context (law 7).
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// A client whose connections live in the runtime that first uses it.
    pub fn client(&self, reach: Reach, credentials: Credentials) -> Result<Http, Error> {
        let known = self.tls_with_cert.as_ref();
        let known = known.map(|tls| self.client_with(tls, &reach)).transpose()?;
        Ok(Http {
            client: self.client_with(&self.tls, &reach)?,
            known,
            reach,
            credentials,
            patience: self.patience,
        })
    }

    fn client_with(
        &self,
        tls: &rustls::ClientConfig,
        reach: &Reach,
    ) -> Result<reqwest::Client, Error> {
        reqwest::Client::builder()
            .user_agent(concat!("war-vol/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .http1_only()
            // A connection is asked once: bytes that an answer has too much would be taken for the head of the next one.
            .pool_max_idle_per_host(0)
            .http1_max_headers(MOST_FIELDS)
            // A folded line is to be unfolded (RFC 9112 §5.2), and behind most other lines that are no header field curl
            // and browsers go on. The end of a body is never guessed because of it: see [`answer`].
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .retry(reqwest::retry::never())
            .tls_backend_preconfigured(tls.clone())
            .connect_timeout(self.patience)
            .dns_resolver(Arc::new(resolver::Filtered::new(reach.clone())))
            .build()
            .map_err(|e| Error::Setup(format!("cannot make an HTTP client: {}", cause::text(&e))))
    }
}

/// A client for the objects of one request.
pub struct Http {
    client: reqwest::Client,
    /// By whom the origin knows us, where there is a certificate for that.
    known: Option<reqwest::Client>,
    reach: Reach,
    credentials: Credentials,
    patience: Duration,
}

impl Source for Http {
    async fn open(&self, url: &ArtifactUrl, start: &Start) -> Result<Answer, Error> {
        let (at, response) = self.follow(url, start).await?;
        // A range that the origin cannot give (416), or gives wrongly, is no reason to fail: the whole will do.
        match answer::interpret(url, &at, start, response)? {
            answer::Reading::Answer(answer) => Ok(answer),
            answer::Reading::AskForTheWhole => {
                let (at, response) = self.follow(url, &Start::Beginning).await?;
                match answer::interpret(url, &at, &Start::Beginning, response)? {
                    answer::Reading::Answer(answer) => Ok(answer),
                    answer::Reading::AskForTheWhole => {
                        Err(answer::nonsense(url, &at, "cannot give the whole object"))
                    }
                }
            }
        }
    }
}

impl Http {
    /// Asks, and follows redirects; returns who answered at last.
    async fn follow(&self, url: &ArtifactUrl, start: &Start) -> Result<(Url, Response), Error> {
        let mut at = url.as_url().clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.ask(url, &at, start).await?;
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => at = next_hop(&at, &response)?,
                _ => return Ok((at, response)),
            }
        }
        Err(Error::Redirect {
            url: url.to_string(),
            why: format!(
                "is the {}th in a row, to {}",
                MOST_REDIRECTS + 1,
                Redacted(&at)
            ),
        })
    }

    /// One hop.
    async fn ask(&self, url: &ArtifactUrl, at: &Url, start: &Start) -> Result<Response, Error> {
        let forbidden = |what: String| Error::Forbidden {
            url: url.to_string(),
            what,
        };
        if !self.reach.allows_url(at) {
            return Err(forbidden(host_of(at)));
        }
        let is_origin = same_origin(at, url.as_url());
        let client = self.known.as_ref().filter(|_| is_origin);
        let request = client.unwrap_or(&self.client).get(at.clone());
        let request = conditions(request, start)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let request = if is_origin {
            self.credentials.sign(request)
        } else {
            request
        };
        let response = match tokio::time::timeout(self.patience, request.send()).await {
            Ok(answered) => answered.map_err(|e| cause::classify(url, at, &e))?,
            Err(_) => {
                return Err(Error::Broken {
                    url: url.to_string(),
                    host: host_of(at),
                    why: format!(
                        "no answer for {}",
                        humantime::format_duration(self.patience)
                    ),
                });
            }
        };
        // The belt to the resolver's braces: whatever way the connection was made.
        match response.remote_addr() {
            Some(peer) if !self.reach.allows_addr(peer.ip()) => {
                Err(forbidden(peer.ip().to_string()))
            }
            Some(_) | None => Ok(response),
        }
    }
}

fn conditions(request: RequestBuilder, start: &Start) -> RequestBuilder {
    match start {
        Start::Beginning => request,
        Start::At { offset, of } => {
            let range = format!("bytes={offset}-");
            match of.as_ref().map(|state| field::value(&state.tag)) {
                None => request.header(RANGE, range),
                Some(Some(tag)) => request.header(RANGE, range).header(IF_RANGE, tag),
                // No origin's tag, so none of its states: then all of it.
                Some(None) => request,
            }
        }
        Start::IfChanged(validator) => {
            let read = |text: &Option<String>| text.as_deref().and_then(field::value);
            match (read(&validator.etag), read(&validator.last_modified)) {
                (Some(tag), _) => request.header(IF_NONE_MATCH, tag),
                (None, Some(time)) => request.header(IF_MODIFIED_SINCE, time),
                (None, None) => request,
            }
        }
    }
}

fn next_hop(at: &Url, response: &Response) -> Result<Url, Error> {
    let refuse = |why: String| Error::Redirect {
        url: Redacted(at).to_string(),
        why,
    };
    let location = response
        .headers()
        .get(LOCATION)
        .ok_or_else(|| refuse("names no place (no Location header)".into()))?;
    let next = field::join(at, location)
        .ok_or_else(|| refuse("has a Location that is not a URL".into()))?;
    match (at.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(without_userinfo(next)),
        ("https", "http") => Err(refuse(format!(
            "leads from https to http, to {}",
            Redacted(&next)
        ))),
        (_, scheme) => Err(refuse(format!("leads to the scheme \"{scheme}\""))),
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

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host() == b.host()
        && a.port_or_known_default() == b.port_or_known_default()
}

/// Host and, where it is not the usual one, port: who is meant in a message.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
