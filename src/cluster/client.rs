//! How a request reaches the API server: over which connection, as whom, and what counts as an answer.
//!
//! kube makes the requests and reads the objects. Below it is a connection of our own, because it has to resolve names as
//! downloads do, and because a service account changes while a pod runs: the token is read for each request, the authority
//! for each connection.

#![expect(
    clippy::disallowed_methods,
    reason = "the API server is no origin: no redirect is followed, no proxy is asked, no other authority is believed"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::MapErr;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use kube::client::Body;
use kube::core::Status;
use tokio::net::TcpStream;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, service_fn};

use super::Account;
use super::gate::Gate;
use super::watched::PERSISTENT_VOLUMES;
use crate::lock::Short;
use crate::metrics::Verb;

/// The longest answer that is read: an object may have 1.5 MiB where the API server keeps it.
pub(super) const LONGEST: usize = 4 << 20;

/// How long a connection may be silent before the system asks whether the other side is still there, and how long that
/// may then owe an answer.
const KEEPALIVE: Duration = Duration::from_secs(15);
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(90);

/// How many watches share a connection. kube-apiserver takes 100 requests at a time on one (SETTINGS_MAX_CONCURRENT_STREAMS,
/// RFC 9113 §6.5.2); what is more would wait without a word until a watch ends, which takes minutes.
const MOST_WATCHES: usize = 80;

/// How names become addresses.
pub type Names = BoxCloneSyncService<Name, vec::IntoIter<SocketAddr>, BoxError>;

type Connections = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// Over a connection that all requests share, as long as the API server speaks HTTP/2.
type Http = Client<Connections, Sent>;

/// kube's, with an error of ours.
type Sent = MapErr<Body, fn(kube::Error) -> BoxError>;

/// Many watches, each with a connection that still takes requests.
struct Watching {
    account: Account,
    names: Names,
    /// Each with something that its watches hold.
    connections: Short<Vec<(Http, Arc<()>)>>,
}

/// How long watches wait for an API server that cannot be reached: at first, and at last.
const AGAIN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(30);

impl Watching {
    /// One on which there is room for another watch; that is over when the other value is dropped.
    fn room(&self) -> (Http, Arc<()>) {
        let mut connections = self.connections.lock();
        let watches = |held: &Arc<()>| Arc::strong_count(held) - 1;
        let roomy = connections
            .iter()
            .find(|(_, held)| watches(held) < MOST_WATCHES);
        if let Some((http, held)) = roomy {
            return (http.clone(), Arc::clone(held));
        }
        let new = (http(&self.account, self.names.clone()), Arc::default());
        connections.push((new.0.clone(), Arc::clone(&new.1)));
        new
    }
}

fn http(account: &Account, names: Names) -> Http {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connections(account.clone(), names))
}

/// A client that goes on when the service account changes. Its connections end with it.
pub(super) fn client(account: &Account, names: Names) -> kube::Client {
    let quick = http(account, names.clone());
    let watching = Watching {
        account: account.clone(),
        names,
        connections: Short::default(),
    };
    let account = account.clone();
    let gate = Arc::new(Gate::new(AGAIN, SELDOM));
    let service = service_fn(move |request| {
        // What a watch is answered never ends.
        let verb = verb(&request);
        account.requests.sent(verb);
        let longest = if verb == Verb::Watch {
            usize::MAX
        } else {
            LONGEST
        };
        let (http, held) = match verb {
            Verb::Watch => {
                let (http, held) = watching.room();
                (http, Some(held))
            }
            Verb::Get | Verb::Create | Verb::Patch => (quick.clone(), None),
        };
        let answer = addressed(&account, request).map(|request| {
            // As in `api`, kube's error is made no `dyn Error`. These bodies are there already.
            http.request(request.map(|body| body.map_err((|_| "no body".into()) as fn(_) -> _)))
        });
        let gate = Arc::clone(&gate);
        async move {
            let answer = match &held {
                Some(_) => gate.pass(answer?, Error::is_connect).await?,
                None => answer?.await?,
            };
            let judged = judged(answer, longest).await?;
            let holding = move |frame| {
                let _until_the_end = &held;
                frame
            };
            Ok::<_, BoxError>(judged.map(|body| body.map_frame(holding)))
        }
    });
    kube::Client::new(service, "default")
}

/// Connections with TLS, to whoever the cluster's authority has signed for.
fn connections(account: Account, names: Names) -> Connections {
    let mut tcp = HttpConnector::new_with_resolver(names);
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(3));
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    Connections::new(service_fn(move |to| {
        let secured = account.tls().map(|tls| {
            let mut secured = HttpsConnector::from((tcp.clone(), tls));
            secured.enforce_https();
            secured.call(to)
        });
        async move { secured?.await }
    }))
}

