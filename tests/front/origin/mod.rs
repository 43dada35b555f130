//! A web server that can lie: the origin of the tests.
//!
//! Owns the universe of bad origins: each [`Behaviour`] bends the plan of an honest answer before it is sent, up
//! to three combine, and each says what must become of a download that meets it. Bytes and closes are under
//! exact control: threads and sockets, no HTTP library.
//!
//! Invariant: without behaviours it is honest, and what a behaviour claims is seen on the wire (`tests`).
//!
//! Left out on purpose: HTTP/2, request bodies, lists of ranges, suffix ranges.
#![expect(
    clippy::disallowed_methods,
    reason = "a server with a clock, whose threads pause on purpose"
)]
mod behaviour;
mod bend;
mod date;
mod expect;
mod gzip;
mod honest;
mod object;
mod plan;
mod request;
mod send;
mod serve;
mod state;
mod strategy;
mod tests;
mod tls;
mod turn;
mod wire;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

pub(crate) use self::behaviour::{Behaviour, RetryAfter};
pub(crate) use self::expect::{Expect, PATIENCE, Spell, Times, outcome};
pub(crate) use self::object::{Object, Validator};
pub(crate) use self::state::Seen;
pub(crate) use self::strategy::Scene;

pub(crate) use self::tls::authority;

use self::serve::Shared;

/// A server on this machine (127.0.0.1, if nothing else is said) that ends with its value, threads and connections included.
pub(crate) struct Origin {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

impl Origin {
    /// An http origin.
    pub(crate) fn start() -> Self {
        Self::listen(Shared::new(None), Ipv4Addr::LOCALHOST.into())
    }

    /// An http origin on ::1.
    pub(crate) fn start_v6() -> Self {
        Self::listen(Shared::new(None), Ipv6Addr::LOCALHOST.into())
    }

    /// An https origin; its certificate is good for 127.0.0.1 and localhost, to whoever trusts [`Origin::ca_pem`].
    pub(crate) fn start_tls() -> Self {
        let shared = Shared::new(Some(tls::authority().server.clone()));
        Self::listen(shared, Ipv4Addr::LOCALHOST.into())
    }

    fn listen(shared: Arc<Shared>, ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let theirs = shared.clone();
        Self {
            shared,
            address,
            acceptor: Some(thread::spawn(move || theirs.accept(&listener))),
        }
    }

    /// Puts an object behind a path, in the place of the one that is there; answers under way are finished.
    pub(crate) fn put(&self, path: &str, object: Object) {
        self.shared.state.lock().unwrap().put(path, object);
    }

    /// When the object behind a path changed last, as it says.
    pub(crate) fn modified(&self, path: &str) -> Option<SystemTime> {
        self.shared.state.lock().unwrap().objects[path].last_modified
    }

    /// Other bytes in the place of those that are there, as if in the same second.
    pub(crate) fn replace_within_the_second(&self, path: &str, bytes: Vec<u8>) {
        let mut state = self.shared.state.lock().unwrap();
        let next = state.objects[path].replaced(bytes);
        state.put(path, next);
    }

    /// All bytes that were ever behind a path, the first first: what a client may rightly end up with.
    pub(crate) fn contents(&self, path: &str) -> Vec<Arc<[u8]>> {
        let state = self.shared.state.lock().unwrap();
        state.contents.get(path).cloned().unwrap_or_default()
    }

    /// From now on requests for this path meet these and no others.
    pub(crate) fn behave(&self, path: &str, spells: Vec<Spell>) {
        self.shared.state.lock().unwrap().behave(path, spells);
    }

    /// Where a path is.
    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.shared.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}{path}", self.address)
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority behind every https origin of this process.
    pub(crate) fn ca_pem(&self) -> &'static str {
        &tls::authority().pem
    }

    /// Every request so far, the first first.
    pub(crate) fn log(&self) -> Vec<Seen> {
        self.shared.state.lock().unwrap().log.clone()
    }

    /// How many GETs there were for a path.
    pub(crate) fn gets(&self, path: &str) -> usize {
        let got = |seen: &&Seen| seen.method == "GET" && seen.path == path;
        self.log().iter().filter(got).count()
    }

    /// How many bytes of bodies were sent for a path.
    pub(crate) fn bytes_sent(&self, path: &str) -> u64 {
        let log = self.log();
        let of_path = log.iter().filter(|seen| seen.path == path);
        of_path.map(|seen| seen.sent).sum()
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state.lock().unwrap().connections
    }

    /// Whether no connection is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.shared.is_idle()
    }

    /// Whether any header or query of any request holds this text: for canaries.
    pub(crate) fn has_seen(&self, secret: &str) -> bool {
        self.log().iter().any(|seen| {
            seen.query.contains(secret)
                || seen.headers.iter().any(|(_, value)| value.contains(secret))
        })
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stop();
        // The acceptor only looks up when somebody knocks.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}
