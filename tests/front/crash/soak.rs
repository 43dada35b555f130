//! Thousands of random operations and kills, and in the end nothing is left.
//!
//! The operations run in a process of their own (this test binary once more), with the real store and real mounts;
//! it is killed at random moments and begins again. Between two lives the program itself looks at what is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::origin::Origin;
use super::rig::{Rig, ended, finish, was_killed};
use super::{Random, pause, until};

mod worker;

use self::worker::{ARTIFACTS, Kind, VOLUMES};

/// How many operations there are at least.
const OPERATIONS: usize = 10_000;

/// Of each kind at least.
const LEAST: usize = 100;

/// Longer than this it is not allowed to take.
const LONGEST: Duration = Duration::from_secs(400);

#[test]
fn ten_thousand_random_operations_and_kills_leave_nothing() {
    let course = Course::new();
    let mut random = Random::new("soak");
    let (mut kills, began) = (0, Instant::now());
    let mut done = course.done();
    while done.values().sum::<usize>() < OPERATIONS {
        assert!(began.elapsed() < LONGEST, "too slow: {done:?}");
        let child = course.worker("work", random.next());
        if course.let_it_live(child, &mut random) {
            kills += 1;
        }
        course.between_two_lives(&mut random);
        done = course.done();
        if kills % 10 == 0 {
            let seconds = began.elapsed().as_secs();
            println!("soak: {kills} kills, {done:?} ({seconds} s)");
        }
    }
    println!(
        "soak: {kills} kills, {done:?} ({} s)",
        began.elapsed().as_secs()
    );
    for kind in Kind::ALL {
        let count = done.get(kind.name()).copied().unwrap_or_default();
        assert!(count >= LEAST, "{} only {count} times", kind.name());
    }
    assert!(kills >= 20, "only {kills} kills");
    course.ends();
}

struct Course {
    rig: Rig,
}

impl Course {
    fn new() -> Self {
        let rig = Rig::new();
        rig.origin.pace(Duration::from_millis(1));
        fs::create_dir(rig.sandbox.path("targets")).unwrap();
        Self { rig }
    }

    fn worker(&self, task: &str, seed: u64) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "crash::soak::worker::works_where_it_is_told_to"]);
        command.args(["--nocapture", "--test-threads", "1"]);
        command.env("WAR_VOL_SOAK", task);
        command.env("WAR_VOL_SOAK_DIR", self.rig.sandbox.path(""));
        command.env("WAR_VOL_SOAK_ORIGIN", origin_of(&self.rig.origin));
        command.env("WAR_VOL_SEED", seed.to_string());
        let said = fs::File::create(self.said()).unwrap();
        command.stdin(Stdio::null());
        command.stdout(said.try_clone().unwrap()).stderr(said);
        command.spawn().unwrap()
    }

    fn said(&self) -> std::path::PathBuf {
        self.rig.sandbox.path("said")
    }

    /// Kills it after some operations, at any moment of the next. True if it was alive until then; it never ends by
    /// an error of its own.
    fn let_it_live(&self, mut child: Child, random: &mut Random) -> bool {
        let done = || fs::metadata(self.rig.sandbox.path("done")).map_or(0, |m| m.len());
        // A line of about ten bytes for each.
        let enough = done() + random.below(4000) as u64;
        until("some operations", || {
            done() >= enough || child.try_wait().unwrap().is_some()
        });
        pause(Duration::from_micros(random.below(20_000) as u64));
        child.kill().unwrap();
        let status = finish(child);
        let fine = was_killed(status) || status.success();
        assert!(
            fine,
            "{status}: {}",
            fs::read_to_string(self.said()).unwrap()
        );
        was_killed(status)
    }

    /// How often each kind of operation was done.
    fn done(&self) -> BTreeMap<String, usize> {
        let mut done = BTreeMap::new();
        let log = fs::read_to_string(self.rig.sandbox.path("done")).unwrap_or_default();
        for name in log.lines() {
            *done.entry(name.to_owned()).or_default() += 1;
        }
        done
    }

    /// The program finds the store whole, and its own volumes come and go beside the others.
    fn between_two_lives(&self, random: &mut Random) {
        let sandbox = &self.rig.sandbox;
        let listed = sandbox.run(["volumes", "--output", "json"]).must(0).json();
        let count = listed["volumes"].as_array().expect("a list").len();
        assert!(count <= VOLUMES, "{listed}");
        self.rig.assert_blobs_whole();
        if random.below(3) == 0 {
            let artifact = worker::artifact(&self.rig.origin, random.below(ARTIFACTS));
            self.rig.mounted(&artifact);
            self.rig.assert_shown(&artifact);
            ended(self.rig.unmount()).must(0);
        }
    }

    fn ends(&self) {
        let status = finish(self.worker("end", 0));
        assert!(
            status.success(),
            "{}",
            fs::read_to_string(self.said()).unwrap()
        );
        self.rig.sandbox.assert_nothing_left();
        self.rig.assert_unleased();
        self.rig.assert_blobs_whole();
        let left: Vec<_> = fs::read_dir(self.rig.sandbox.path("targets"))
            .unwrap()
            .collect();
        assert!(left.is_empty(), "targets are left: {left:?}");
        assert!(
            !Path::new(&self.rig.sandbox.root().join("ro")).exists(),
            "the view is left"
        );
    }
}

fn origin_of(origin: &Origin) -> String {
    let url = origin.artifact("any", 1).url;
    url.trim_end_matches("/any-1.bin").to_owned()
}
