//! Through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::AGENT;
use super::super::error::Failure;
use super::super::proxy::{Proxy, names};
use super::who::broken;

/// The longest head of an answer that is read.
const LONGEST: usize = 64 << 10;

/// Asks the proxy for a tunnel to `to`, a host and a port. On success the stream is one to the origin.
pub(super) async fn open<T: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut T,
    proxy: &Proxy,
    to: &str,
) -> Result<(), Failure> {
    let closed = |e: std::io::Error| broken(proxy, format!("closed the connection ({e})"));
    let mut request =
        format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: {AGENT}\r\n").into_bytes();
    if let Some(login) = proxy.basic() {
        request.extend(b"Proxy-Authorization: ");
        request.extend(login.as_bytes());
        request.extend(b"\r\n");
    }
    request.extend(b"\r\n");
    stream.write_all(&request).await.map_err(closed)?;
    stream.flush().await.map_err(closed)?;
    let mut read = Vec::new();
    loop {
        let head = head(stream, &mut read).await;
        let head = head.map_err(|why| broken(proxy, why))?;
        match status(&head) {
            None => return Err(broken(proxy, NO_HTTP)),
            // An answer before the answer.
            Some(100..=199) => {}
            Some(200..=299) => return Ok(()),
            Some(status) => {
                return Err(Failure::ProxyStatus {
                    proxy: proxy.to_string(),
                    asked: format!("CONNECT {to}"),
                    status,
                    offers: offers(&head),
                });
            }
        }
    }
}

const NO_HTTP: &str = "does not speak HTTP";

/// The next head, without the empty line; what came behind it stays in `read`. An error says what the proxy did.
async fn head<T: AsyncRead + Unpin>(stream: &mut T, read: &mut Vec<u8>) -> Result<String, String> {
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
            return Err(NO_HTTP.to_owned());
        }
        if read.len() > LONGEST {
            return Err(format!(
                "sent a response of more than {LONGEST} bytes to CONNECT"
            ));
        }
        match stream.read_buf(read).await {
            Ok(0) => return Err("closed the connection without answering CONNECT".to_owned()),
            Ok(_) => {}
            Err(e) => {
                return Err(format!(
                    "closed the connection instead of answering CONNECT ({e})"
                ));
            }
        }
    }
}

fn speaks_http(read: &[u8]) -> bool {
    let name = b"HTTP/1.";
    read.iter().zip(name).all(|(a, b)| a == b)
}

fn status(head: &str) -> Option<u16> {
    let line = head.lines().next().unwrap_or_default();
    let (_, code) = line.strip_prefix("HTTP/1.")?.split_once(' ')?;
    let code = code.get(..3)?.parse().ok()?;
    (100..=599).contains(&code).then_some(code)
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
            assert!(status(bad).is_none(), "{bad}");
        }
    }
}
