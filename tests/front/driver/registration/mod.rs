//! kubelet learns of the driver, by kubelet's own plugin manager (`tests/tools/pluginmanager`).

mod again;
mod directory;
mod startup;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tonic::Code;
use tonic::transport::Channel;
use war_vol::csi::pluginregistration::registration_client::RegistrationClient;
use war_vol::csi::pluginregistration::{InfoRequest, PluginInfo};

use super::{Driver, dial};
use crate::node::until;
use crate::sandbox::Sandbox;
use crate::tools::tool;

const NAME: &str = "war-vol.geektime.org";

/// kubelet's plugin manager over a sandbox's directory of registrations. Ends when dropped.
struct Kubelet {
    child: Child,
    events: PathBuf,
}

impl Kubelet {
    /// Starts one that refuses the first registrations.
    fn refusing(sandbox: &Sandbox, refusals: usize) -> Self {
        let dir = registry(sandbox);
        let events = sandbox.path("events");
        let into = |path: &Path| {
            let file = fs::File::options().create(true).append(true).open(path);
            file.unwrap()
        };
        let child = Command::new(tool("pluginmanager"))
            .arg(format!("-refuse={refusals}"))
            .arg(&dir)
            // It ends with its stdin, so it does not outlive this process.
            .stdin(Stdio::piped())
            .stdout(into(&events))
            .stderr(into(&sandbox.path("kubelet.log")))
            .spawn()
            .unwrap();
        Self { child, events }
    }

    fn start(sandbox: &Sandbox) -> Self {
        Self::refusing(sandbox, 0)
    }

    /// What it has done so far, also before it restarted.
    fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.events).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn count(&self, event: &str) -> usize {
        let of = |line: &&String| line.split(' ').next() == Some(event);
        self.events().iter().filter(of).count()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("kubelet's events:\n{}", self.events().join("\n"));
        }
    }
}

/// The directory of registrations, as kubelet makes it.
fn registry(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.path("plugins_registry");
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn socket(sandbox: &Sandbox) -> PathBuf {
    registry(sandbox).join(format!("{NAME}@reg.sock"))
}

/// Starts a driver that registers itself.
fn driver(sandbox: &Sandbox) -> Driver {
    registering(sandbox, &[])
}

fn registering(sandbox: &Sandbox, more: &[&str]) -> Driver {
    let dir = registry(sandbox);
    let mut arguments = vec!["--registration-dir", dir.to_str().unwrap()];
    arguments.extend(more);
    Driver::begin(sandbox, &arguments)
}

fn registered(sandbox: &Sandbox) -> String {
    let endpoint = sandbox.path("csi/csi.sock");
    format!("registered {NAME} {} node-1", endpoint.display())
}

/// The client that kubelet has.
async fn client(socket: &Path) -> RegistrationClient<Channel> {
    RegistrationClient::new(dial(socket).await.unwrap())
}

async fn info(socket: &Path) -> PluginInfo {
    let answer = client(socket).await.get_info(InfoRequest {}).await;
    answer.unwrap().into_inner()
}

#[test]
fn the_driver_is_ready_once_kubelet_has_registered_it_at_its_endpoint() {
    let sandbox = Sandbox::new();
    let driver = driver(&sandbox);
    until("it offers itself", || socket(&sandbox).exists());
    assert_eq!(driver.probe(), Some(false), "nobody has registered it");
    let kubelet = Kubelet::start(&sandbox);
    driver.is_ready();
    assert_eq!(kubelet.events(), [registered(&sandbox)]);
    assert!(driver.stop().success());
    assert!(!socket(&sandbox).exists(), "its socket goes with it");
    until("kubelet knows", || kubelet.count("deregistered") == 1);
}

/// What kubelet reads, field by field.
#[test]
fn kubelet_is_told_the_name_the_endpoint_and_the_version() {
    let sandbox = Sandbox::new();
    let expected = |endpoint: &Path| PluginInfo {
        r#type: "CSIPlugin".to_owned(),
        name: NAME.to_owned(),
        endpoint: endpoint.to_str().unwrap().to_owned(),
        supported_versions: vec!["1.0.0".to_owned()],
    };
    let here = driver(&sandbox);
    until("it offers itself", || socket(&sandbox).exists());
    let meta = fs::symlink_metadata(socket(&sandbox)).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.mode() & 0o777, 0o600);
    let told = here.wait(info(&socket(&sandbox)));
    assert_eq!(told, expected(&sandbox.path("csi/csi.sock")));
    assert!(here.stop().success());
    let on_host = Path::new("/var/lib/kubelet/plugins/war-vol/csi.sock");
    let there = registering(&sandbox, &["--endpoint-on-host", on_host.to_str().unwrap()]);
    until("it offers itself", || socket(&sandbox).exists());
    let told = there.wait(info(&socket(&sandbox)));
    assert_eq!(told, expected(on_host));
}

/// Who is not registered cannot even say what is wrong, and unpublishes nothing.
#[test]
fn a_driver_that_is_not_ready_registers_and_says_why_volumes_wait() {
    let sandbox = Sandbox::new();
    // No propagation.
    fs::create_dir(sandbox.path("kubelet")).unwrap();
    let kubelet = Kubelet::start(&sandbox);
    let dir = registry(&sandbox);
    let driver = Driver::run(&sandbox, &["--registration-dir", dir.to_str().unwrap()]);
    until("it is registered", || {
        driver.log().contains("kubelet has registered the driver")
    });
    assert_eq!(kubelet.events(), [registered(&sandbox)]);
    assert_eq!(driver.probe(), Some(false));
    let call = driver.inline("pod", "https://example.com/a.war");
    let (code, words) = driver.publish(&call).unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    assert!(words.contains("mountPropagation: Bidirectional"), "{words}");
}
