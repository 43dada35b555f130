//! What a client asked.

use std::io;

use super::wire::Wire;

/// The longest request head that is read.
const LONGEST: usize = 64 << 10;

/// The head of a request; no request of ours has a body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case, in the order of the wire; each character of a value is one byte of it (ISO-8859-1).
    pub(crate) headers: Vec<(String, String)>,
}

/// `bytes=first-` or `bytes=first-last`, both counted from 0 and included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) first: u64,
    pub(crate) last: Option<u64>,
}

impl Request {
    /// Reads the next head; nothing where the client is done. What was read too much stays in `rest`.
    pub(super) fn read(wire: &mut Wire, rest: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(end) = find(rest, b"\r\n\r\n") {
                let head: Vec<u8> = rest.drain(..end + 4).collect();
                let head: String = head.into_iter().map(char::from).collect();
                return Self::parse(&head)
                    .map(Some)
                    .ok_or_else(|| io::Error::other("not a request"));
            }
            if rest.len() > LONGEST {
                return Err(io::Error::other("the request has no end"));
            }
            match wire.get(&mut chunk)? {
                0 => return Ok(None),
                n => rest.extend_from_slice(&chunk[..n]),
            }
        }
    }

    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.trim_end().split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: lines
                .filter_map(|l| l.split_once(':'))
                .map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned()))
                .collect(),
        })
    }

    /// The first header of this name (in lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(k, _)| k == name)?;
        Some(&named.1)
    }

    /// The range that was asked for; forms that are not served count as none, as RFC 9110 allows.
    pub(crate) fn range(&self) -> Option<Asked> {
        let (first, last) = self
            .header("range")?
            .strip_prefix("bytes=")?
            .split_once('-')?;
        let first = first.parse().ok()?;
        let last = match last {
            "" => None,
            text => Some(text.parse().ok().filter(|last| *last >= first)?),
        };
        Some(Asked { first, last })
    }

    /// How many redirects of ours led here.
    pub(super) fn hop(&self) -> u32 {
        self.query
            .strip_prefix("hop=")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    }
}

/// Where `needle` begins in `hay`.
pub(super) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|w| w == needle)
}
