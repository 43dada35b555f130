//! Objects over HTTP and HTTPS.
//!
//! Owns the one place in the crate where an HTTP client is made, so that every request, hop and address passes the
//! same [`AddressRule`]. Redirects are followed in a loop of our own, because the client's own loop forwards custom
//! headers to other origins; bodies come over HTTP/1.1 only, because a single HTTP/2 stream is a third slower.
//! Connections are made in `connect`, and not by reqwest, which says neither whether an origin or a proxy has failed
//! nor with what status: requests and answers are its, what is between them is hyper's.
//! Left out on purpose: retries and resuming, which belong to whoever counts the bytes.
#![expect(clippy::disallowed_methods, reason = "the one factory of HTTP clients")]

mod answer;
mod cause;
mod client_cert;
mod connect;
mod error;
mod field;
mod proxy;
mod redirect;
mod refusal;
mod resolver;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::client_cert::ClientCert;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::TokioExecutor;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    PROXY_AUTHORIZATION, RANGE, USER_AGENT,
};
use reqwest::{Body, RequestBuilder, Response};
use url::Url;

pub(in crate::source) use self::error::host_of;
pub use self::error::{Error, Failure};
pub use self::refusal::Refusal;

use self::connect::Connector;
use self::proxy::{Kind, Proxies, Proxy};
use self::redirect::{next_hop, same_origin};
use self::resolver::{Filtered, Names};
use self::tls::Trust;
use super::{Answer, HttpRequest, Start};
use crate::artifact::{AddressRule, ArtifactUrl, Redacted};
use crate::source;

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// How many header fields an answer may have, and how many bytes in all: as many as curl takes. So large does the buffer
/// get that a body is read into, too: every running download has one.
const MOST_FIELDS: usize = 5000;
const MOST_BYTES: usize = 300 << 10;

/// How the program calls itself.
const AGENT: &str = concat!("war-vol/", env!("CARGO_PKG_VERSION"));

/// What every client of this process shares.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A file of PEM certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long an answer's head may take.
    pub connect_timeout: Duration,
}

/// Names to addresses, for a client that has another home.
pub fn names() -> Names {
    Filtered::new(AddressRule::default()).service()
}

/// Makes clients.
#[derive(Clone)]
pub struct Factory {
    trust: Arc<Trust>,
    /// With a certificate of ours for the origin, where there is one.
    to_known: Option<Arc<rustls::ClientConfig>>,
    requests: reqwest::Client,
    proxies: Arc<Proxies>,
    identity: Vec<u8>,
    connect_timeout: Duration,
}

impl Factory {
    /// Loads the trusted certificates, and reads the environment's proxies.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let get = |name: &str| std::env::var_os(name);
        let trust = Trust::load(settings.ca_file.as_deref(), get)?;
        Self::of(trust, Proxies::read(get)?, settings.connect_timeout)
    }

    fn of(trust: Trust, proxies: Proxies, connect_timeout: Duration) -> Result<Self, Error> {
        Ok(Self {
            identity: [&*trust.identity, &*proxies.identity].concat(),
            requests: requests(&trust)?,
            trust: Arc::new(trust),
            to_known: None,
            proxies: Arc::new(proxies),
            connect_timeout,
        })
    }

    /// Shows this certificate to an origin that asks for one, and to nobody else. A pair that cannot be used is an error
    /// here already.
    pub fn with_client_cert(mut self, files: &ClientCert) -> Result<Self, Error> {
        let (config, identity) = client_cert::present(&self.trust.to_origins, files)?;
        self.to_known = Some(Arc::new(config));
        self.identity.extend(identity);
        Ok(self)
    }

    /// For whoever asks no origin: no setting is read, so that none can be wrong, and nobody is believed.
    pub fn idle() -> Result<Self, Error> {
        Self::of(Trust::none()?, Proxies::default(), Duration::from_secs(1))
    }

    /// What of these settings decides whose bytes are believed: part of the trust context (docs/design/trust.md).
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// The proxies in force, for a log: without anything secret.
    pub fn proxies(&self) -> String {
        self.proxies.to_string()
    }

    /// A client whose connections live in the runtime that first uses it.
    pub(in crate::source) fn client(&self, address_rule: &AddressRule) -> Http {
        let client_with = |tls| self.client_with(tls, address_rule);
        Http {
            client: client_with(&self.trust.to_origins),
            known: self.to_known.as_ref().map(client_with),
            requests: self.requests.clone(),
            proxies: Arc::clone(&self.proxies),
            address_rule: address_rule.clone(),
            connect_timeout: self.connect_timeout,
        }
    }

    fn client_with(
        &self,
        to_origins: &Arc<rustls::ClientConfig>,
        address_rule: &AddressRule,
    ) -> Client<Connector, Body> {
        let connector = connect::connector(
            address_rule.clone(),
            Arc::clone(&self.proxies),
            (Arc::clone(&self.trust), Arc::clone(to_origins)),
            self.connect_timeout,
        );
        Client::builder(TokioExecutor::new())
            // A connection is asked once: bytes that an answer has too much would be taken for the head of the next one.
            .pool_max_idle_per_host(0)
            .http1_max_headers(MOST_FIELDS)
            .http1_max_buf_size(MOST_BYTES)
            // A folded line is to be unfolded (RFC 9112 §5.2), and behind most other lines that are no header field curl
            // and browsers go on. The end of a body is never guessed because of it: see [`answer`].
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .build(connector)
    }
}

/// What builds requests. It sends none: a client of that kind does not say whether an origin or a proxy has answered.
fn requests(trust: &Trust) -> Result<reqwest::Client, Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured((*trust.to_origins).clone());
    client
        .build()
        .map_err(|e| Error::Setup(format!("cannot create an HTTP client: {}", cause::text(&e))))
}

