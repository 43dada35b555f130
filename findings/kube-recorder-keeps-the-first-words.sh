#!/bin/bash
# kube's event Recorder: the words of a second event are lost if its reason is the same.
#
# One expects: two events with the same reason and other notes are two events, as client-go's recorder makes them, whose
# key for a series holds the note; or at least the later note replaces the earlier one.
#
# What happens: within six minutes an event of the same object, type, reason and action is taken for a repetition, whatever
# its note says. The first event is patched with a count and the time, and with its own old note. The second note is sent
# to nobody.
#
# Who meets it: a controller that says "updated from v1 to v2" and, a minute later, "updated from v2 to v3": kubectl
# describe shows "updated from v1 to v2", twice, the last one a second ago.
#
# Versions: kube 5.0.0, kube-runtime 5.0.0, k8s-openapi 0.29.0.
#
# Needs cargo. The API server is a function in the same program: nothing is sent anywhere.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "recorded"
version = "0.0.0"
edition = "2024"
[dependencies]
http = "=1.5.0"
http-body-util = "=0.1.5"
k8s-openapi = { version = "=0.29.0", default-features = false, features = ["earliest"] }
kube = { version = "=5.0.0", default-features = false, features = ["client", "runtime"] }
serde_json = "1"
tokio = { version = "=1.54.1", features = ["rt"] }
tower = { version = "=0.5.3", default-features = false, features = ["util"] }
TOML
cat > src/main.rs <<'RUST'
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, client::Body};
use serde_json::Value;

fn main() {
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&sent);
    let server = tower::service_fn(move |request: http::Request<Body>| {
        let noted = Arc::clone(&noted);
        async move {
            let method = request.method().to_string();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let event: Value = serde_json::from_slice(&body).unwrap();
            let count = event["series"]["count"].as_i64().unwrap_or(1);
            let note = event["note"].as_str().unwrap_or("none").to_owned();
            noted.lock().unwrap().push(format!("{method} {note}, {count}x"));
            // As the API server does: with what was sent.
            Ok::<_, Infallible>(http::Response::new(Body::from(body.to_vec())))
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let recorder = runtime.block_on(async {
        Recorder::new(
            Client::new(server, "default"),
            Reporter { controller: "example.com/controller".into(), instance: Some("one".into()) },
        )
    });
    let pod = ObjectReference {
        kind: Some("Pod".into()),
        name: Some("sample".into()),
        namespace: Some("default".into()),
        ..ObjectReference::default()
    };
    for note in ["v1 to v2", "v2 to v3"] {
        let event = Event {
            type_: EventType::Normal,
            reason: "Updated".into(),
            note: Some(note.into()),
            action: "Update".into(),
            secondary: None,
        };
        runtime.block_on(recorder.publish(&event, &pod)).unwrap();
    }
    let sent = sent.lock().unwrap();
    println!("{:<36}{}", "expected", "seen");
    for (expected, seen) in ["POST v1 to v2, 1x", "POST v2 to v3, 1x"].iter().zip(sent.iter()) {
        println!("{expected:<36}{seen}");
    }
    let recorded = ["POST v1 to v2, 1x", "PATCH v1 to v2, 2x"];
    assert!(sent.iter().eq(recorded.iter()), "kube's recorder behaves differently by now");
}
RUST
echo "kube 5.0.0, kube-runtime 5.0.0, k8s-openapi 0.29.0"
cargo run --quiet
