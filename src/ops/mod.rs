//! What watches the driver from outside: `/healthz`, `/readyz` and `/metrics` over HTTP.
//!
//! Owns who is answered, and with what status. What is missing for readiness and which numbers there are is told to it.
//!
//! Invariants: an answer waits for no disk, no origin, no kubelet and no call, because the server has a thread of its own
//! and only reads what is known; so it goes on when everything else hangs. `/healthz` fails only if the loop that
//! answers calls hangs: whoever restarts the driver for it must not do so for a sick disk. Nothing that a user wrote
//! is said.
//!
//! Left out on purpose: TLS and who may ask. What is said here is no secret, and a node's network is the cluster's.

mod heartbeat;
mod limiter;
mod listen;
mod readiness;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

pub use self::heartbeat::Heartbeat;
pub use self::readiness::{Condition, Readiness};

use self::limiter::ConnectionLimiter;
use crate::fault;
use crate::metrics::{self, Metrics};

/// How long the loop may stand still until it counts as hanging: a machine that swaps is slow, and no restart helps it.
const STANDSTILL: Duration = Duration::from_secs(30);

const TEXT: &str = "text/plain; charset=utf-8";

/// What is asked for the answers.
#[derive(Clone)]
pub struct Ops {
    /// Whether the loop that answers calls runs.
    pub heartbeat: Heartbeat,
    /// What is missing.
    pub readiness: Readiness,
    /// What is said besides, a line each, and hinders nothing.
    pub warnings: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// The numbers.
    pub metrics: Metrics,
    /// Brings up to date what is looked up. Ends soon, whatever hangs.
    pub look: Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

/// A server on its thread. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _ends: oneshot::Sender<()>,
}

impl Server {
    /// Serves from now on; at `[::]` to callers by IPv4 too.
    ///
    /// Errors: the address is not this machine's or is in use, or no thread can be had.
    pub fn start(address: SocketAddr, ops: Ops) -> io::Result<Self> {
        let listener = listen::listen(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (ends, ended) = oneshot::channel();
        let limiter = {
            let _in = runtime.enter();
            ConnectionLimiter::new(tokio::net::TcpListener::from_std(listener)?)
        };
        let serve = async {
            tokio::select! {
                served = axum::serve(limiter, router(ops)) => served,
                _ = ended => Ok(()),
            }
        };
        thread::Builder::new().name("ops".into()).spawn(move || {
            if let Err(error) = runtime.block_on(serve) {
                tracing::error!(%error, "no longer serving /healthz, /readyz and /metrics");
            }
        })?;
        Ok(Self {
            address,
            _ends: ends,
        })
    }

    /// Where it is: also the port, where that was left open.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn router(ops: Ops) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(|| async {
            let words = "see /healthz, /readyz and /metrics\n";
            answer(StatusCode::NOT_FOUND, TEXT, words.to_owned())
        })
        .method_not_allowed_fallback(|| async {
            let words = "only GET and HEAD are supported\n";
            answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, words.to_owned())
        })
        .with_state(ops)
}

async fn healthz(State(ops): State<Ops>) -> Response {
    let still = ops.heartbeat.still();
    if still < STANDSTILL {
        return answer(StatusCode::OK, TEXT, "ok\n".to_owned());
    }
    let words = format!("the event loop has been stuck for {} s\n", still.as_secs());
    answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, words)
}

