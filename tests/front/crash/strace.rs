//! Faults at system calls: what strace injects, and how one call among many is aimed at.
//!
//! strace counts `when=N` for each thread, so that the N-th call of one thread is out of reach where another thread
//! makes its N-th before. Then a path narrows the count down (`-P`), or the process is stopped behind a call that can
//! be hit, and strace attached anew.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::until;

/// The calls that change something on disk or in the table of mounts. `openat` only where it may create.
pub(super) const MUTATING: &[&str] = &[
    "openat",
    "pwrite64",
    "fsync",
    "fdatasync",
    "link",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "mount",
    "umount2",
    "unlink",
    "rmdir",
    "unlinkat",
    "ftruncate",
    "fallocate",
    "fchown",
    "fchownat",
    "chown",
    "fchmod",
    "fchmodat",
    "chmod",
    "utimensat",
];

/// One call to hit.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(super) call: String,
    /// As strace has it: `N`, `N+`, `N..M`.
    pub(super) when: String,
    /// A path that the call must name.
    pub(super) path: Option<String>,
}

impl Aim {
    pub(crate) fn at(call: &str, when: usize) -> Self {
        Self {
            call: call.to_owned(),
            when: when.to_string(),
            path: None,
        }
    }

    pub(super) fn on(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(path.as_ref().to_str().unwrap().to_owned());
        self
    }

    /// Injects a fault there, such as `signal=KILL` or `error=EIO`.
    pub(crate) fn inject(&self, fault: &str) -> Vec<String> {
        let mut arguments = vec![
            "-e".to_owned(),
            format!("trace={}", self.call),
            "-e".to_owned(),
            format!("inject={}:{fault}:when={}", self.call, self.when),
        ];
        if let Some(path) = &self.path {
            arguments.extend(["-P".to_owned(), path.clone()]);
        }
        arguments
    }
}

/// The command as it is run under strace. The program stays this process's child (`-D`).
pub(super) fn under(arguments: &[String], log: &Path, command: &Command) -> Command {
    let mut traced = Command::new("strace");
    traced
        .args(["-D", "-f", "-qq", "-o"])
        .arg(log)
        .args(arguments);
    traced
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args());
    traced.env_clear().stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        traced.env(name, value.unwrap_or_default());
    }
    traced.current_dir(command.get_current_dir().expect("a directory"));
    traced
}

/// Attaches to all threads of a process that waits.
pub(crate) fn attach(arguments: &[String], log: &Path, process: u32) -> Child {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(log).args(arguments);
    strace
        .args(["-p", &process.to_string()])
        .stderr(Stdio::null());
    let strace = strace.spawn().expect("strace starts");
    until("strace to attach", || {
        tasks(process).all(|task| tracer(&task) != 0)
    });
    strace
}

/// Waits until a process has stopped (by an injected `signal=STOP`), and takes its tracer away; it stays stopped.
/// False if it ended instead.
pub(super) fn stopped(child: &mut Child, log: &Path) -> bool {
    let process = child.id();
    let mut ended = false;
    until("the process to stop", || {
        ended = child.try_wait().unwrap().is_some();
        let said = fs::read_to_string(log).unwrap_or_default();
        let stopped = said.matches("--- stopped by SIGSTOP ---").count();
        ended || stopped > 0 && stopped == tasks(process).count()
    });
    if ended {
        return false;
    }
    let tracer = tracer(&format!("/proc/{process}"));
    kill_process(Pid::from_raw(tracer).unwrap(), Signal::KILL).expect("the tracer is there");
    until("the tracer to go", || {
        tasks(process).all(|task| self::tracer(&task) == 0 && state(&task) == 'T')
    });
    true
}

pub(super) fn signal(process: u32, signal: Signal) {
    kill_process(Pid::from_raw(process.cast_signed()).unwrap(), signal)
        .expect("the process is there");
}

fn tasks(process: u32) -> impl Iterator<Item = String> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    tasks
        .flatten()
        .map(|t| t.path().to_str().unwrap().to_owned())
}

