//! Every way in which an origin is bad, alone and up to three at once: the right bytes or a clear error, never wrong
//! bytes, never a hang (docs/design/faults.md, 1 to 8).
//!
//! `PROPTEST_CASES` sets how many origins each of the eight scenes meets; all scenes together meet at least 1,000 by
//! default. Planted faults that must turn this red are in `tests/planted.sh`.

use std::cell::Cell;

use proptest::prop_assert;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};

use crate::engine::{Engine, request, sha256};
use crate::origin::{Expect, Object, Origin, Scene, Spell, outcome};

const CASES: u32 = 130;
const ELSEWHERE: &str = "/elsewhere.war";

/// One scene: its origins, and the engine that meets them.
struct Stage {
    scene: Scene,
    origin: Origin,
    _elsewhere: Origin,
    engine: Engine,
    runtime: tokio::runtime::Runtime,
    met: Cell<usize>,
    _dir: tempfile::TempDir,
}

impl Stage {
    fn new(pinned: bool, tls: bool, size: u64) -> Self {
        let start = || {
            if tls {
                Origin::start_tls()
            } else {
                Origin::start()
            }
        };
        let (origin, elsewhere) = (start(), start());
        elsewhere.put(ELSEWHERE, Object::new(bytes(size)));
        let scene = Scene {
            pinned,
            tls,
            size,
            elsewhere: Some(elsewhere.url(ELSEWHERE)),
            plain: Some("http://127.0.0.1:1/".to_owned()),
        };
        let dir = tempfile::tempdir().unwrap();
        let ca_file = dir.path().join("ca.pem");
        std::fs::write(&ca_file, origin.ca_pem()).unwrap();
        let engine = Engine::open(&dir.path().join("root"), Some(&ca_file));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(war_vol::volume::WORKERS)
            .enable_all()
            .build()
            .unwrap();
        Self {
            scene,
            origin,
            _elsewhere: elsewhere,
            engine,
            runtime,
            met: Cell::new(0),
            _dir: dir,
        }
    }

    /// One download from an origin that behaves so; a path of its own, so that nothing is known of it.
    fn meet(&self, spells: Vec<Spell>, expect: Expect) -> TestCaseResult {
        self.met.set(self.met.get() + 1);
        let path = format!("/{}/sample.war", self.met.get());
        let object = bytes(self.scene.size);
        let pin = self.scene.pinned.then(|| sha256(&object));
        self.origin.put(&path, Object::new(object));
        self.origin.behave(&path, spells);
        let got = self
            .runtime
            .block_on(self.engine.get(&request(&self.origin.url(&path), pin)));
        match &got {
            Ok(blob) => {
                let came = self.engine.bytes(blob);
                prop_assert!(
                    self.origin.contents(&path).iter().any(|c| **c == *came),
                    "wrong bytes"
                );
                prop_assert!(
                    expect != Expect::MustFail,
                    "it came, although nobody could know that it is whole"
                );
            }
            Err(error) => {
                let text = error.to_string();
                prop_assert!(
                    expect != Expect::MustSucceed,
                    "must succeed in spite of it: {}",
                    text
                );
                prop_assert!(
                    text.starts_with("http") && text.len() <= 1000,
                    "no clear error: {}",
                    text
                );
            }
        }
        Ok(())
    }

    fn meet_many(&self) {
        let cases = std::env::var("PROPTEST_CASES").map_or(CASES, |n| n.parse().unwrap());
        let config = Config {
            failure_persistence: None,
            max_shrink_iters: 50,
            ..Config::with_cases(cases)
        };
        let outcome = TestRunner::new(config).run(&self.scene.spells(), |(spells, expect)| {
            self.meet(spells, expect)
        });
        println!(
            "pinned {}, tls {}: {cases} origins",
            self.scene.pinned, self.scene.tls
        );
        outcome.unwrap_or_else(|e| panic!("{e}"));
    }

    fn meet_each_alone(&self) {
        for spell in self.scene.examples() {
            let name = spell.name();
            let Some(expect) = outcome(std::slice::from_ref(&spell), self.scene.pinned) else {
                continue;
            };
            self.meet(vec![spell], expect)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

/// Not the same at any two places, so that bytes at a wrong place are wrong bytes.
fn bytes(size: u64) -> Vec<u8> {
    (0..size)
        .flat_map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes())
        .take(size as usize)
        .collect()
}

macro_rules! scenes {
    ($($name:ident: $pinned:literal, $tls:literal;)*) => {
        $(mod $name {
            use super::Stage;

            #[test]
            fn each_behaviour_alone() {
                Stage::new($pinned, $tls, 100).meet_each_alone();
            }

            #[test]
            fn up_to_three_at_once_on_a_small_object() {
                Stage::new($pinned, $tls, 100).meet_many();
            }

            #[test]
            fn up_to_three_at_once_on_a_larger_object() {
                Stage::new($pinned, $tls, 300_000).meet_many();
            }
        })*
    };
}

scenes! {
    plain: false, false;
    plain_pinned: true, false;
    tls: false, true;
    tls_pinned: true, true;
}
