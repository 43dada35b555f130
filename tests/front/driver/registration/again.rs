//! Whatever ends, begins again or refuses: the driver is registered in the end (docs/design/faults.md, 28).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use war_vol::csi::pluginregistration::RegistrationStatus;

use super::{Kubelet, NAME, client, driver, registered, registering, registry, socket};
use crate::driver::read;
use crate::node::{bytes, mounts_at, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

async fn notify(socket: &Path, plugin_registered: bool, error: &str) {
    let status = RegistrationStatus {
        plugin_registered,
        error: error.to_owned(),
    };
    let mut client = client(socket).await;
    client.notify_registration_status(status).await.unwrap();
}

/// kubelet tries nothing again that failed, so the driver does.
#[test]
fn a_driver_that_kubelet_refuses_is_registered_in_the_end() {
    let sandbox = Sandbox::new();
    let kubelet = Kubelet::refusing(&sandbox, 2);
    let driver = driver(&sandbox);
    driver.is_ready();
    assert_eq!(kubelet.count("refused"), 2);
    assert_eq!(kubelet.events().last(), Some(&registered(&sandbox)));
    let said = driver.log();
    assert!(said.contains("error updating Node object"), "{said}");
}

#[test]
fn a_driver_that_kubelet_never_takes_is_not_ready_and_ends_as_any_other() {
    let sandbox = Sandbox::new();
    let kubelet = Kubelet::refusing(&sandbox, usize::from(u16::MAX));
    let driver = driver(&sandbox);
    until("it has asked again", || kubelet.count("refused") == 3);
    assert_eq!(driver.probe(), Some(false));
    assert!(driver.stop().success());
    assert!(!socket(&sandbox).exists(), "its socket goes with it");
}

/// What runs goes on, and the new driver takes it away.
#[test]
fn a_driver_that_restarts_is_registered_again() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(61, 100_000)));
    let kubelet = Kubelet::start(&sandbox);
    let old = driver(&sandbox);
    old.is_ready();
    let call = old.inline("pod", &origin.url("/a.war"));
    old.publish(&call).unwrap();
    let before = mounts_at(&call.target());
    assert!(old.stop().success());
    let new = driver(&sandbox);
    new.is_ready();
    assert_eq!(kubelet.count("registered"), 2);
    assert_eq!(mounts_at(&call.target()), before);
    assert!(read(&call.target()) == bytes(61, 100_000));
    new.unpublish(&call).unwrap();
    until("its trash is gone", || sandbox.bucket("trash").is_empty());
    sandbox.assert_no_volume_left();
}

/// A kill leaves a socket at which nobody answers.
#[test]
fn a_driver_that_was_killed_is_registered_again() {
    let sandbox = Sandbox::new();
    let kubelet = Kubelet::start(&sandbox);
    for round in 1..=3 {
        let driver = driver(&sandbox);
        driver.is_ready();
        assert_eq!(kubelet.count("registered"), round);
        drop(driver);
        assert!(socket(&sandbox).exists(), "it was killed");
        // What a kill leaves in the middle of binding.
        let first = registry(&sandbox).join(format!(".{NAME}@reg.sock"));
        assert!(!first.exists());
        drop(UnixListener::bind(first).unwrap());
    }
}

/// After a reboot kubelet is up before the API server, and refuses.
#[test]
fn a_kubelet_that_restarts_finds_the_driver_and_may_refuse_it_at_first() {
    let sandbox = Sandbox::new();
    let driver = driver(&sandbox);
    let first = Kubelet::start(&sandbox);
    driver.is_ready();
    drop(first);
    let second = Kubelet::start(&sandbox);
    until("it is registered again", || second.count("registered") == 2);
    drop(second);
    let third = Kubelet::refusing(&sandbox, 1);
    until("it is refused", || third.count("refused") == 1);
    until("it is registered again", || third.count("registered") == 3);
    driver.is_ready();
}

/// Another root, so that both run. The old one takes nothing away when it ends, and is there again when the new one
/// ends first.
#[test]
fn an_old_driver_that_ends_late_takes_nothing_from_the_new_one() {
    let sandbox = Sandbox::new();
    let kubelet = Kubelet::start(&sandbox);
    let (root, endpoint) = (sandbox.path("old-root"), sandbox.path("old/csi.sock"));
    let arguments = ["--root", root.to_str().unwrap(), "--endpoint"];
    let arguments = [&arguments[..], &[endpoint.to_str().unwrap()]].concat();
    let at_the_old = format!("registered {NAME} {} node-1", endpoint.display());
    let old = registering(&sandbox, &arguments);
    until("the old one", || {
        kubelet.events().last() == Some(&at_the_old)
    });
    let new = driver(&sandbox);
    new.is_ready();
    let inode = || fs::symlink_metadata(socket(&sandbox)).unwrap().ino();
    let before = inode();
    until("the old one finds that it was replaced", || {
        old.log().contains("another process serves it")
    });
    assert_eq!(inode(), before, "it takes nothing back");
    assert!(new.stop().success());
    until("the old one is there again", || {
        kubelet.events().last() == Some(&at_the_old)
    });
    let new = driver(&sandbox);
    new.is_ready();
    let before = inode();
    assert!(old.stop().success());
    assert_eq!(inode(), before);
    assert_eq!(kubelet.events().last(), Some(&registered(&sandbox)));
    assert_eq!(new.probe(), Some(true));
}

/// What kubelet says about a socket counts for that socket alone.
#[test]
fn only_a_success_at_the_socket_that_is_there_makes_the_driver_ready() {
    let sandbox = Sandbox::new();
    let driver = driver(&sandbox);
    let socket = socket(&sandbox);
    until("it offers itself", || socket.exists());
    let inode = || fs::symlink_metadata(&socket).map(|m| m.ino());
    let first = inode().unwrap();
    let mut early = driver.wait(client(&socket));
    driver.wait(notify(&socket, false, &"no Node\n".repeat(10_000)));
    until("it is made anew", || inode().is_ok_and(|now| now != first));
    let status = RegistrationStatus {
        plugin_registered: true,
        error: String::new(),
    };
    // Late, over a connection to the socket that was there before: answered or cut, and without effect.
    let _ = driver.wait(early.notify_registration_status(status));
    assert_eq!(driver.probe(), Some(false));
    let longest = driver.log().lines().map(str::len).max();
    assert!(longest.unwrap() < 2000, "what kubelet says is cut");
    driver.wait(notify(&socket, true, ""));
    driver.is_ready();
}
