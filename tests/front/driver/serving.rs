//! The driver starts, or says why not (docs/design/faults.md, 28, 29 and 34).

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use tonic::Code;

use super::{Driver, kubelet_shares_its_mounts, read};
use crate::node::{bytes, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

#[test]
fn only_root_reaches_the_socket_from_its_first_moment() {
    let sandbox = Sandbox::new();
    let _driver = Driver::start(&sandbox);
    let socket = fs::metadata(sandbox.path("csi/csi.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.mode() & 0o777, 0o600);
    assert_eq!(
        fs::metadata(sandbox.path("csi")).unwrap().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else_is() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("csi")).unwrap();
    let path = sandbox.path("csi/csi.sock");
    drop(UnixListener::bind(&path).unwrap());
    // kubelet makes the directory like that.
    fs::set_permissions(sandbox.path("csi"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Driver::start(&sandbox).stop().success());
    let refuses = |part: &str| {
        let mut driver = Driver::begin(&sandbox, &[]);
        until("it gives up", || driver.ended().is_some());
        assert_eq!(driver.ended().unwrap().code(), Some(2));
        assert!(driver.log().contains(part), "{}", driver.log());
    };
    let listener = UnixListener::bind(&path).unwrap();
    refuses("another process serves it");
    drop(listener);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "mine").unwrap();
    refuses("something that is not a socket");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    fs::remove_file(&path).unwrap();
    fs::write(sandbox.path("csi/other"), "").unwrap();
    fs::set_permissions(sandbox.path("csi"), fs::Permissions::from_mode(0o755)).unwrap();
    refuses("a directory of its own");
}

#[test]
fn settings_are_checked_without_a_change() {
    let sandbox = Sandbox::new();
    kubelet_shares_its_mounts(&sandbox);
    let kubelet = sandbox.path("kubelet");
    let check = |more: &[&str]| {
        let mut arguments = vec![
            "serve",
            "--check",
            "--mode",
            "node",
            "--kubelet-dir",
            kubelet.to_str().unwrap(),
        ];
        arguments.extend(more);
        sandbox.run(arguments)
    };
    check(&["--node-id", "n"]).must(0);
    check(&[]).must(2).says("--node-id");
    check(&["--node-id", "n", "--driver-name", "war_vol"])
        .must(2)
        .says("--driver-name");
    check(&["--node-id", "n", "--endpoint", "tcp://127.0.0.1:1"])
        .must(2)
        .says("unix://");
    check(&["--node-id", "n", "--keep-free", "101"])
        .must(2)
        .says("--keep-free");
    check(&["--node-id", "n", "--kubelet-dir", "/nowhere"]).must(2);
    check(&["--node-id", "n", "--credentials", "x"])
        .must(2)
        .says("--credentials");
    assert!(!sandbox.root().exists());
}

#[test]
fn without_shared_propagation_it_is_not_ready_and_says_why() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(53, 1000)));
    fs::create_dir(sandbox.path("kubelet")).unwrap();
    let driver = Driver::run(&sandbox, &[]);
    until("it answers", || driver.probe() == Some(false));
    let call = driver.inline("pod", &origin.url("/a.war"));
    let (code, words) = driver.publish(&call).unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    assert!(words.contains("mountPropagation: Bidirectional"), "{words}");
    assert_eq!(origin.gets("/a.war"), 0);
}

#[test]
fn without_the_right_to_mount_it_is_not_ready_and_says_why() {
    let sandbox = Sandbox::new();
    kubelet_shares_its_mounts(&sandbox);
    let program = sandbox.war_vol();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
    command
        .arg(program.get_program())
        .args(["serve", "--mode", "node", "--node-id", "n"]);
    command
        .env("WAR_VOL_ROOT", sandbox.root())
        .env("WAR_VOL_KEEP_FREE", "0");
    let driver = Driver::of(&sandbox, command, &[]);
    until("it answers", || driver.probe() == Some(false));
    let call = driver.inline("pod", "https://example.com/a.war");
    let (code, words) = driver.publish(&call).unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    assert!(words.contains("CAP_SYS_ADMIN"), "{words}");
}

/// The old one ends, the new one takes over, and nobody's mount is touched.
#[test]
fn a_new_driver_waits_for_the_old_one_and_finds_its_volumes() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(54, 100_000)));
    let old = Driver::start(&sandbox);
    let call = old.inline("pod", &origin.url("/a.war"));
    old.publish(&call).unwrap();
    let before = crate::node::mounts_at(&call.target());
    let new = Driver::begin(&sandbox, &[]);
    until("the new one waits", || {
        new.log().contains("waiting for it to exit")
    });
    assert!(old.stop().success());
    new.is_ready();
    new.publish(&call).unwrap();
    assert_eq!(crate::node::mounts_at(&call.target()), before);
    assert!(read(&call.target()) == bytes(54, 100_000));
    new.unpublish(&call).unwrap();
    until("its trash is gone", || sandbox.bucket("trash").is_empty());
    sandbox.assert_no_volume_left();
}

/// A client that names the socket's path as its host (`%2Frun%2Fcsi.sock`), as Python's grpcio does.
#[test]
fn a_caller_that_names_the_path_of_the_socket_as_its_host_is_answered() {
    let sandbox = Sandbox::new();
    let driver = Driver::start(&sandbox);
    let mut stream = UnixStream::connect(sandbox.path("csi/csi.sock")).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let literal = |index: u8, value: &str| {
        let length = u8::try_from(value.len()).unwrap();
        [&[0x40 | index, length][..], value.as_bytes()].concat()
    };
    let named = |name: &str, value: &str| {
        let length = u8::try_from(name.len()).unwrap();
        [
            &[0x40, length][..],
            name.as_bytes(),
            &literal(0, value)[1..],
        ]
        .concat()
    };
    // POST, http, and the rest as gRPC wants it (RFC 7541, Appendix A has the indices).
    let headers = [
        vec![0x83, 0x86],
        literal(4, "/csi.v1.Identity/Probe"),
        literal(1, "%2Frun%2Fwar-vol%2Fcsi.sock"),
        literal(31, "application/grpc"),
        named("te", "trailers"),
    ]
    .concat();
    let frame = |kind: u8, flags: u8, payload: &[u8], stream: u8| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], payload].concat()
    };
    let request = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, &[], 0),
        frame(1, 4, &headers, 1),
        frame(0, 1, &[0; 5], 1),
    ]
    .concat();
    stream.write_all(&request).unwrap();
    // Its first frame of this stream: headers of an answer (1), or a reset (3).
    let mut head = [0; 9];
    let kind = loop {
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        if head[8] == 1 && head[3] != 8 {
            break head[3];
        }
    };
    assert_eq!(kind, 1, "it was reset: {}", driver.log());
}
