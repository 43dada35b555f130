//! The driver is killed while it changes what a volume shows, and a pod reads all the while.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};

use super::Call;
use super::scene::Scene;
use super::upgrade::{WAYS, Way, file, modified, shows, war};
use crate::crash::strace::{Aim, attach};
use crate::crash::{Random, exhaustive, pause};
use crate::node::until;

/// The calls of a swap that change something, and how often a thread makes each at most.
const CALLS: [(&str, usize); 14] = [
    ("openat", 6),
    ("linkat", 3),
    ("link", 3),
    ("rename", 2),
    ("renameat", 2),
    ("renameat2", 2),
    ("unlink", 3),
    ("unlinkat", 2),
    ("mkdir", 1),
    ("fchown", 2),
    ("fchmod", 2),
    ("utimensat", 2),
    ("write", 2),
    ("copy_file_range", 2),
];

/// How many points of each way a sample has.
const SAMPLE: usize = 8;

/// Reads what a pod sees until it is dropped: one version or the other, whole, and at every time.
struct Reader {
    over: Arc<AtomicBool>,
    read: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn of(path: PathBuf) -> Self {
        let (over, read) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (ends, counts) = (Arc::clone(&over), Arc::clone(&read));
        let versions = [war(1), war(2)];
        let reads = move || {
            while !ends.load(Ordering::SeqCst) {
                let is = fs::read(&path).expect("it is there");
                assert!(
                    versions.contains(&is),
                    "{} bytes of nothing that there is",
                    is.len()
                );
                counts.fetch_add(1, Ordering::SeqCst);
            }
        };
        Self {
            over,
            read,
            thread: Some(thread::spawn(reads)),
        }
    }

    /// What it saw was always right.
    fn ends(mut self) -> usize {
        self.over.store(true, Ordering::SeqCst);
        self.thread
            .take()
            .unwrap()
            .join()
            .expect("no read was wrong");
        self.read.load(Ordering::SeqCst)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// Wants the other version, with a driver that is killed at a call. Whether it was.
fn kill_at(mut scene: Scene, call: &Call, (aim, version): (&Aim, u32)) -> (Scene, bool) {
    let log = scene.sandbox.path("strace");
    let process = scene
        .driver
        .pid()
        .as_raw_nonzero()
        .get()
        .try_into()
        .unwrap();
    let mut strace = attach(&aim.inject("signal=KILL"), &log, process);
    // One that is killed answers nobody.
    let wanted = call.clone().secret("version", &version.to_string());
    let _ = scene.driver.publish(&wanted);
    let is_shown = || fs::read(file(call)).is_ok_and(|is| is == war(version));
    // What follows on the rename takes no longer than this.
    let mut seen = 0;
    until("it is killed, or through", || {
        seen += usize::from(is_shown());
        scene.driver.ended().is_some() || seen > 20
    });
    let killed = scene.driver.ended().is_some();
    let _ = kill_process(Pid::from_child(&strace), Signal::TERM);
    strace.wait().unwrap();
    if killed {
        scene = scene.killed();
    }
    (scene, killed)
}

fn sweep(way: Way) {
    let mut points: Vec<Aim> = CALLS
        .into_iter()
        .flat_map(|(call, most)| (1..=most).map(move |when| Aim::at(call, when)))
        .collect();
    let mut random = Random::new(&format!("a swap of {way:?}"));
    let (planned, least) = match exhaustive() {
        true => (points.len(), 8),
        false => (SAMPLE, 0),
    };
    let mut scene = Scene::versions();
    let call = scene.upgradable("pod", way);
    scene.driver.publish(&call).unwrap();
    let reader = Reader::of(file(&call));
    let (mut version, mut reached) = (1, 0);
    for n in 0..planned {
        let aim = points.remove(if exhaustive() {
            0
        } else {
            random.below(points.len())
        });
        let before = modified(&file(&call));
        version = 3 - version;
        let killed;
        (scene, killed) = kill_at(scene, &call, (&aim, version));
        reached += usize::from(killed);
        scene.upgraded(&call, version);
        assert!(modified(&file(&call)) > before, "{aim:?}");
        if n % 10 == 9 {
            println!("{way:?}: {} of {planned}", n + 1);
        }
    }
    // What a killed one left is gone after the next swap.
    scene.upgraded(&call, 3 - version);
    assert_eq!(fs::read_dir(call.target()).unwrap().count(), 1);
    println!(
        "{way:?}: {reached} kills in {planned} swaps, {} reads",
        reader.ends()
    );
    assert!(reached >= least, "{reached} kills");
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}

#[test]
fn a_swap_of_a_bind_may_be_killed_at_every_call() {
    sweep(Way::Bind);
}

#[test]
fn a_swap_in_an_overlay_may_be_killed_at_every_call() {
    sweep(Way::Overlay);
}

#[test]
fn a_swap_of_a_copy_may_be_killed_at_every_call() {
    sweep(Way::Copy);
}

/// Whoever reads sees a whole version at every time, whoever stats sees times that only grow.
#[test]
fn a_thousand_swaps_tear_nothing() {
    let swaps = if exhaustive() { 1000 } else { 5 };
    let scene = Scene::versions();
    let calls = WAYS.map(|way| scene.upgradable(&format!("{way:?}"), way));
    for call in &calls {
        scene.driver.publish(call).unwrap();
    }
    let readers = calls.each_ref().map(|call| Reader::of(file(call)));
    let mut stamps = calls.each_ref().map(|call| modified(&file(call)));
    for n in 0..swaps {
        for call in &calls {
            scene.upgrade(call, 2 - n % 2);
        }
        for (call, stamp) in calls.iter().zip(&mut stamps) {
            shows(call, 2 - n % 2);
            let now = modified(&file(call));
            let apart = now.duration_since(*stamp).expect("a later time");
            assert!(apart.as_millis() >= 1000, "{apart:?}");
            *stamp = now;
        }
    }
    for (reader, way) in readers.into_iter().zip(WAYS) {
        println!("{way:?}: {} reads in {swaps} swaps", reader.ends());
    }
}

/// At any moment, not only at a call.
#[test]
fn a_driver_that_is_killed_at_random_changes_what_is_shown_all_the_same() {
    let rounds = if exhaustive() { 200 } else { 6 };
    let mut random = Random::new("kills while volumes change");
    let mut scene = Scene::versions();
    let calls = WAYS.map(|way| scene.upgradable(&format!("{way:?}"), way));
    for call in &calls {
        scene.driver.publish(call).unwrap();
    }
    let readers = calls.each_ref().map(|call| Reader::of(file(call)));
    for round in 0..rounds {
        let version = 2 - round % 2;
        for call in &calls {
            scene.upgrade(call, version);
        }
        pause(std::time::Duration::from_micros(random.below(30_000) as u64));
        scene = scene.killed();
        for call in &calls {
            scene.upgraded(call, version);
        }
    }
    for reader in readers {
        reader.ends();
    }
    for call in &calls {
        scene.driver.unpublish(call).unwrap();
    }
    scene.nothing_left();
}