/// The engine that sends requests, follows where they lead and reads the answers.
pub(in crate::source) struct Http {
    client: Client<Connector, Body>,
    /// By whom the origin knows us, where there is a certificate for that.
    known: Option<Client<Connector, Body>>,
    /// Builds requests, and sends none.
    requests: reqwest::Client,
    proxies: Arc<Proxies>,
    address_rule: AddressRule,
    connect_timeout: Duration,
}

impl Http {
    /// Asks for the object. Returns as soon as the answer's head is there; the body is read by the caller.
    pub(in crate::source) async fn open(
        &self,
        request: &HttpRequest,
        start: &Start,
    ) -> Result<Answer, source::Error> {
        let mut at = request.url.as_url().clone();
        // A range that the origin cannot give (416), or gives wrongly, is no reason to fail: the whole will do.
        for start in [start, &Start::Beginning] {
            let response;
            (at, response) = self.follow(request, start).await?;
            let read = self.interpret(&request.url, &at, start, response);
            if let Some(answer) = read.map_err(|failure| failure.of(request.url.as_url()))? {
                return Ok(answer);
            }
        }
        let failure = answer::nonsense(&at, "cannot send the whole file");
        Err(failure.of(request.url.as_url()).into())
    }

    /// Asks, and follows redirects; returns who answered at last.
    async fn follow(&self, request: &HttpRequest, start: &Start) -> Result<(Url, Response), Error> {
        let url = request.url.as_url();
        let mut at = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.ask(request, &at, start).await;
            let response = response.map_err(|failure| failure.of(url))?;
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => at = next_hop(&at, &response)?,
                _ => return Ok((at, response)),
            }
        }
        let (count, to) = (MOST_REDIRECTS + 1, Redacted(&at));
        Err(Failure::Redirect(format!("is the {count}th in a row, to {to}")).of(url))
    }

    /// One hop.
    async fn ask(
        &self,
        HttpRequest { url, credentials }: &HttpRequest,
        at: &Url,
        start: &Start,
    ) -> Result<Response, Failure> {
        let allowed = self.address_rule.allows_url(at);
        allowed.map_err(|why| Failure::blocked(host_of(at), why))?;
        let request = conditions(self.requests.get(at.clone()), start)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let is_origin = same_origin(at, url.as_url());
        let request = match is_origin {
            true => credentials.sign(request),
            false => request,
        };
        let reader = self.reader(at);
        let request = match reader.and_then(|proxy| proxy.basic()) {
            Some(login) => request.header(PROXY_AUTHORIZATION, login),
            None => request,
        };
        let client = self.known.as_ref().filter(|_| is_origin);
        let client = client.unwrap_or(&self.client);
        let response = self.send(at, client, request).await?;
        match reader {
            Some(proxy) if response.status() == 407 => Err(Failure::ProxyStatus {
                proxy: proxy.to_string(),
                asked: "GET".to_owned(),
                status: 407,
                offers: proxy::offers(response.headers()),
            }),
            Some(_) | None => Ok(response),
        }
    }

    /// Sends a request; returns when the answer's head is there.
    async fn send(
        &self,
        at: &Url,
        client: &Client<Connector, Body>,
        request: RequestBuilder,
    ) -> Result<Response, Failure> {
        let named = self.named(at);
        let request = request.build().and_then(http::Request::<Body>::try_from);
        let mut request = request.map_err(|e| {
            let why = cause::text(&e);
            answer::nonsense(at, format!("cannot be sent this request: {why}"))
        })?;
        // Unless the user has headers of that name.
        let usual = [(USER_AGENT, AGENT), (ACCEPT, "*/*")];
        for (name, value) in usual {
            let headers = request.headers_mut();
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        let mut connection = capture_connection(&mut request);
        let time = humantime::format_duration(self.connect_timeout);
        // Making a connection has its own limit, which says what it was that took so long.
        let silence = async {
            connection.wait_for_connection_metadata().await;
            tokio::time::sleep(self.connect_timeout).await;
        };
        tokio::select! {
            biased;
            answered = client.request(request) => match answered {
                Ok(answer) => Ok(answer.map(Body::wrap).into()),
                Err(e) => Err(named(cause::classify(at, &e))),
            },
            () = silence => Err(named(Failure::Broken {
                host: host_of(at),
                why: format!("no response within {time}"),
            })),
        }
    }

    /// The proxy that reads the request for this URL and answers in the origin's place, as it sees fit.
    fn reader(&self, at: &Url) -> Option<&Proxy> {
        let proxy = self.proxies.of(at).filter(|_| at.scheme() == "http")?;
        match proxy.kind {
            Kind::Http | Kind::Https => Some(proxy),
            Kind::Socks5 | Kind::Socks5h => None,
        }
    }

    /// What an answer means; where a proxy may have caused it, the proxy is named.
    fn interpret(
        &self,
        url: &ArtifactUrl,
        at: &Url,
        start: &Start,
        response: Response,
    ) -> Result<Option<Answer>, Failure> {
        let read = answer::interpret((url, at), start, response, self.named(at));
        read.map_err(|failure| match self.reader(at) {
            Some(proxy) => failure.through(proxy),
            None => failure,
        })
    }

    /// Names the proxy in what went wrong on the way to this URL.
    fn named(&self, at: &Url) -> impl Fn(Failure) -> Failure + Send + use<> {
        let proxy = self.proxies.of(at).map(Arc::clone);
        move |failure| match &proxy {
            Some(proxy) => failure.through(proxy),
            None => failure,
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
