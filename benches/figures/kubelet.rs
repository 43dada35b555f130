//! The driver as a whole, the static binary on its socket, and calls to it as kubelet makes them: each over a
//! connection of its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::time::{clock_getcpuclockid, clock_gettime};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use war_vol::csi::proto::identity_client::IdentityClient;
use war_vol::csi::proto::node_client::NodeClient;
use war_vol::csi::proto::volume_capability::access_mode::Mode;
use war_vol::csi::proto::volume_capability::{AccessMode, AccessType, MountVolume};
use war_vol::csi::proto::{
    GetPluginInfoRequest, NodePublishVolumeRequest, NodeUnpublishVolumeRequest, ProbeRequest,
    VolumeCapability,
};

use crate::outcome::Outcome;
use crate::place::{command, sleep};
use crate::preflight::WAR_VOL;
use crate::worker::Layout;

/// kubelet gives a call two minutes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// A directory of kubelet's, and a driver below it. Ends with this value.
pub(crate) struct Kubelet {
    dir: PathBuf,
    program: PathBuf,
    driver: Child,
}

impl Kubelet {
    /// Starts a driver in a directory that has none, and waits until it is ready.
    pub(crate) async fn start(dir: &Path) -> Outcome<Self> {
        Self::of(dir, Path::new(WAR_VOL)).await
    }

    /// The same with a build of the program.
    pub(crate) async fn of(dir: &Path, program: &Path) -> Outcome<Self> {
        let pods = dir.join("kubelet");
        fs::create_dir_all(&pods)?;
        mount_bind(&pods, &pods)?;
        mount_change(&pods, MountPropagationFlags::SHARED)?;
        let driver = serve(dir, program)?;
        let mut this = Self {
            dir: dir.to_owned(),
            program: program.to_owned(),
            driver,
        };
        this.is_ready().await?;
        Ok(this)
    }

    /// Kills the driver.
    pub(crate) fn kill(&self) -> Outcome {
        Ok(kill_process(Pid::from_child(&self.driver), Signal::KILL)?)
    }

    /// Starts another driver in the place of one that ends.
    pub(crate) async fn restart(&mut self) -> Outcome {
        self.driver.wait()?;
        self.driver = serve(&self.dir, &self.program)?;
        self.is_ready().await
    }

