//! The directory of registrations, which is kubelet's and everybody's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::{Kubelet, NAME, driver, registered, registry, socket};
use crate::driver::{Driver, kubelet_shares_its_mounts};
use crate::node::until;
use crate::sandbox::Sandbox;

#[test]
fn a_socket_that_somebody_removes_is_made_anew_with_its_directory() {
    let sandbox = Sandbox::new();
    let kubelet = Kubelet::start(&sandbox);
    let driver = driver(&sandbox);
    driver.is_ready();
    fs::remove_file(socket(&sandbox)).unwrap();
    until("kubelet registers it again", || {
        kubelet.count("registered") == 2
    });
    drop(kubelet);
    fs::remove_dir_all(registry(&sandbox)).unwrap();
    until("it misses its directory", || driver.probe() == Some(false));
    let kubelet = Kubelet::start(&sandbox);
    until("kubelet registers it again", || {
        kubelet.count("registered") == 3
    });
    driver.is_ready();
}

#[test]
fn nothing_else_in_the_directory_is_touched() {
    let sandbox = Sandbox::new();
    let dir = registry(&sandbox);
    let others = ["other.example.com-reg.sock", ".other.example.com-reg.sock"];
    let _listening = others.map(|name| UnixListener::bind(dir.join(name)).unwrap());
    drop(UnixListener::bind(dir.join(format!("x{NAME}@reg.sock"))).unwrap());
    fs::write(dir.join("file"), "mine").unwrap();
    fs::create_dir(dir.join("directory")).unwrap();
    let listed = || -> BTreeMap<PathBuf, (u64, i64, u32)> {
        let entries = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path());
        entries
            .map(|path| {
                let meta = fs::symlink_metadata(&path).unwrap();
                (path, (meta.ino(), meta.ctime_nsec(), meta.mode()))
            })
            .collect()
    };
    let before = listed();
    let kubelet = Kubelet::start(&sandbox);
    let killed = driver(&sandbox);
    killed.is_ready();
    drop(killed);
    let driver = driver(&sandbox);
    driver.is_ready();
    assert!(driver.stop().success());
    assert_eq!(listed(), before);
    drop(kubelet);
}

/// Who stands in the way stays; the driver works as far as it can.
#[test]
fn a_file_with_the_name_of_the_socket_stays_and_is_named() {
    let sandbox = Sandbox::new();
    let kubelet = Kubelet::start(&sandbox);
    fs::write(socket(&sandbox), "mine").unwrap();
    let driver = driver(&sandbox);
    until("it says so", || {
        driver.log().contains("something that is not a socket")
    });
    assert_eq!(driver.probe(), Some(false));
    assert_eq!(fs::read_to_string(socket(&sandbox)).unwrap(), "mine");
    fs::remove_file(socket(&sandbox)).unwrap();
    driver.is_ready();
    assert_eq!(kubelet.events(), [registered(&sandbox)]);
}

#[test]
fn without_the_setting_no_socket_is_made() {
    let sandbox = Sandbox::new();
    kubelet_shares_its_mounts(&sandbox);
    let usual = sandbox.path("kubelet/plugins_registry");
    fs::create_dir(&usual).unwrap();
    // What was made and taken away again leaves its time.
    let changed = || fs::metadata(&usual).unwrap().modified().unwrap();
    let before = changed();
    assert!(Driver::start(&sandbox).stop().success());
    assert_eq!(changed(), before);
    assert_eq!(fs::read_dir(&usual).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_registered_is_refused_at_the_start() {
    let sandbox = Sandbox::new();
    kubelet_shares_its_mounts(&sandbox);
    let (kubelet, dir) = (sandbox.path("kubelet"), registry(&sandbox));
    let dir = dir.to_str().unwrap();
    let file = sandbox.path("file");
    fs::write(&file, "").unwrap();
    let long = sandbox.path(&"d".repeat(100));
    fs::create_dir(&long).unwrap();
    let check = |mode: &str, more: &[&str]| {
        let common = ["serve", "--check", "--node-id", "n", "--kubelet-dir"];
        let mut arguments = common.to_vec();
        arguments.extend([kubelet.to_str().unwrap(), "--mode", mode]);
        arguments.extend(more);
        sandbox.run(arguments)
    };
    let on_host = "--endpoint-on-host";
    for mode in ["node", "all"] {
        check(mode, &["--registration-dir", dir]).must(0);
    }
    check(
        "node",
        &["--registration-dir", dir, on_host, "/csi/csi.sock"],
    )
    .must(0);
    let node: [(&[&str], &str); 7] = [
        (&["/nowhere"], "/nowhere"),
        (&[file.to_str().unwrap()], "its parent is not a directory"),
        (&["plugins_registry"], "absolute"),
        (&[long.to_str().unwrap()], "at most 107 bytes"),
        (&[""], "--registration-dir"),
        (&[dir, on_host, "csi.sock"], "--endpoint-on-host"),
        (&[dir, on_host, ""], "--endpoint-on-host"),
    ];
    for (more, part) in node {
        let arguments = [&["--registration-dir"], more].concat();
        check("node", &arguments).must(2).says(part);
    }
    check("controller", &["--registration-dir", dir])
        .must(2)
        .says("only for --mode node");
    check("node", &[on_host, "/csi/csi.sock"])
        .must(2)
        .says("--registration-dir");
}
