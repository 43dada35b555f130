//! A client of bare sockets that keeps what came, byte for byte, and how it ended.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::super::Origin;
use super::super::request::find;

/// What came back.
pub(super) struct Reply {
    pub(super) raw: Vec<u8>,
    pub(super) ended: Ended,
    pub(super) took: Duration,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// FIN, after a close_notify if there was TLS.
    Fin,
    /// RST.
    Reset,
    /// FIN without close_notify.
    NoCloseNotify,
    /// Nothing came for as long as we waited, or not all in four times as long.
    Silence,
    /// More came than anybody would want.
    TooMuch,
}

const ENOUGH: usize = 1 << 20;
/// How long silence lasts until it is believed, on a machine that has other things to do too.
const PATIENT: Duration = Duration::from_millis(600);
/// The same where silence is expected, or only costs an attempt.
const HASTY: Duration = Duration::from_millis(80);

/// A GET on a connection of its own that ends with the answer.
pub(super) fn get(origin: &Origin, target: &str, headers: &[(&str, &str)]) -> Reply {
    ask(origin, "GET", target, headers, PATIENT)
}

/// The same by a client that gives up soon, on whoever is silent and on whoever is slow.
pub(super) fn hasty_get(origin: &Origin, target: &str, headers: &[(&str, &str)]) -> Reply {
    ask(origin, "GET", target, headers, HASTY)
}

/// A GET in all but the method.
pub(super) fn with_method(method: &str, origin: &Origin, target: &str) -> Reply {
    ask(origin, method, target, &[], PATIENT)
}

fn ask(
    origin: &Origin,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    patience: Duration,
) -> Reply {
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    let mut stream = connect(origin, patience);
    let begin = Instant::now();
    // A server that closed already is seen when reading.
    let _ = stream.write_all((request + "\r\n").as_bytes());
    let (raw, ended) = read(&mut *stream, begin + 4 * patience);
    Reply {
        raw,
        ended,
        took: begin.elapsed(),
    }
}

/// A connection that gives up reading where nothing comes.
pub(super) fn connect(origin: &Origin, patience: Duration) -> Box<dyn Stream> {
    let tcp = TcpStream::connect(origin.address()).unwrap();
    tcp.set_read_timeout(Some(patience)).unwrap();
    if origin.url("/").starts_with("http:") {
        return Box::new(tcp);
    }
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(origin.ca_pem().as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    Box::new(StreamOwned::new(session, tcp))
}

pub(super) trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

fn read(stream: &mut dyn Stream, end: Instant) -> (Vec<u8>, Ended) {
    let mut raw = Vec::new();
    let mut chunk = [0; 16 << 10];
    let ended = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break Ended::Fin,
            Ok(n) => raw.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break Ended::Reset,
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => break Ended::NoCloseNotify,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break Ended::Silence;
            }
            Err(e) => unreachable!("{e}"),
        }
        if raw.len() > ENOUGH {
            break Ended::TooMuch;
        }
        if Instant::now() > end {
            break Ended::Silence;
        }
    };
    (raw, ended)
}

impl Reply {
    /// The heads, those of 1xx first, and the bytes behind the last.
    fn parts(&self) -> (Vec<&str>, &[u8]) {
        let (mut heads, mut rest) = (Vec::new(), &self.raw[..]);
        loop {
            let Some(end) = find(rest, b"\r\n\r\n") else {
                return (heads, &[]);
            };
            let Ok(head) = str::from_utf8(&rest[..end]) else {
                return (heads, &[]);
            };
            heads.push(head);
            rest = &rest[end + 4..];
            if !head.starts_with("HTTP/1.1 1") {
                return (heads, rest);
            }
        }
    }

    /// The status codes, those of 1xx first; none where there is no HTTP.
    pub(super) fn statuses(&self) -> Vec<u16> {
        let status = |head: &&str| head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok();
        self.parts().0.iter().filter_map(status).collect()
    }

    /// The last status.
    pub(super) fn status(&self) -> u16 {
        self.statuses().last().copied().unwrap_or(0)
    }

    /// The last head as it came.
    pub(super) fn head(&self) -> &str {
        self.parts().0.last().copied().unwrap_or_default()
    }

    /// All values of a header of the last head.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head().split("\r\n");
        lines
            .filter_map(|line| line.split_once(": "))
            .filter(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
            .collect()
    }

    /// The only value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} came {} times", all.len());
        all.first().copied()
    }

    /// The bytes behind the head, as they came.
    pub(super) fn body(&self) -> &[u8] {
        self.parts().1
    }

    /// The bytes in the chunks, and whether the last chunk came.
    pub(super) fn chunks(&self) -> (Vec<u8>, bool) {
        assert_eq!(self.header("transfer-encoding"), Some("chunked"));
        assert_eq!(self.header("content-length"), None);
        self.dechunked()
    }

    /// The same, whatever the head says.
    pub(super) fn dechunked(&self) -> (Vec<u8>, bool) {
        let (mut bytes, mut rest) = (Vec::new(), self.body());
        while let Some(end) = find(rest, b"\r\n") {
            let length = str::from_utf8(&rest[..end]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            if length == 0 {
                return (bytes, true);
            }
            let chunk = &rest[end + 2..];
            bytes.extend_from_slice(&chunk[..length.min(chunk.len())]);
            rest = chunk.get(length + 2..).unwrap_or_default();
        }
        (bytes, false)
    }

    /// What `Content-Length` says.
    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length").map(|n| n.parse().unwrap())
    }
}
