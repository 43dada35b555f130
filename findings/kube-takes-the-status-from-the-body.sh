#!/bin/bash
# kube: the status of a failed request is what the body says, not what the response says, and a redirect is a success.
#
# One expects: kube::Error::Api has the HTTP status of the response, and a response that is no success is an error.
#
# What happens: where the body of a 4xx or 5xx is any JSON object, it is read as a Kubernetes Status, every field of which
# may be missing, and its "code" is reported. An object of another kind has none, so the code is 0 and neither
# Status::is_not_found() nor a match on 401 sees anything. And only 4xx and 5xx count as failures: the body of a 307 is
# parsed as the object that was asked for.
#
# Who meets it: whoever talks to an API server behind a gateway, a load balancer or a login page, which answer for it with
# JSON of their own. A client that tries again at 429 or 503, or reads its token again at 401, does not.
#
# Versions: kube 5.0.0, k8s-openapi 0.29.0.
#
# Needs cargo. The server is a function in the same program: nothing is sent anywhere.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "answered"
version = "0.0.0"
edition = "2024"
[dependencies]
http = "=1.5.0"
k8s-openapi = { version = "=0.29.0", default-features = false, features = ["earliest"] }
kube = { version = "=5.0.0", default-features = false, features = ["client"] }
tokio = { version = "=1.54.1", features = ["rt"] }
tower = { version = "=0.5.3", default-features = false, features = ["util"] }
TOML
cat > src/main.rs <<'RUST'
use std::convert::Infallible;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, Error, client::Body};

fn seen(status: u16, body: &'static str) -> String {
    let server = tower::service_fn(move |_: http::Request<Body>| async move {
        let answer = http::Response::builder().status(status);
        Ok::<_, Infallible>(answer.body(Body::from(body.as_bytes().to_vec())).unwrap())
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let maps: Api<ConfigMap> = Api::namespaced(Client::new(server, "default"), "default");
        match maps.get("settings").await {
            Ok(map) => format!("success, an object named {:?}", map.metadata.name.unwrap_or_default()),
            Err(Error::Api(status)) => format!("error, code {}", status.code),
            Err(other) => format!("another error: {other}"),
        }
    })
}

fn main() {
    let object = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}"#;
    let proper = r#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}"#;
    let mut changed = false;
    println!("{:<52}{:<24}seen", "answer", "expected");
    for (status, body, expected, recorded) in [
        // Three controls.
        (200, object, "success", "success, an object named \"settings\""),
        (404, proper, "error, code 404", "error, code 404"),
        (404, "not here", "error, code 404", "error, code 404"),
        (401, r#"{"message": "log in first"}"#, "error, code 401", "error, code 0"),
        (503, r#"{"error": "no backend"}"#, "error, code 503", "error, code 0"),
        (503, r#"{"code": 14}"#, "error, code 503", "error, code 14"),
        (307, "{}", "error, code 307", "success, an object named \"\""),
    ] {
        let seen = seen(status, body);
        let answer: String = format!("{status} {body}").chars().take(50).collect();
        println!("{answer:<52}{expected:<24}{seen}");
        changed |= seen != recorded;
    }
    assert!(!changed, "kube behaves differently by now");
}
RUST
echo "kube 5.0.0, k8s-openapi 0.29.0"
cargo run --quiet
