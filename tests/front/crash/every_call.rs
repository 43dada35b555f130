//! The program is killed at each call that changes something.
//!
//! An undisturbed run is recorded twice; each such call in it is a point. At each point, in a run of its own, strace
//! kills the process as it enters the call, so that all before it has happened and the call has not.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::origin::Artifact;
use super::rig::{Rig, ended, finish, start, was_killed};
use super::strace::{self, Event, MUTATING, Way};
use super::{Random, exhaustive};

/// How many points of each command a sample has.
const SAMPLE: usize = 16;

/// How often a point is tried.
const TRIES: usize = 3;

/// How often the course is recorded again for points that were missed: the first record may have been of a run in which
/// another thread did them, which is one in five.
const RECORDED_ANEW: usize = 5;

/// Large enough for several writes.
const SIZE: usize = 100 << 10;

/// What a file held before.
const OLD: &[u8] = b"old";

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `mount` of what is not cached.
    Mount,
    /// `mount` of what is cached.
    MountCached,
    /// `mount` of a volume that was published before and lost its mount, as after a reboot.
    MountAgain,
    /// `unmount`.
    Unmount,
    /// `fetch`.
    Fetch,
    /// `fetch` to a file that is there.
    FetchOver,
    /// `fetch --continue`.
    FetchOn,
}

#[test]
fn mount_may_be_killed_at_every_call() {
    sweep(Kind::Mount);
}

#[test]
fn mount_of_what_is_cached_may_be_killed_at_every_call() {
    sweep(Kind::MountCached);
}

#[test]
fn mount_after_a_reboot_may_be_killed_at_every_call() {
    sweep(Kind::MountAgain);
}

#[test]
fn unmount_may_be_killed_at_every_call() {
    sweep(Kind::Unmount);
}

#[test]
fn fetch_may_be_killed_at_every_call() {
    sweep(Kind::Fetch);
}

#[test]
fn fetch_over_a_file_may_be_killed_at_every_call() {
    sweep(Kind::FetchOver);
}

#[test]
fn fetch_that_can_be_continued_may_be_killed_at_every_call() {
    sweep(Kind::FetchOn);
}

fn sweep(kind: Kind) {
    let course = Course::new(kind);
    let mut points = course.points();
    let all = points.len();
    let out_of_reach: Vec<_> = points.iter().filter(|(_, way)| way.is_none()).collect();
    let in_reach = all - out_of_reach.len();
    assert!(all > 10, "{kind:?}: only {all} calls were recorded");
    assert!(
        in_reach * 100 >= all * 95,
        "only {in_reach} of {all} are in reach: {out_of_reach:?}"
    );
    let how = if exhaustive() {
        "all".to_owned()
    } else {
        let mut random = Random::new(&format!("every call of {kind:?}"));
        let (step, first) = ((all / SAMPLE).max(1), random.below(all));
        points.rotate_left(first);
        points.retain(|(_, way)| way.is_some());
        points = points.into_iter().step_by(step).collect();
        format!("a sample; WAR_VOL_FAULTS=all takes all {all}")
    };
    let planned = points.len();
    let mut missed = Vec::new();
    for (i, (name, way)) in points.into_iter().enumerate() {
        // Threads run beside each other: a call that was another thread's this time may be hit the next time.
        let reached = way.is_some_and(|way| (0..TRIES).any(|_| course.kill_at(i, &name, &way)));
        if !reached {
            missed.push(name);
        }
        if i % 25 == 24 {
            println!("{kind:?}: {} of {planned}", i + 1);
        }
    }
    for _ in 0..RECORDED_ANEW {
        if !missed.is_empty() {
            course.try_anew(&mut missed);
        }
    }
    let reached = planned - missed.len();
    println!("{kind:?}: reached {reached} of {planned} planned points ({how})");
    // One in twenty may be missed, and one of fewer.
    let enough = (planned * 95).div_ceil(100).min(planned - 1);
    assert!(
        reached >= enough,
        "too few points were reached; missed were\n{}",
        missed.join("\n")
    );
    if !missed.is_empty() {
        println!("{kind:?}: missed {}", missed.join(", "));
    }
}

struct Course {
    rig: Rig,
    kind: Kind,
    artifact: Artifact,
}

/// A point's name, and how to hit it if that is possible.
type Point = (String, Option<Way>);

impl Course {
    fn new(kind: Kind) -> Self {
        let rig = Rig::new();
        rig.origin.pace(Duration::from_millis(5));
        let artifact = rig.origin.artifact("every-call", SIZE);
        Self {
            rig,
            kind,
            artifact,
        }
    }

    fn command(&self) -> Command {
        match self.kind {
            Kind::Mount | Kind::MountCached | Kind::MountAgain => self.rig.mount(&self.artifact),
            Kind::Unmount => self.rig.unmount(),
            Kind::Fetch | Kind::FetchOver => self.rig.fetch(&self.artifact),
            Kind::FetchOn => {
                let mut command = self.rig.fetch(&self.artifact);
                command.arg("--continue");
                command
            }
        }
    }

