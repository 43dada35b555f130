//! One request and its answer, over TLS.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::model::{Model, Request};

/// Answers all that is asked over a connection.
pub(super) fn answer(
    stream: TcpStream,
    tls: &Arc<ServerConfig>,
    model: &Mutex<Model>,
) -> io::Result<()> {
    if model.lock().unwrap().is_away {
        return Ok(());
    }
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let connection = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
    let mut wire = BufReader::new(StreamOwned::new(connection, stream));
    while let Some(request) = read(&mut wire)? {
        let (status, body) = model.lock().unwrap().answer(&request);
        let place = model.lock().unwrap().redirects.clone();
        let location = place.map_or_else(String::new, |place| format!("Location: {place}\r\n"));
        let body = body.to_string();
        write!(
            wire.get_mut(),
            "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n{location}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        wire.get_mut().flush()?;
    }
    Ok(())
}

/// The next request; nothing if there is none.
fn read(wire: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut first = String::new();
    if wire.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        wire.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    wire.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        path,
        headers,
        body,
    }))
}