    async fn is_ready(&mut self) -> Outcome {
        let began = Instant::now();
        loop {
            let asked = async {
                let channel = self.dial().await.ok()?;
                let answer = IdentityClient::new(channel).probe(ProbeRequest {}).await;
                answer.ok()?.into_inner().ready
            };
            if asked.await == Some(true) {
                return Ok(());
            }
            if let Some(status) = self.driver.try_wait()? {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                return Err(format!("the driver ended with {status}: {log}").into());
            }
            if began.elapsed() > Duration::from_secs(30) {
                return Err("the driver is not ready".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn dial(&self) -> Result<Channel, tonic::transport::Error> {
        let socket = self.dir.join("csi/csi.sock");
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))?;
        endpoint.connect().await
    }

    /// A call that does nothing.
    pub(crate) async fn empty(&self) -> Outcome {
        let mut client = IdentityClient::new(self.dial().await?);
        let mut request = Request::new(GetPluginInfoRequest {});
        // As each call of kubelet's has one.
        request.set_timeout(DEADLINE);
        client.get_plugin_info(request).await?;
        Ok(())
    }

    /// What kubelet asks for; the directory that it makes for the pod is there.
    pub(crate) fn want(
        &self,
        name: &str,
        layout: Layout,
        object: &str,
    ) -> Outcome<NodePublishVolumeRequest> {
        let (sha256, url) = object.split_once(' ').ok_or("SHA-256 and URL")?;
        let pod = self.dir.join("kubelet").join(name);
        fs::create_dir_all(&pod)?;
        let inline = layout == Layout::Overlay || layout == Layout::Bind;
        let context = [
            ("downloadURL", url),
            ("checksum", &format!("sha256:{sha256}")),
            ("fileName", "artifact.bin"),
            (
                "csi.storage.k8s.io/ephemeral",
                if inline { "true" } else { "false" },
            ),
            ("csi.storage.k8s.io/pod.name", name),
            ("csi.storage.k8s.io/pod.namespace", "default"),
            ("csi.storage.k8s.io/pod.uid", name),
            ("csi.storage.k8s.io/serviceAccount.name", "default"),
        ];
        let mode = Mode::SingleNodeMultiWriter.into();
        Ok(NodePublishVolumeRequest {
            volume_id: name.to_owned(),
            target_path: pod.join("mount").display().to_string(),
            readonly: layout == Layout::Bind,
            volume_capability: Some(VolumeCapability {
                access_mode: Some(AccessMode { mode }),
                access_type: Some(AccessType::Mount(MountVolume::default())),
            }),
            volume_context: HashMap::from(context.map(|(k, v)| (k.to_owned(), v.to_owned()))),
            ..Default::default()
        })
    }

    pub(crate) async fn publish(
        &self,
        want: &NodePublishVolumeRequest,
        deadline: Duration,
    ) -> Result<(), Status> {
        let dialled = self.dial().await;
        let channel = dialled.map_err(|e| Status::unavailable(e.to_string()))?;
        let mut request = Request::new(want.clone());
        request.set_timeout(deadline);
        NodeClient::new(channel)
            .node_publish_volume(request)
            .await?;
        Ok(())
    }

    pub(crate) async fn unpublish(&self, want: &NodePublishVolumeRequest) -> Outcome {
        let request = NodeUnpublishVolumeRequest {
            volume_id: want.volume_id.clone(),
            target_path: want.target_path.clone(),
        };
        let mut client = NodeClient::new(self.dial().await?);
        client.node_unpublish_volume(request).await?;
        Ok(())
    }

    /// The file that the one download grows in.
    pub(crate) fn downloaded(&self) -> u64 {
        let first = || {
            let mut entries = fs::read_dir(self.dir.join("root/v1/partial")).ok()?;
            let data = entries.next()?.ok()?.path().join("data");
            Some(fs::metadata(data).ok()?.len())
        };
        first().unwrap_or_default()
    }

    /// Resident memory of the driver now, in MiB.
    pub(crate) fn memory(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.driver.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 = line
            .and_then(|l| l.trim().strip_suffix(" kB"))
            .ok_or("no VmRSS")?
            .parse()?;
        Ok(kib / 1024.0)
    }

    /// Processor time of the driver so far, in seconds.
    pub(crate) fn cpu(&self) -> Outcome<f64> {
        let pid = nix::unistd::Pid::from_raw(self.driver.id().cast_signed());
        let clock = clock_getcpuclockid(pid)?;
        Ok(Duration::from(clock_gettime(clock)?).as_secs_f64())
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.driver), Signal::TERM);
        for _ in 0..100 {
            if let Ok(Some(_)) = self.driver.try_wait() {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn serve(dir: &Path, program: &Path) -> Outcome<Child> {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(dir.join("log"))?;
    let socket = dir.join("csi/csi.sock");
    // It ends with this process, also where that is killed.
    let child = command("setpriv")
        // As in the image.
        .env("MALLOC_ARENA_MAX", "2")
        .args(["--pdeathsig", "TERM"])
        .arg(program)
        .args(["serve", "--mode", "node"])
        .args(["--node-id", "node-1", "--keep-free", "0", "--tries", "1"])
        .args(["--http-addr", "127.0.0.1:0"])
        .arg("--endpoint")
        .arg(format!("unix://{}", socket.display()))
        .arg("--kubelet-dir")
        .arg(dir.join("kubelet"))
        .arg("--root")
        .arg(dir.join("root"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(child)
}
