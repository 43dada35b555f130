//! Canary secrets in what kubelet hands over (docs/design/faults.md, 44): in no log, error, record, metric or list.

use std::fs;
use std::time::Duration;

use super::scene::Scene;
use super::{Answer, Call, Driver};
use crate::origin::{Behaviour, RetryAfter};
use crate::sandbox::Sandbox;
use crate::secrets::cage::{CANARY, CODED, files_are_silent, secret_url, silent};

/// Everything that can be logged, of the libraries too.
const TRACE: &str =
    "trace,h2=trace,tonic=trace,hyper=trace,tower=trace,reqwest=trace,rustls=trace,axum=trace";

/// A driver that logs everything, in one form or the other.
fn scene(form: &str) -> Scene {
    let sandbox = Sandbox::new();
    let driver = Driver::begin(&sandbox, &["--log-level", TRACE, "--log-format", form]);
    driver.is_ready();
    Scene::of(sandbox, driver)
}

impl Scene {
    /// With a secret in the URL and one of the two kinds of credentials.
    fn secretly(&self, pod: usize) -> Call {
        let url = secret_url(&self.origin);
        let call = self.driver.inline(&format!("pod{pod}"), &url);
        if pod.is_multiple_of(2) {
            return call.secret("token", &format!("{CANARY}-token"));
        }
        call.secret("username", &format!("{CANARY}-user"))
            .secret("password", &format!("{CANARY}-password"))
    }

    fn listens(&self, answer: &Answer) {
        if let Err((_, words)) = answer {
            silent(words, "an answer");
        }
        silent(&self.driver.log(), "the log");
        files_are_silent(&self.sandbox.root());
    }
}

#[test]
fn nothing_sings_where_all_goes_well() {
    for form in ["text", "json"] {
        let scene = scene(form);
        for call in [0, 1].map(|pod| scene.secretly(pod)) {
            for _ in 0..2 {
                let answer = scene.driver.publish(&call);
                answer.clone().unwrap();
                scene.listens(&answer);
            }
            scene.listens(&scene.driver.unpublish(&call));
        }
        assert!(scene.origin.has_seen(&format!("Bearer {CANARY}-token")));
        assert!(scene.origin.has_seen(CODED));
        assert!(scene.origin.has_seen(&format!("sig={CANARY}-sig")));
        assert!(
            scene.driver.log().contains("downloaded"),
            "nothing was logged"
        );
    }
}

#[test]
fn nothing_sings_where_a_step_fails() {
    let scene = scene("text");
    let busy = Behaviour::Busy {
        status: 500,
        retry_after: RetryAfter::Unsaid,
    };
    let failures = [
        Behaviour::Refused { status: 401 },
        Behaviour::Refused { status: 403 },
        Behaviour::Refused { status: 404 },
        busy,
        Behaviour::Garbage,
        Behaviour::FinAt { at: 1000 },
        Behaviour::RedirectNowhere,
        Behaviour::Gzipped,
        Behaviour::SilenceAt { at: 1000 },
    ];
    for (i, failure) in failures.into_iter().enumerate() {
        scene.origin.behave("/a.war", vec![failure.always()]);
        let call = scene.secretly(i);
        let answer = scene.driver.publish_within(&call, Duration::from_secs(2));
        assert!(answer.is_err(), "{i}");
        scene.listens(&answer);
        scene.listens(&scene.driver.unpublish(&call));
    }
    assert!(scene.origin.has_seen(&format!("Bearer {CANARY}-token")));
}

/// A request that is refused is not repeated in the refusal, and a driver that is killed leaves nothing to read.
#[test]
fn nothing_sings_in_a_request_that_is_wrong() {
    let scene = scene("json");
    let url = secret_url(&scene.origin);
    let call = scene.driver.inline("pod", &url).secret("token", CANARY);
    let with_password = format!("https://me:{CANARY}@example.com/a.war");
    let wrong = [
        call.clone().secret("api-key", CANARY),
        call.clone().secret("username", CANARY),
        call.clone().context(&[("checksum", "sha256:1")]),
        call.clone().context(&[("downloadURL", &with_password)]),
        call.clone()
            .context(&[("downloadURL", &format!("s3://bucket/a?{CANARY}"))]),
        call.clone().context(&[("unknown", CANARY)]),
        call.clone()
            .context(&[("csi.storage.k8s.io/serviceAccount.tokens", CANARY)]),
        call.clone()
            .mounted(|m| m.mount_flags = vec!["noexec".to_owned()]),
    ];
    for call in wrong {
        let answer = scene.driver.publish(&call);
        assert!(answer.is_err());
        scene.listens(&answer);
    }
    scene.origin.behave(
        "/a.war",
        vec![Behaviour::SilenceAt { at: 200_000 }.always()],
    );
    let answer = scene.driver.publish_within(&call, Duration::from_secs(2));
    scene.listens(&answer);
    let scene = scene.killed();
    scene.listens(&Ok(()));
    let core = fs::read_dir(scene.sandbox.root()).unwrap().count();
    assert!(core >= 3, "the store was looked at");
}
