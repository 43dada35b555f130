#!/bin/bash
# hyper-util: a client of an HTTP/2 server has one connection, also when the server takes no more requests on it.
#
# One expects: a server says how many requests it takes at a time on one connection (SETTINGS_MAX_CONCURRENT_STREAMS,
# RFC 9113, section 6.5.2), and a client that has more of them opens another connection, as Go's net/http does and as every
# client does over HTTP/1.1.
#
# What happens: the pool of hyper_util::client::legacy::Client, which reqwest and kube share, has one connection for an HTTP/2
# server. The next request waits, without an error or a word in the log, until one of the others ends.
#
# Who meets it: whoever has requests that do not end. kube-apiserver takes 100 on a connection (unless
# --http2-max-streams-per-connection says otherwise), so a controller with 100 watches gets nothing more: neither the next
# watch nor a simple get, until the API server ends one of the watches after five to ten minutes.
#
# Versions: hyper-util 0.1.21, hyper 1.12.0, h2 0.4.20; beside it Go's net/http, of whatever Go is there.
#
# Needs cargo, a C compiler and Go 1.24 or newer. The server takes two requests at a time; everything speaks over loopback.
set -euo pipefail

dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
cd "$dir"
mkdir src go
cat > Cargo.toml <<'TOML'
[package]
name = "full"
version = "0.0.0"
edition = "2024"
[dependencies]
bytes = "=1.12.1"
h2 = "=0.4.20"
http-body-util = "=0.1.5"
hyper = { version = "=1.12.0", features = ["http2", "server"] }
hyper-util = { version = "=0.1.21", features = ["client-legacy", "http2", "tokio"] }
tokio = { version = "=1.54.1", features = ["net", "rt", "time", "io-std", "io-util"] }
TOML
cat > src/main.rs <<'RUST'
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Frame};
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// The body of a watch: it has no end.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Pending
    }
}

async fn serve(listener: TcpListener, connections: Arc<AtomicUsize>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.fetch_add(1, Ordering::SeqCst);
        let answer = hyper::service::service_fn(async |request: Request<hyper::body::Incoming>| {
            let body: BoxBody<Bytes, Infallible> = match request.uri().path() {
                "/watch" => Endless.boxed(),
                _ => Full::from("got").boxed(),
            };
            Ok::<_, Infallible>(Response::new(body))
        });
        tokio::task::spawn_local(
            hyper::server::conn::http2::Builder::new(LocalExecutor)
                .max_concurrent_streams(2)
                .serve_connection(TokioIo::new(stream), answer),
        );
    }
}

#[derive(Clone)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async { drop(task.await) });
    }
}

async fn run() -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    tokio::task::spawn_local(serve(listener, Arc::clone(&connections)));
    if std::env::args().any(|word| word == "serve") {
        println!("{url}");
        std::future::pending::<()>().await;
    }
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<Bytes>>();
    let get = |path: &str| client.get(format!("{url}{path}").parse().unwrap());
    let mut watches = vec![get("/watch").await.unwrap(), get("/watch").await.unwrap()];
    let mut third = std::pin::pin!(get("/get"));
    let waits = tokio::time::timeout(Duration::from_secs(3), &mut third).await.is_err();
    println!("two watches, and a get: {}", if waits { "no answer in 3 s" } else { "answered" });
    watches.pop();
    let answered = tokio::time::timeout(Duration::from_secs(10), third).await.is_ok();
    println!("one watch has ended:    {}", if answered { "the get is answered" } else { "no answer" });
    let connections = connections.load(Ordering::SeqCst);
    println!("connections:            {connections}");
    waits && answered && connections == 1
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let as_recorded = tokio::task::LocalSet::new().block_on(&runtime, run());
    println!("{}", if as_recorded { "as recorded" } else { "changed: not what was recorded" });
    std::process::exit((!as_recorded).into());
}
RUST
cat > go/main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"time"
)

func main() {
	connections := 0
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := http.Client{Transport: &http.Transport{Protocols: &protocols}, Timeout: 10 * time.Second}
	for _, path := range []string{"/watch", "/watch", "/get"} {
		request, _ := http.NewRequest("GET", os.Args[1]+path, nil)
		trace := httptrace.ClientTrace{ConnectDone: func(_, _ string, _ error) { connections++ }}
		if _, err := client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), &trace))); err != nil {
			fmt.Println("Go's net/http:", path, err)
			os.Exit(1)
		}
	}
	fmt.Println("Go's net/http:          all three are answered, connections:", connections)
	if connections != 2 {
		os.Exit(1)
	}
}
GO
printf 'module full\n\ngo 1.24\n' > go/go.mod

export CARGO_TARGET_DIR=$dir/target CARGO_PROFILE_DEV_DEBUG=0
cargo build --quiet
cargo tree --quiet | sed -n 's/^.* \(hyper-util\|hyper\|h2\) v/\1 /p' | sort -u | grep -v '(\*)'
timeout 60 target/debug/full
target/debug/full serve > address &
server=$!
until [ -s address ]; do sleep 0.1; done
(cd go && GOFLAGS=-mod=mod go run . "$(cat ../address)")
