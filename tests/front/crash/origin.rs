//! An origin whose bytes come as slowly as a test wants, and that counts who asks.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Random, pause};

/// Serves `/<anything>-<size>.bin`, each path with bytes of its own, with a strong validator and with ranges.
pub(super) struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<HashMap<String, usize>>,
    /// Microseconds between one piece and the next.
    pace: AtomicU64,
    over: AtomicBool,
}

/// Something that the origin has.
#[derive(Clone)]
pub(super) struct Artifact {
    pub(super) path: String,
    pub(super) url: String,
    pub(super) bytes: Arc<Vec<u8>>,
    /// 64 hexadecimal digits.
    pub(super) sha256: String,
}

/// In how many pieces an object is sent.
const PIECES: usize = 4;

impl Origin {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if all.over.load(Ordering::Relaxed) {
                    return;
                }
                let one = Arc::clone(&all);
                // Who was killed in the middle hangs up: no error of the origin's.
                thread::spawn(move || connection.and_then(|c| one.serve(&c)));
            }
        });
        Self { address, shared }
    }

    /// An object of so many bytes.
    pub(super) fn artifact(&self, name: &str, size: usize) -> Artifact {
        let path = format!("/{name}-{size}.bin");
        let bytes = content(&path);
        Artifact {
            url: format!("http://{}{path}", self.address),
            sha256: hex::encode(Sha256::digest(&bytes)),
            bytes: Arc::new(bytes),
            path,
        }
    }

    /// How often an object was asked for.
    pub(super) fn asked(&self, artifact: &Artifact) -> usize {
        let asked = self.shared.asked.lock().unwrap();
        asked.get(&artifact.path).copied().unwrap_or_default()
    }

    /// How long it waits after each piece but the last.
    pub(super) fn pace(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap();
        self.shared.pace.store(micros, Ordering::Relaxed);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut connection: &TcpStream) -> std::io::Result<()> {
        connection.set_nodelay(true)?;
        let (mut path, mut offset) = (String::new(), None);
        for line in BufReader::new(connection).lines() {
            let line = line?.to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("get ") {
                path = rest.split(' ').next().unwrap_or_default().to_owned();
            } else if let Some(from) = line.strip_prefix("range: bytes=") {
                offset = from.trim_end_matches('-').parse::<usize>().ok();
            } else if line.is_empty() {
                break;
            }
        }
        if path.is_empty() {
            // Who hangs up before asking was killed.
            return Ok(());
        }
        *self.asked.lock().unwrap().entry(path.clone()).or_default() += 1;
        let all = content(&path);
        let (from, length) = (offset.unwrap_or(0), all.len());
        let fixed = format!(
            "etag: \"{}\"\r\naccept-ranges: bytes\r\nconnection: close\r\n",
            &path[1..]
        );
        if from >= length {
            let head = format!(
                "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */{length}\r\ncontent-length: 0\r\n"
            );
            return connection.write_all(format!("{head}{fixed}\r\n").as_bytes());
        }
        let status = match offset {
            None => "200 OK".to_owned(),
            Some(from) => format!(
                "206 Partial Content\r\ncontent-range: bytes {from}-{}/{length}",
                length - 1
            ),
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", length - from);
        connection.write_all(format!("{head}{fixed}\r\n").as_bytes())?;
        for (i, piece) in all[from..].chunks(length.div_ceil(PIECES)).enumerate() {
            if i > 0 {
                pause(Duration::from_micros(self.pace.load(Ordering::Relaxed)));
            }
            connection.write_all(piece)?;
        }
        Ok(())
    }
}

/// The bytes of a path: its own, and each time the same.
fn content(path: &str) -> Vec<u8> {
    let size = path
        .trim_end_matches(".bin")
        .rsplit('-')
        .next()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    let seed = path.bytes().fold(1, |n: u64, b| {
        n.wrapping_mul(1_000_003).wrapping_add(u64::from(b))
    });
    let mut random = Random(seed);
    let mut bytes: Vec<u8> = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend(random.next().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