fn verb<B>(request: &Request<B>) -> Verb {
    let mut parts = request.uri().query().unwrap_or_default().split('&');
    match *request.method() {
        Method::POST => Verb::Create,
        Method::PATCH => Verb::Patch,
        _ if parts.any(|part| part == "watch=true") => Verb::Watch,
        _ => Verb::Get,
    }
}

/// kube names only the path.
fn addressed(account: &Account, mut request: Request<Body>) -> Result<Request<Body>, BoxError> {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let is_whole = path.starts_with(PERSISTENT_VOLUMES);
    *request.uri_mut() = account.server().join(path)?.as_str().parse()?;
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, account.token()?);
    let agent = concat!("war-vol/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    let json = HeaderValue::from_static("application/json");
    // kube asks for metadata alone of whatever is watched.
    if is_whole {
        headers.remove(ACCEPT);
    }
    headers.entry(ACCEPT).or_insert(json);
    Ok(request)
}

/// kube takes a redirect for an answer, and the code that a body names for that of its answer. So whatever is neither 200 nor 201
/// goes on as a failure whose body is right.
async fn judged<B>(answer: Response<B>, longest: usize) -> Result<Response<Judged<B>>, BoxError>
where
    B: hyper::body::Body<Error: Into<BoxError>>,
{
    let answer = answer.map(|body| Limited::new(body, longest));
    let code = answer.status();
    if matches!(code, StatusCode::OK | StatusCode::CREATED) {
        return Ok(answer.map(Either::Left));
    }
    let mut status = match answer.into_body().collect().await {
        Ok(text) => serde_json::from_slice(&text.to_bytes()).unwrap_or_default(),
        Err(error) if error.is::<LengthLimitError>() => Status::failure(&too_long(), ""),
        Err(error) => return Err(error),
    };
    status.code = code.as_u16();
    let body = Full::from(serde_json::to_vec(&status)?);
    let mut failure = Response::new(Either::Right(body));
    *failure.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    Ok(failure)
}

/// The body of an answer: as it comes, or ours.
type Judged<B> = Either<Limited<B>, Full<Bytes>>;

/// What is said of an answer that is not read.
pub(super) fn too_long() -> String {
    format!("more than {LONGEST} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kube reads.
    async fn said(code: u16, body: impl Into<Bytes>) -> Result<Bytes, Status> {
        let answer = Response::builder().status(code);
        let answer = judged(answer.body(Full::new(body.into())).unwrap(), LONGEST);
        let (head, body) = answer.await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        match head.status.is_success() {
            true => Ok(body),
            false => Err(serde_json::from_slice(&body).unwrap()),
        }
    }

    #[tokio::test]
    async fn the_status_of_an_answer_is_that_of_its_head() {
        assert_eq!(said(200, "{}").await.unwrap(), "{}");
        let words = r#"{"kind": "Status", "message": "no", "code": 200}"#;
        assert_eq!(said(201, "{}").await.unwrap(), "{}");
        for code in [202, 307, 403, 500] {
            let status = said(code, words).await.unwrap_err();
            assert_eq!((status.code, &*status.message), (code, "no"));
        }
        let status = said(502, "<html>").await.unwrap_err();
        assert_eq!((status.code, &*status.message), (502, ""));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read() {
        let status = said(500, vec![b' '; LONGEST + 1]).await.unwrap_err();
        assert_eq!((status.code, status.message), (500, too_long()));
    }

    /// The server lets the hundred-and-first request of a connection wait until another one ends.
    #[test]
    fn no_connection_has_more_watches_than_the_server_takes() {
        let nobody = |_| std::future::ready(Err::<vec::IntoIter<SocketAddr>, _>("nobody".into()));
        let watching = Watching {
            account: Account::at("127.0.0.1", "1").unwrap(),
            names: Names::new(service_fn(nobody)),
            connections: Short::default(),
        };
        let mut held: Vec<_> = (0..200).map(|_| watching.room().1).collect();
        let most = |held: &[Arc<()>]| held.iter().map(|h| Arc::strong_count(h) - 1).max();
        assert!(most(&held) < Some(100), "{:?}", most(&held));
        assert_eq!(watching.connections.lock().len(), 3);
        // Where a watch has ended there is room for another one.
        held.drain(..50);
        held.extend((0..50).map(|_| watching.room().1));
        assert!(most(&held) < Some(100), "{:?}", most(&held));
        assert_eq!(watching.connections.lock().len(), 3);
    }
}