    /// What must be there before the command.
    fn prepare(&self) {
        let mounted = || self.rig.mounted(&self.artifact);
        match self.kind {
            Kind::Mount => self.rig.start_anew(),
            Kind::Unmount => mounted(),
            Kind::MountCached => {
                mounted();
                self.clear();
            }
            Kind::MountAgain => {
                mounted();
                self.take_the_mount_away();
            }
            Kind::Fetch => drop(fs::remove_file(self.rig.sandbox.path("file"))),
            Kind::FetchOn => {
                let _ = fs::remove_file(self.rig.sandbox.path("file"));
                let _ = fs::remove_dir_all(self.rig.sandbox.path("file.war-vol-part"));
            }
            Kind::FetchOver => fs::write(self.rig.sandbox.path("file"), OLD).unwrap(),
        }
    }

    fn take_the_mount_away(&self) {
        rustix::mount::unmount(self.rig.target(), rustix::mount::UnmountFlags::empty()).unwrap();
    }

    /// Back to nothing, without a check.
    fn clear(&self) {
        if !matches!(self.kind, Kind::Fetch | Kind::FetchOver | Kind::FetchOn) {
            ended(self.rig.unmount()).must(0);
        }
    }

    /// Every call that changes something, in the order of an undisturbed run.
    fn points(&self) -> Vec<Point> {
        let (one, other) = (self.recorded(), self.recorded());
        strace::ways(&one, &other)
    }

    /// Another record, and the points in it that were missed by the first; keeps those that are missed again.
    fn try_anew(&self, missed: &mut Vec<String>) {
        let points = self.points();
        missed.retain(|name| {
            let found = points.iter().find(|(other, _)| other == name);
            let Some((_, Some(way))) = found else {
                return true;
            };
            !(0..TRIES).any(|_| self.kill_at(0, name, way))
        });
    }

    fn recorded(&self) -> Vec<Event> {
        self.prepare();
        let filter = ["-e".to_owned(), format!("trace={}", MUTATING.join(","))];
        let child = start(strace::under(&filter, &self.log(), &self.command()));
        assert_eq!(finish(child).code(), Some(0), "the undisturbed run");
        let seen = strace::events(&self.log());
        if self.kind != Kind::Unmount {
            self.clear();
        }
        seen
    }

    fn log(&self) -> std::path::PathBuf {
        self.rig.sandbox.path("strace.log")
    }

    /// Runs the command until it is killed. False if it ended before.
    fn killed(&self, way: &Way) -> bool {
        let (log, fault) = (self.log(), way.aim.inject("signal=KILL"));
        let Some(behind) = &way.behind else {
            let child = start(strace::under(&fault, &log, &self.command()));
            return was_killed(finish(child));
        };
        let _ = fs::remove_file(&log);
        let stop = behind.inject("signal=STOP");
        let mut child = start(strace::under(&stop, &log, &self.command()));
        if !strace::stopped(&mut child, &log) {
            return false;
        }
        let mut strace = strace::attach(&fault, &log, child.id());
        strace::signal(child.id(), Signal::CONT);
        let status = finish(child);
        // The tracer ends with the process.
        strace.wait().unwrap();
        was_killed(status)
    }

    /// Kills at one point, and looks. False if the run ended without having come there.
    fn kill_at(&self, round: usize, name: &str, way: &Way) -> bool {
        self.prepare();
        let killed = self.killed(way);
        let context = Told(format!("killed at {name}, {way:?}"));
        match self.kind {
            Kind::Fetch | Kind::FetchOver | Kind::FetchOn => self.fetch_recovers(),
            Kind::Unmount if round.is_multiple_of(2) => {
                self.rig.goes(&self.artifact);
            }
            Kind::Mount | Kind::MountCached | Kind::MountAgain | Kind::Unmount => {
                let acknowledged = !killed || self.kind != Kind::Mount;
                self.rig.recovers(&self.artifact, acknowledged);
            }
        }
        drop(context);
        killed
    }

    fn fetch_recovers(&self) {
        let file = self.rig.sandbox.path("file");
        if let Ok(bytes) = fs::read(&file) {
            let old = self.kind == Kind::FetchOver && bytes == OLD;
            assert!(old || bytes == *self.artifact.bytes, "half a file");
        } else {
            assert!(self.kind != Kind::FetchOver, "the old file is gone");
        }
        ended(self.command()).must(0);
        assert!(fs::read(&file).unwrap() == *self.artifact.bytes);
        let left: Vec<_> = fs::read_dir(file.parent().unwrap())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| n.contains("partial") || n.contains("war-vol-part"))
            .collect();
        // A file is replaced by a rename, which needs a name to begin with: for the time of one call, in which a kill
        // leaves it. Whoever fetches beside nothing never has it.
        for name in left {
            assert!(self.kind == Kind::FetchOver, "{name} was left by a kill");
            fs::remove_file(self.rig.sandbox.path(&name)).unwrap();
        }
    }
}

/// Says on a panic what was going on.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}