async fn readyz(State(ops): State<Ops>) -> Response {
    let mut lines = ops.readiness.missing();
    let status = if lines.is_empty() {
        lines.push("ready".to_owned());
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let warnings = (ops.warnings)();
    lines.extend(warnings.iter().map(|words| format!("warning: {words}")));
    let lines = lines.iter().map(|why| fault::line(why) + "\n");
    answer(status, TEXT, lines.collect())
}

async fn metrics(State(ops): State<Ops>) -> Response {
    (ops.look)().await;
    match ops.metrics.text() {
        Ok(text) => answer(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => {
            let words = format!("the metrics cannot be written: {error}\n");
            answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, words)
        }
    }
}

/// One answer for each connection, so that its place is free again at once.
fn answer(status: StatusCode, content_type: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use futures_util::FutureExt;

    use super::*;

    fn ops(heartbeat: Heartbeat, conditions: Vec<Condition>) -> Server {
        warned(heartbeat, conditions, Vec::new)
    }

    fn warned(
        heartbeat: Heartbeat,
        conditions: Vec<Condition>,
        warnings: fn() -> Vec<String>,
    ) -> Server {
        let ops = Ops {
            heartbeat,
            readiness: Readiness::new(conditions),
            warnings: Arc::new(warnings),
            metrics: Metrics::new(),
            look: Arc::new(|| async {}.boxed()),
        };
        Server::start("127.0.0.1:0".parse().unwrap(), ops).unwrap()
    }

    fn get(server: &Server, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn path(server: &Server, path: &str) -> String {
        get(
            server,
            &format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n"),
        )
    }

    #[test]
    fn each_thing_that_is_missing_has_its_line() {
        let no = |why: &'static str| -> Condition { Arc::new(move || Err(why.to_owned())) };
        let server = ops(Heartbeat::new(), vec![no("one\nand\r more"), no("two")]);
        let answer = path(&server, "/readyz");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\none\\nand\\r more\ntwo\n"),
            "{answer}"
        );
        let server = ops(Heartbeat::new(), Vec::new());
        assert!(path(&server, "/readyz").ends_with("\r\n\r\nready\n"));
    }

    #[test]
    fn a_warning_has_its_line_and_hinders_nothing() {
        let old = || vec!["old\nand dusty".to_owned()];
        let server = warned(Heartbeat::new(), Vec::new(), old);
        let answer = path(&server, "/readyz");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\nready\nwarning: old\\nand dusty\n"),
            "{answer}"
        );
        let no: Condition = Arc::new(|| Err("one".to_owned()));
        let answer = path(&warned(Heartbeat::new(), vec![no], old), "/readyz");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\none\nwarning: old\\nand dusty\n"),
            "{answer}"
        );
    }

    #[test]
    fn only_a_loop_that_stands_still_is_unhealthy() {
        let server = ops(Heartbeat::new(), vec![Arc::new(|| Err("sick".to_owned()))]);
        assert!(path(&server, "/healthz").starts_with("HTTP/1.1 200 "));
        let server = ops(Heartbeat::silent_for(STANDSTILL), Vec::new());
        let answer = path(&server, "/healthz");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("has been stuck for 30 s"), "{answer}");
    }

    #[test]
    fn other_paths_and_other_methods_are_refused_and_the_server_goes_on() {
        let server = ops(Heartbeat::new(), Vec::new());
        assert!(path(&server, "/").starts_with("HTTP/1.1 404 "));
        assert!(path(&server, "/metrics/../healthz").starts_with("HTTP/1.1 404 "));
        let long = "x".repeat(1 << 20);
        for bad in [
            "POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "\0\0\0\0\r\n\r\n".to_owned(),
        ] {
            assert!(get(&server, &bad).starts_with("HTTP/1.1 4"));
        }
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let _ = stream.write_all(format!("GET /{long} HTTP/1.1\r\n").as_bytes());
        assert!(path(&server, "/metrics").ends_with("# EOF\n"));
    }

    #[test]
    fn a_server_that_is_dropped_gives_its_address_back() {
        let server = ops(Heartbeat::new(), Vec::new());
        let address = server.address();
        let idle = TcpStream::connect(address).unwrap();
        drop(server);
        // The thread ends by itself, soon.
        let end = (&idle).read(&mut [0]);
        assert!(end.map_or(true, |n| n == 0), "it was let go of");
        assert!(TcpStream::connect(address).is_err());
    }
}
