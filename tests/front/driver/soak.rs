//! Thirty pods at a time come and go at random, callers hang up, drivers are killed and stopped, and in the end nothing
//! is left (docs/design/faults.md, 35). What is healthy never gets an error, and its mount never changes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use tonic::Code;

use super::scene::Scene;
use super::{Answer, Call, Driver};
use crate::crash::{Random, pause};
use crate::node::{bytes, digest, mounts_at};
use crate::origin::{Behaviour, Object};

const PODS: usize = 30;
const ARTIFACTS: usize = 5;

/// Operations at least, and of each kind and outcome at least.
const OPERATIONS: usize = 2000;
const LEAST: usize = 50;

const KINDS: [&str; 6] = [
    "publish",
    "republish",
    "cancel",
    "unpublish",
    "kill",
    "stop",
];
const OUTCOMES: [&str; 6] = ["ok", "aborted", "not found", "data loss", "hung up", "lost"];

#[test]
fn two_thousand_operations_and_kills_leave_nothing_and_hurt_nothing_healthy() {
    let mut course = Course::new();
    let mut random = Random::new("driver soak");
    while !course.is_enough() {
        course.round(&mut random);
    }
    println!("driver soak: {:?}", course.counts);
    course.ends();
}

/// What is known of a pod's volume.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    Shown(Vec<u64>),
    /// A call for it ended without an answer that says.
    Unsure,
}

struct Pod {
    call: Call,
    known: Known,
}

/// What is done to a pod in a round.
enum Act {
    Publish(Call, Duration),
    /// With a caller that hangs up after so long.
    Cancel(Call, Duration),
    Republish,
    Unpublish,
}

struct Course {
    scene: Scene,
    pods: Vec<Pod>,
    counts: BTreeMap<&'static str, usize>,
    /// Names artifacts that nobody has asked for before.
    unique: AtomicUsize,
}

