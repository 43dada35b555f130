//! Where kubelet's directory is a symlink, the driver is told the symlink: kubelet names its targets by its own
//! `--root-dir`, as that is written, and follows nothing. (docs/install.md#kubelets-directory)

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use tonic::Code;

use super::{Call, Driver, read};
use crate::node::{bytes, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// A node whose kubelet has a directory on another disk, and its `--root-dir` leads there by a symlink.
struct Node {
    sandbox: Sandbox,
    origin: Origin,
    content: Vec<u8>,
    /// As kubelet writes it.
    link: PathBuf,
    /// Where that leads.
    real: PathBuf,
}

impl Node {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let (lib, real) = (sandbox.path("lib"), sandbox.path("data"));
        let link = lib.join("kubelet");
        for dir in [&lib, &real, &sandbox.path("image")] {
            fs::create_dir(dir).unwrap();
        }
        symlink(&real, &link).unwrap();
        mount_bind(&real, &real).unwrap();
        mount_change(&real, MountPropagationFlags::SHARED).unwrap();
        let (origin, content) = (Origin::start(), bytes(71, 20_000));
        origin.put("/a.war", Object::new(content.clone()));
        Self {
            sandbox,
            origin,
            content,
            link,
            real,
        }
    }

    /// The driver in its container, where the chart has mounted what `kubeletDir` leads to, at that very path.
    fn driver(&self, kubelet_dir: &PathBuf) -> Driver {
        let usual = self.sandbox.war_vol();
        let mut command = Command::new("unshare");
        command.env_clear();
        let settings = usual.get_envs();
        command.envs(settings.filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(usual.get_current_dir().unwrap());
        // A container's root has no symlink there.
        let container = "mount --bind \"$1\" \"$2\"; mkdir -p \"$2/kubelet\"; mount --bind \"$3\" \"$4\"; shift 4; exec \"$@\"";
        command.args([
            "--mount",
            "--propagation",
            "unchanged",
            "sh",
            "-euc",
            container,
            "sh",
        ]);
        command.args([&self.sandbox.path("image"), &self.sandbox.path("lib")]);
        command.args([&self.real, kubelet_dir]);
        command.arg(usual.get_program());
        command.args(["serve", "--mode", "node", "--node-id", "node-1"]);
        let more = ["--kubelet-dir", kubelet_dir.to_str().unwrap()];
        let driver = Driver::of(&self.sandbox, command, &more);
        driver.is_ready();
        driver
    }

    /// A pod's volume, as kubelet asks for it.
    fn call(&self, driver: &Driver) -> Call {
        let mut call = driver.inline("pod", &self.origin.url("/a.war"));
        let target = self
            .link
            .join("pods/pod/volumes/kubernetes.io~csi/webapps/mount");
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        call.request.target_path = target.to_str().unwrap().to_owned();
        call
    }
}

#[test]
fn a_driver_that_is_told_the_symlink_shows_its_volumes_to_kubelet() {
    let node = Node::new();
    let driver = node.driver(&node.link);
    let call = node.call(&driver);
    driver.publish(&call).unwrap();
    assert!(read(&call.target()) == node.content, "other bytes");
    driver.unpublish(&call).unwrap();
    assert!(!call.target().exists());
    until("nothing is left", || {
        node.sandbox.bucket("trash").is_empty()
    });
    node.sandbox.assert_no_volume_left();
}

#[test]
fn a_driver_that_is_told_where_the_symlink_leads_says_which_directory_kubelet_means() {
    let node = Node::new();
    let driver = node.driver(&node.real);
    let call = node.call(&driver);
    let (code, words) = driver.publish(&call).unwrap_err();
    assert_eq!(code, Code::InvalidArgument, "{words}");
    let named = format!(
        "target {}: outside the allowed directory; ",
        call.target().display()
    );
    let told = format!("below {},", node.real.display());
    assert!(words.contains(&named) && words.contains(&told), "{words}");
    node.sandbox.assert_no_volume_left();
}

/// `pods` on another disk, by a symlink and by a mount.
#[test]
fn below_kubelets_directory_a_symlink_is_refused_and_a_mount_in_its_place_is_not() {
    let node = Node::new();
    let elsewhere = node.sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let pods = node.real.join("pods");
    symlink(&elsewhere, &pods).unwrap();
    let driver = node.driver(&node.link);
    let call = node.call(&driver);
    let (code, words) = driver.publish(&call).unwrap_err();
    assert_eq!(code, Code::InvalidArgument, "{words}");
    assert!(words.contains("leads through a symlink"), "{words}");
    node.sandbox.assert_no_volume_left();

    fs::remove_file(&pods).unwrap();
    fs::create_dir(&pods).unwrap();
    mount_bind(&elsewhere, &pods).unwrap();
    let call = node.call(&driver);
    driver.publish(&call).unwrap();
    assert!(read(&call.target()) == node.content, "other bytes");
    driver.unpublish(&call).unwrap();
}
