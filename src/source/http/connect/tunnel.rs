//! Through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::AGENT;
use super::super::proxy::{Proxy, names};

/// The longest head of an answer that is read.
const LONGEST: usize = 64 << 10;

/// Why there is no tunnel.
#[derive(Debug)]
pub(super) enum Failed {
    /// The proxy answered, and not with a success.
    Answer {
        status: u16,
        /// The schemes of its `Proxy-Authenticate` fields.
        offers: Vec<String>,
    },
    /// It did not answer in HTTP.
    Broken(String),
}

/// Asks the proxy for a tunnel. On success the stream is one to the origin.
pub(super) async fn open<T: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut T,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<(), Failed> {
    let broken = |e: std::io::Error| Failed::Broken(format!("closed the connection ({e})"));
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {AGENT}\r\n")
            .into_bytes();
    if let Some(login) = proxy.basic() {
        request.extend(b"Proxy-Authorization: ");
        request.extend(login.as_bytes());
        request.extend(b"\r\n");
    }
    request.extend(b"\r\n");
    stream.write_all(&request).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut read = Vec::new();
    loop {
        let head = head(stream, &mut read).await?;
        let status = status(&head)?;
        match status {
            // An answer before the answer.
            100..=199 => {}
            200..=299 => return Ok(()),
            _ => {
                let offers = offers(&head);
                return Err(Failed::Answer { status, offers });
            }
        }
    }
}

/// The next head, without the empty line; what came behind it stays in `read`.
async fn head<T: AsyncRead + Unpin>(stream: &mut T, read: &mut Vec<u8>) -> Result<String, Failed> {
    loop {
        let end = |mark: &[u8]| {
            let found = read.windows(mark.len()).position(|w| w == mark);
            found.map(|at| at + mark.len())
        };
        if let Some(end) = end(b"\r\n\r\n").or_else(|| end(b"\n\n")) {
            let head: Vec<u8> = read.drain(..end).collect();
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
        if !speaks_http(read) {
            return Err(Failed::Broken("does not speak HTTP".to_owned()));
        }
        if read.len() > LONGEST {
            return Err(Failed::Broken(format!(
                "sent a response of more than {LONGEST} bytes to CONNECT"
            )));
        }
        match stream.read_buf(read).await {
            Ok(0) => {
                return Err(Failed::Broken(
                    "closed the connection without answering CONNECT".to_owned(),
                ));
            }
            Ok(_) => {}
            Err(e) => {
                return Err(Failed::Broken(format!(
                    "closed the connection instead of answering CONNECT ({e})"
                )));
            }
        }
    }
}

fn speaks_http(read: &[u8]) -> bool {
    let name = b"HTTP/1.";
    read.iter().zip(name).all(|(a, b)| a == b)
}

fn status(head: &str) -> Result<u16, Failed> {
    let line = head.lines().next().unwrap_or_default();
    let code = line.strip_prefix("HTTP/1.").and_then(|rest| {
        let (_, code) = rest.split_once(' ')?;
        code.get(..3)?.parse().ok()
    });
    code.filter(|c| (100..=599).contains(c))
        .ok_or_else(|| Failed::Broken("does not speak HTTP".to_owned()))
}

fn offers(head: &str) -> Vec<String> {
    names(head.lines().skip(1).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authenticate")
            .then_some(value)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_and_the_offers_of_an_answer_are_read() {
        let head = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n\
                    proxy-authenticate: Basic realm=\"canary\"\r\nX: Digest\r\n\r\n";
        assert_eq!(status(head).unwrap(), 407);
        assert_eq!(offers(head), ["Negotiate", "Basic"]);
        for bad in [
            "",
            "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1 20",
            "HTTP/1.1 abc",
            "HTTP/2 200",
            "HTTP/1.1 999 x",
        ] {
            assert!(status(bad).is_err(), "{bad}");
        }
    }
}
