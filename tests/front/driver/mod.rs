//! The driver as kubelet meets it: the real program, its real socket, a connection of its own for every call.

mod addresses;
mod administration;
mod calls;
mod classes;
mod controlling;
mod disks;
mod formats;
mod hanging;
mod kept_claims;
mod killed;
mod kubelet_dir;
mod laws;
mod numbers;
mod ops;
pub(crate) mod provision;
mod publishing;
mod registration;
mod remedies;
mod restarts;
mod scene;
mod secrets;
mod serving;
mod soak;
mod upgrade;
mod versions;
mod waiting;

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

pub(crate) use self::calls::{Answer, Call};

use crate::node::until;
use crate::sandbox::Sandbox;

/// A running driver. Killed when dropped.
pub(crate) struct Driver {
    child: Child,
    runtime: Runtime,
    socket: PathBuf,
    pub(crate) kubelet: PathBuf,
    log: PathBuf,
}

impl Driver {
    /// Starts it as a chart would, and waits until it is ready.
    pub(crate) fn start(sandbox: &Sandbox) -> Self {
        let driver = Self::begin(sandbox, &[]);
        driver.is_ready();
        driver
    }

    /// Starts it with more arguments, and waits for nothing.
    pub(crate) fn begin(sandbox: &Sandbox, more: &[&str]) -> Self {
        kubelet_shares_its_mounts(sandbox);
        Self::run(sandbox, more)
    }

    /// The same, below whatever there is of a directory of kubelet's.
    pub(crate) fn run(sandbox: &Sandbox, more: &[&str]) -> Self {
        let mut command = sandbox.war_vol();
        command.args(["serve", "--mode", "node", "--node-id", "node-1"]);
        Self::of(sandbox, command, more)
    }

    /// Starts it with its controller, too, and waits until it is ready.
    pub(crate) fn all(sandbox: &Sandbox) -> Self {
        kubelet_shares_its_mounts(sandbox);
        let mut command = sandbox.war_vol();
        command.args(["serve", "--mode", "all", "--node-id", "node-1"]);
        let driver = Self::of(sandbox, command, &[]);
        driver.is_ready();
        driver
    }

    /// Starts a command that ends in `serve` and its own arguments.
    pub(crate) fn of(sandbox: &Sandbox, mut command: Command, more: &[&str]) -> Self {
        let (kubelet, socket, log) = (
            sandbox.path("kubelet"),
            sandbox.path("csi/csi.sock"),
            sandbox.path("log"),
        );
        let into = fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = command
            // An origin of a test takes its time, and not for a fault.
            .env("WAR_VOL_STALL_TIME", "2m")
            .env("WAR_VOL_KUBELET_DIR", &kubelet)
            .env("WAR_VOL_ENDPOINT", format!("unix://{}", socket.display()))
            .args(more)
            .stdout(Stdio::null())
            .stderr(into)
            .spawn()
            .unwrap();
        Self {
            child,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap(),
            socket,
            kubelet,
            log,
        }
    }

    /// Waits until it says that it is ready.
    pub(crate) fn is_ready(&self) {
        until("the driver is ready", || self.probe() == Some(true));
    }

    /// Where it is to be had.
    pub(crate) fn endpoint(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// A new connection, as kubelet makes one for every call.
    pub(crate) async fn dial(&self) -> Result<Channel, tonic::transport::Error> {
        dial(&self.socket).await
    }

    /// Where a pod's volume is shown.
    pub(crate) fn target(&self, pod: &str) -> PathBuf {
        self.kubelet
            .join("pods")
            .join(pod)
            .join("volumes/kubernetes.io~csi/webapps/mount")
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The id of its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Waits until it has ended, by a signal that it got.
    pub(crate) fn is_gone(&mut self) {
        self.child.wait().unwrap();
    }

    /// Whether it has ended by itself, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the driver's log:\n{}", self.log());
        }
    }
}

async fn dial(socket: &Path) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))?;
    endpoint
        .connect_timeout(Duration::from_secs(5))
        .connect()
        .await
}

/// A directory of kubelet's whose mounts are seen outside, as `mountPropagation: Bidirectional` has it.
pub(crate) fn kubelet_shares_its_mounts(sandbox: &Sandbox) {
    let kubelet = sandbox.path("kubelet");
    if kubelet.exists() {
        return;
    }
    fs::create_dir(&kubelet).unwrap();
    mount_bind(&kubelet, &kubelet).unwrap();
    mount_change(&kubelet, MountPropagationFlags::SHARED).unwrap();
}

/// The only file below a directory.
fn read(target: &Path) -> Vec<u8> {
    fs::read(target.join("a.war")).unwrap()
}
