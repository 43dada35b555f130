//! Who reaches a driver, and who does not.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::process::Command;

use super::*;

#[test]
fn only_root_reaches_the_admin_socket() {
    let sandbox = Sandbox::new();
    let driver = Driver::start(&sandbox);
    let (root, path) = (sandbox.root(), sandbox.root().join("admin.sock"));
    until("it serves the command line", || exists(&path));
    let socket = fs::metadata(&path).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&root).unwrap().mode() & 0o777, 0o700);
    // Whatever becomes of the modes: the kernel says who calls.
    for (path, mode) in [
        (sandbox.path(""), 0o755),
        (root, 0o755),
        (path.clone(), 0o666),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let script = "use Socket; $SIG{PIPE} = 'IGNORE'; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; \
                  connect(S, pack_sockaddr_un($ARGV[0])) or die \"$!\"; \
                  syswrite(S, \"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0\"); \
                  print sysread(S, $b, 9) ? 'answered' : 'turned away';";
    let call = |user: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", user, "--clear-groups", "perl", "-e", script]);
        let ran = Ran::of(command.arg(&path).output().unwrap()).must(0);
        ran.stdout
    };
    assert_eq!(call("65534"), "turned away");
    assert_eq!(call("0"), "answered");
    assert!(driver.log().contains("rejected a caller that is not root"));
}

/// What a driver mounts elsewhere nobody here would see.
#[test]
fn from_another_mount_namespace_everything_is_seen_and_nothing_mounted() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let driver = Driver::start(&sandbox);
    sandbox.mount(&origin.url("/a.war"), "dir", &[]);
    let elsewhere = |arguments: &[&str]| {
        let program = sandbox.war_vol();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private"])
            .arg(program.get_program())
            .args(arguments)
            .env("WAR_VOL_ROOT", sandbox.root())
            .current_dir(sandbox.path(""));
        Ran::of(command.output().unwrap())
    };
    let commands: [&[&str]; 2] = [
        &["mount", &origin.url("/a.war"), "other"],
        &["unmount", "dir"],
    ];
    for command in commands {
        elsewhere(command)
            .must(2)
            .says("another mount namespace")
            .says("choose another --root")
            .says(&format!("process {}", driver.pid()));
    }
    assert!(!exists(&sandbox.path("other")));
    assert_eq!(origin.gets("/a.war"), 1);
    for arguments in [["volumes", "--output"], ["cache", "--output"]] {
        let command = match arguments[0] {
            "cache" => vec!["cache", "ls", "--output", "json"],
            _ => vec!["volumes", "--output", "json"],
        };
        assert_eq!(
            elsewhere(&command).must(0).json(),
            sandbox.run(&command).must(0).json()
        );
    }
    sandbox.run(["unmount", "dir"]).must(0);
}

/// One that has the store and does not answer is named and waited for.
#[test]
fn a_driver_that_hangs_is_named_and_asked_again() {
    let sandbox = Sandbox::new();
    let driver = Driver::start(&sandbox);
    kill_process(driver.pid(), Signal::STOP).unwrap();
    let child = begin(&sandbox, &["volumes"]);
    child.says("waiting for it to finish");
    let words = child.stderr();
    assert!(
        words.contains(&format!("process {} (war-vol serve)", driver.pid())),
        "{words}"
    );
    kill_process(driver.pid(), Signal::CONT).unwrap();
    child.ended().must(0);
    assert!(driver.stop().success());
}

/// A driver that is starting has the lock before it has a socket.
#[test]
fn a_command_that_waits_finds_the_driver_that_starts() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.root()).unwrap();
    let lock = fs::File::create(sandbox.root().join("lock")).unwrap();
    lock.lock().unwrap();
    let driver = Driver::begin(&sandbox, &[]);
    until("the driver waits", || {
        driver.log().contains("waiting for it to exit")
    });
    let child = begin(&sandbox, &["volumes", "--output", "json"]);
    child.says("waiting for it to finish");
    lock.unlock().unwrap();
    // Whoever of the two is first.
    assert_eq!(
        child.ended().must(0).json()["volumes"],
        serde_json::json!([])
    );
    driver.is_ready();
    sandbox.run(["volumes"]).must(0);
    assert!(driver.stop().success());
}

/// What lies at the socket's place and is none stays there; the volumes go on without the command line.
#[test]
fn without_its_admin_socket_a_driver_serves_kubelet_all_the_same() {
    let sandbox = Sandbox::new();
    let origin = origin();
    fs::create_dir(sandbox.root()).unwrap();
    let path = sandbox.root().join("admin.sock");
    fs::write(&path, "mine").unwrap();
    let driver = Driver::start(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    driver.publish(&call).unwrap();
    until("it says so", || {
        driver.log().contains("cannot reach this driver")
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    driver.unpublish(&call).unwrap();
    assert!(driver.stop().success());
}

/// No longer than a socket's path may be, and text: a root is neither.
#[test]
fn a_driver_is_reached_in_a_root_of_any_length_and_name() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let mut name = b"\xff ".to_vec();
    name.resize(200, b'x');
    let root = sandbox.path("").join(std::ffi::OsStr::from_bytes(&name));
    let mut serve = sandbox.war_vol();
    serve.args(["serve", "--mode", "node", "--node-id", "n"]);
    serve.env("WAR_VOL_ROOT", &root);
    crate::driver::kubelet_shares_its_mounts(&sandbox);
    let driver = Driver::of(&sandbox, serve, &[]);
    driver.is_ready();
    until("it serves the command line", || {
        exists(&root.join("admin.sock"))
    });
    let mut volumes = sandbox.war_vol();
    volumes.arg("volumes").env("WAR_VOL_ROOT", &root);
    let ran = Ran::of(volumes.output().unwrap()).must(0);
    assert_eq!(ran.stderr, "");
    assert!(driver.stop().success());
    assert!(!exists(&root.join("admin.sock")));
}

/// A socket that a kill left stands in nobody's way.
#[test]
fn a_stale_admin_socket_is_replaced_by_the_next_driver() {
    let sandbox = Sandbox::new();
    let path = sandbox.root().join("admin.sock");
    let driver = Driver::start(&sandbox);
    until("it serves the command line", || exists(&path));
    drop(driver);
    assert!(exists(&path), "nobody took it away");
    sandbox.run(["volumes"]).must(0);
    let driver = Driver::start(&sandbox);
    sandbox.run(["volumes"]).must(0);
    assert!(driver.stop().success());
    assert!(!exists(&path));
}