fn field(task: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("{task}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

fn tracer(task: &str) -> i32 {
    field(task, "TracerPid:")
        .and_then(|t| t.parse().ok())
        .unwrap_or(0)
}

fn state(task: &str) -> char {
    field(task, "State:")
        .and_then(|s| s.chars().next())
        .unwrap_or('?')
}

/// A call as a log of strace has it.
#[derive(Clone, Debug)]
pub(super) struct Event {
    thread: String,
    call: String,
    /// The texts among its arguments that can be paths.
    texts: Vec<String>,
    /// Whether it may change something: a point to hit.
    pub(super) mutates: bool,
}

/// The calls of an undisturbed run, in their order.
pub(super) fn events(log: &Path) -> Vec<Event> {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(event).collect()
}

fn event(line: &str) -> Option<Event> {
    let (thread, rest) = line.split_once(' ')?;
    let (call, arguments) = rest.trim_start().split_once('(')?;
    if !MUTATING.contains(&call) {
        return None;
    }
    let path = |t: &&str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/._:-".contains(&b))
    };
    // strace compares bytes with no path, and of a plain rename only the first one.
    let compared = match call {
        "pwrite64" => 0,
        "rename" => 1,
        _ => usize::MAX,
    };
    let texts = arguments.split('"').skip(1).step_by(2).take(compared);
    Some(Event {
        thread: thread.to_owned(),
        call: call.to_owned(),
        texts: texts.filter(path).map(str::to_owned).collect(),
        mutates: call != "openat" || arguments.contains("O_CREAT"),
    })
}

/// How one call is hit.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// A call behind which the process is stopped first: strace is then attached anew, and counts from there.
    pub(super) behind: Option<Aim>,
    pub(super) aim: Aim,
}

/// How to hit each call that changes something, from two logs of the same run: what both name is no random name.
/// `None` where another thread is always there first.
pub(super) fn ways(events: &[Event], other: &[Event]) -> Vec<(String, Option<Way>)> {
    let lasting: HashSet<&String> = other.iter().flat_map(|e| &e.texts).collect();
    let mut points = Vec::new();
    // The last call that can be hit from the start, and how.
    let mut anchor: Option<(usize, Aim)> = None;
    for (i, name) in names(events, &lasting) {
        let way = match (aim(events, i, &lasting), &anchor) {
            (Some(aim), _) => {
                anchor = Some((i, aim.clone()));
                Some(Way { behind: None, aim })
            }
            (None, Some((at, behind))) => {
                let rest = &events[at + 1..];
                aim(rest, i - at - 1, &lasting).map(|aim| Way {
                    behind: Some(behind.clone()),
                    aim,
                })
            }
            (None, None) => None,
        };
        points.push((name, way));
    }
    points
}

/// Where the calls are that change something, and what each is known by in every run: the call, its lasting texts, and
/// which of those that are the same in both it is.
fn names(events: &[Event], lasting: &HashSet<&String>) -> Vec<(usize, String)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut names = Vec::new();
    for (i, event) in events.iter().enumerate().filter(|(_, e)| e.mutates) {
        let texts = event.texts.iter().filter(|t| lasting.contains(t));
        let texts: Vec<_> = texts.map(String::as_str).collect();
        let name = format!("{}({})", event.call, texts.join(", "));
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        names.push((i, format!("{name} {count}")));
    }
    names
}

fn aim(events: &[Event], i: usize, lasting: &HashSet<&String>) -> Option<Aim> {
    let texts = events[i].texts.iter().filter(|t| lasting.contains(t));
    let by_text: Vec<_> = texts.filter_map(|t| counted(events, i, Some(t))).collect();
    // A name that comes once is the surest: what runs beside it cannot get in its way.
    let surest = by_text.iter().find(|a| a.when == "1").cloned();
    surest
        .or_else(|| counted(events, i, None))
        .or_else(|| by_text.into_iter().next())
}

/// The count of strace for one call, if no other thread reaches it before.
fn counted(events: &[Event], i: usize, text: Option<&String>) -> Option<Aim> {
    let event = &events[i];
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for before in &events[..=i] {
        if before.call == event.call && text.is_none_or(|t| before.texts.contains(t)) {
            *counts.entry(&before.thread).or_default() += 1;
        }
    }
    let when = counts[event.thread.as_str()];
    let first = counts
        .iter()
        .all(|(thread, n)| *thread == event.thread || *n < when);
    first.then(|| Aim {
        call: event.call.clone(),
        when: when.to_string(),
        path: text.cloned(),
    })
}
