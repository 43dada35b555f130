//! A directory whose files cannot be opened until the test says so: a disk that hangs, on command.
//!
//! The kernel asks this process before another one may open the directory or a file in it (fanotify(7),
//! `FAN_OPEN_PERM`), and has no answer until it is let go.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyEvent, FanotifyResponse, InitFlags, MarkFlags, MaskFlags,
    Response,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;
use rustix::time::Timespec;

use crate::node::until;

/// How long an event is waited for between two looks at whether it is over.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// Whoever opens something in the directory waits until this is dropped.
pub(crate) struct Stuck {
    waiting: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stuck {
    /// For one process, after it has opened so many things there.
    pub(crate) fn at(directory: &Path, pid: Pid, after: usize) -> Self {
        let flags = InitFlags::FAN_CLASS_CONTENT | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
        let group = Fanotify::init(flags, EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC).unwrap();
        let events =
            MaskFlags::FAN_OPEN_PERM | MaskFlags::FAN_EVENT_ON_CHILD | MaskFlags::FAN_ONDIR;
        group
            .mark(MarkFlags::FAN_MARK_ADD, events, AT_FDCWD, Some(directory))
            .unwrap();
        let (waiting, over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (waiting, over) = (Arc::clone(&waiting), Arc::clone(&over));
            move || hold(&group, pid, after, (&waiting, &over))
        });
        Self {
            waiting,
            over,
            thread: Some(thread),
        }
    }

    /// Waits until so many opens wait.
    pub(crate) fn holds(&self, count: usize) {
        until("somebody waits for the disk", || {
            self.waiting.load(Ordering::SeqCst) >= count
        });
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// With the group goes every question that it has not answered: the kernel takes that for a yes.
fn hold(
    group: &Fanotify,
    pid: Pid,
    mut after: usize,
    (waiting, over): (&AtomicUsize, &AtomicBool),
) {
    let held = Mutex::new(Vec::<FanotifyEvent>::new());
    while !over.load(Ordering::SeqCst) {
        let mut asked = [PollFd::new(group, PollFlags::IN)];
        poll(&mut asked, Some(&PATIENCE)).unwrap();
        let events = match group.read_events() {
            Err(Errno::EAGAIN) => continue,
            events => events.unwrap(),
        };
        for event in events {
            if Pid::from_raw(event.pid()) == Some(pid) {
                if after == 0 {
                    held.lock().unwrap().push(event);
                    waiting.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                after -= 1;
            }
            let fd = event.fd().expect("the open file");
            group
                .write_response(FanotifyResponse::new(fd, Response::FAN_ALLOW))
                .unwrap();
        }
    }
    for event in held.lock().unwrap().iter() {
        let fd = event.fd().expect("the open file");
        group
            .write_response(FanotifyResponse::new(fd, Response::FAN_ALLOW))
            .unwrap();
    }
}
