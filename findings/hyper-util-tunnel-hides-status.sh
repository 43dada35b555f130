#!/bin/bash
# reqwest and hyper-util: a proxy's answer to CONNECT is lost, and a success other than 200 counts as a refusal.
#
# One expects: where a proxy refuses a tunnel, the error says with which status. 403 (not allowed) is for an
# administrator, 502 (the origin cannot be reached) goes away by itself, and a program has to tell them apart. And one
# expects RFC 9110, section 9.3.6: any 2xx answer to CONNECT means that the tunnel is open.
#
# What happens: only 200 opens a tunnel, and only 407 has an error of its own. Everything else, 201 and 204 too, is
# "tunnel error: unsuccessful": neither the text of the error and of its sources nor reqwest::Error::status() has the
# number, and nothing in them names the proxy.
#
# Who meets it: whoever asks for https URLs through a proxy that does not allow a host, or is in trouble. The log says
# "unsuccessful" for both, and looks as if the origin were at fault.
#
# Versions: reqwest 0.13.5, hyper-util 0.1.21. Upstream: seanmonstar/reqwest#1382 asks for more in this error; older
# versions of reqwest had text for 403 (seanmonstar/reqwest#596).
#
# Needs cargo and a C compiler. The proxy and the client are threads of one program, and speak over loopback.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "tunnel"
version = "0.0.0"
edition = "2024"
[dependencies]
hyper-util = { version = "=0.1.21", default-features = false }
reqwest = { version = "=0.13.5", default-features = false, features = ["rustls-no-provider"] }
rustls = { version = "=0.23.46", default-features = false, features = ["ring", "std", "tls12"] }
tokio = { version = "=1.54.1", features = ["rt"] }
TOML
cat > src/main.rs <<'RUST'
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Reads the request, answers, and says whether the client then goes on with TLS, as it does in a tunnel.
fn proxy(mut stream: TcpStream, answer: &str) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && head.len() < 4096 && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"CONNECT origin.example:443 "));
    stream.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).unwrap();
    matches!(stream.read(&mut byte), Ok(1)) && byte[0] == 22
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut changed = false;
    println!("proxy's answer   tunnel expected  tunnel used  status()  the last of the error's sources");
    for (answer, expected, recorded) in [
        ("200 OK", true, ""), // The control: there is a tunnel, and the proxy then ends the connection.
        ("201 Created", true, "tunnel error: unsuccessful"),
        ("204 No Content", true, "tunnel error: unsuccessful"),
        ("403 Forbidden", false, "tunnel error: unsuccessful"),
        ("407 Proxy Auth", false, "tunnel error: proxy authorization required"),
        ("502 Bad Gateway", false, "tunnel error: unsuccessful"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = std::thread::spawn(move || proxy(listener.accept().unwrap().0, answer));
        let client = reqwest::Client::builder()
            .proxy(reqwest::Proxy::https(format!("http://{address}")).unwrap())
            .tls_certs_only([])
            .timeout(Duration::from_secs(10));
        let request = client.build().unwrap().get("https://origin.example/file");
        let error = runtime.block_on(async { request.send().await }).unwrap_err();
        let used = served.join().unwrap();

        let mut texts = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            texts.push(cause.to_string());
            source = cause.source();
        }
        let text = format!("{texts:?} {error:?}");
        let told = error.status().is_some() || text.contains(&answer[..3]) || text.contains(&address.to_string());
        let (status, last) = (format!("{:?}", error.status()), texts.last().unwrap());
        println!("{answer:<17}{expected:<17}{used:<13}{status:<10}{last}");
        changed |= match recorded {
            "" => !used,
            recorded => used || told || !texts.iter().any(|text| text == recorded),
        };
    }
    println!("{}", if changed { "changed: not what was recorded" } else { "as recorded" });
    std::process::exit(changed.into());
}
RUST

export CARGO_TARGET_DIR=$dir/target CARGO_PROFILE_DEV_DEBUG=0
cargo build --quiet
cargo tree --quiet --depth 1 | sed -n 's/^.* \(hyper-util\|reqwest\) v/\1 /p'
timeout 120 target/debug/tunnel