impl Course {
    fn new() -> Self {
        let scene = Scene::new();
        for i in 0..ARTIFACTS {
            let object = Object::new(bytes(i as u64, 20_000 * (i + 1)));
            scene.origin.put(&format!("/{i}.war"), object);
        }
        let pods = (0..PODS)
            .map(|i| Pod {
                call: scene.driver.inline(&format!("pod{i}"), ""),
                known: Known::Nothing,
            })
            .collect();
        Self {
            scene,
            pods,
            counts: BTreeMap::new(),
            unique: AtomicUsize::new(0),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn is_enough(&self) -> bool {
        let of = |what: &&str| self.counts.get(what).copied().unwrap_or_default();
        let all: usize = KINDS.iter().map(of).sum();
        assert!(
            all < 10 * OPERATIONS,
            "still not enough of something: {:?}",
            self.counts
        );
        all >= OPERATIONS && KINDS.iter().chain(&OUTCOMES).all(|what| of(what) >= LEAST)
    }

    /// Some pods at once; now and then the driver ends in the middle of it.
    fn round(&mut self, random: &mut Random) {
        let first = random.below(PODS);
        let chosen: Vec<usize> = (0..=random.below(8)).map(|i| (first + i) % PODS).collect();
        let acts: Vec<Act> = chosen.iter().map(|pod| self.choose(*pod, random)).collect();
        let signal = match random.below(8) {
            0 => Some(Signal::KILL),
            1 => Some(Signal::TERM),
            _ => None,
        };
        let moment = Duration::from_micros(random.below(15_000) as u64);
        let answers: Vec<Option<Answer>> = std::thread::scope(|threads| {
            let run = |pod: usize, act| {
                let (scene, pods) = (&self.scene, &self.pods);
                threads.spawn(move || perform(&scene.driver, &pods[pod].call, act))
            };
            let calls: Vec<_> = chosen
                .iter()
                .zip(&acts)
                .map(|(pod, act)| run(*pod, act))
                .collect();
            if let Some(signal) = signal {
                pause(moment);
                kill_process(self.scene.driver.pid(), signal).unwrap();
            }
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        for ((pod, act), answer) in chosen.into_iter().zip(acts).zip(answers) {
            self.learn(pod, act, answer, signal.is_some());
        }
        if let Some(signal) = signal {
            self.count(if signal == Signal::KILL {
                "kill"
            } else {
                "stop"
            });
            self.scene.driver.is_gone();
            let driver = Driver::begin(&self.scene.sandbox, &[]);
            driver.is_ready();
            self.scene.driver = driver;
        }
        for pod in &self.pods {
            if let Known::Shown(mounts) = &pod.known {
                assert_eq!(
                    &mounts_at(&pod.call.target()),
                    mounts,
                    "a healthy mount changed"
                );
            }
        }
    }

    fn choose(&mut self, pod: usize, random: &mut Random) -> Act {
        let minutes = Duration::from_secs(120);
        match (&self.pods[pod].known, random.below(10)) {
            (Known::Shown(_), 0..=4) => Act::Republish,
            (Known::Shown(_), _) | (Known::Unsure, 0..=4) => Act::Unpublish,
            // As kubelet does where it does not know: the same again.
            (Known::Unsure, _) => Act::Publish(self.pods[pod].call.clone(), minutes),
            (Known::Nothing, 0) => Act::Publish(self.asks(pod, "/missing.war"), minutes),
            (Known::Nothing, 1) => {
                let url = format!("/{}.war", random.below(ARTIFACTS));
                let wrong = digest(b"something else");
                Act::Publish(
                    self.asks(pod, &url).context(&[("checksum", &wrong)]),
                    minutes,
                )
            }
            // Less than the pause that it is to wait for.
            (Known::Nothing, 2) => {
                Act::Publish(self.asks_for_something_new(pod), Duration::from_millis(250))
            }
            (Known::Nothing, 3) => {
                let after = Duration::from_micros(random.below(60_000) as u64);
                Act::Cancel(self.asks_for_something_new(pod), after)
            }
            (Known::Nothing, way) => {
                let call = self.asks(pod, &format!("/{}.war", random.below(ARTIFACTS)));
                let call = match way {
                    4 => call.read_only(),
                    5 => call.context(&[("layout", "copy")]),
                    6 => call.context(&[("pullPolicy", "IfNotPresent")]),
                    _ => call,
                };
                Act::Publish(call, minutes)
            }
        }
    }

    fn asks(&self, pod: usize, path: &str) -> Call {
        self.scene
            .driver
            .inline(&format!("pod{pod}"), &self.scene.origin.url(path))
    }

    /// An artifact that takes its time and that nobody has.
    fn asks_for_something_new(&self, pod: usize) -> Call {
        let n = self.unique.fetch_add(1, Ordering::Relaxed);
        let path = format!("/new{n}.war");
        self.scene
            .origin
            .put(&path, Object::new(bytes(n as u64 + 1000, 5000)));
        let pause = Behaviour::Pause { at: 1000, ms: 200 };
        self.scene.origin.behave(&path, vec![pause.always()]);
        self.asks(pod, &path)
    }

    /// What an answer says of a pod's volume. `ending`: the driver was told to end meanwhile.
    fn learn(&mut self, pod: usize, act: Act, answer: Option<Answer>, ending: bool) {
        let kind = match &act {
            Act::Publish(..) => "publish",
            Act::Cancel(..) => "cancel",
            Act::Republish => "republish",
            Act::Unpublish => "unpublish",
        };
        self.count(kind);
        if let Act::Publish(call, _) | Act::Cancel(call, _) = &act {
            self.pods[pod].call = call.clone();
        }
        let before = self.pods[pod].known.clone();
        let at = || mounts_at(&self.pods[pod].call.target());
        let (known, outcome) = match (&act, answer) {
            (_, None) => (Known::Unsure, "hung up"),
            (Act::Unpublish, Some(Ok(()))) => (Known::Nothing, "ok"),
            (Act::Republish, Some(Ok(()))) => (before, "ok"),
            (_, Some(Ok(()))) => (Known::Shown(at()), "ok"),
            (Act::Republish, Some(Err(_))) if ending => (before, "lost"),
            (Act::Republish, Some(Err(error))) => panic!("a healthy republish: {error:?}"),
            (_, Some(Err((Code::Aborted, _)))) => (Known::Unsure, "aborted"),
            (Act::Publish(..), Some(Err((Code::NotFound, _)))) => (Known::Nothing, "not found"),
            (Act::Publish(..), Some(Err((Code::DataLoss, _)))) => (Known::Nothing, "data loss"),
            (_, Some(Err(_))) if ending => (Known::Unsure, "lost"),
            (_, Some(Err(error))) => panic!("{kind} of pod {pod} ({before:?}): {error:?}"),
        };
        if known == Known::Nothing {
            assert!(!self.pods[pod].call.target().exists(), "a target is left");
        }
        self.count(outcome);
        self.pods[pod].known = known;
    }

    fn ends(self) {
        let Self { scene, pods, .. } = self;
        for pod in &pods {
            scene.driver.unpublish(&pod.call).unwrap();
            assert!(!pod.call.target().exists());
        }
        scene.nothing_in_the_trash();
        let Scene {
            driver, sandbox, ..
        } = scene;
        assert!(driver.stop().success());
        assert_eq!(sandbox.bucket("volumes").len(), 0);
        assert_eq!(sandbox.mounts(), 1, "that of kubelet's directory");
        for blob in sandbox.bucket("blobs") {
            assert_eq!(fs::metadata(&blob).unwrap().nlink(), 1, "a link is left");
            let name = format!("sha256:{}", blob.file_name().unwrap().to_str().unwrap());
            assert_eq!(digest(&fs::read(&blob).unwrap()), name);
        }
    }
}

/// One call; nothing if it hung up.
fn perform(driver: &Driver, call: &Call, act: &Act) -> Option<Answer> {
    match act {
        Act::Publish(call, deadline) => Some(driver.publish_within(call, *deadline)),
        Act::Cancel(call, after) => driver.wait(async {
            let work = driver.publishing(call, Duration::from_secs(120));
            tokio::time::timeout(*after, work).await.ok()
        }),
        Act::Republish => Some(driver.publish(call)),
        Act::Unpublish => Some(driver.unpublish(call)),
    }
}
