//! What is told to those who watch the driver.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::time::Duration;

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use war_vol::csi::pluginregistration::RegistrationStatus;
use war_vol::csi::pluginregistration::registration_client::RegistrationClient;

use super::numbers::value;
use super::{Driver, dial, read};
use crate::disk::{Ext4, Frozen};
use crate::node::{bytes, mounts_at, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// What `--http-addr` is given: any port that is free.
pub(super) const ANY: [&str; 2] = ["--http-addr", "127.0.0.1:0"];

impl Driver {
    /// Where it says that it serves HTTP.
    pub(super) fn http(&self) -> SocketAddr {
        let mut address = None;
        until("it serves HTTP", || {
            let log = self.log();
            let said = log.rsplit_once("serving /healthz, /readyz and /metrics address=");
            address = said.and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
            address.is_some()
        });
        address.unwrap()
    }

    /// What the gRPC health service says.
    fn health(&self) -> Option<ServingStatus> {
        self.wait(async {
            let mut client = HealthClient::new(self.dial().await.ok()?);
            let answer = client.check(HealthCheckRequest::default()).await.ok()?;
            Some(answer.into_inner().status())
        })
    }
}

/// The status and the text at a path; nothing if nobody answers.
pub(super) fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    // Nobody may be kept waiting, whatever hangs.
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, text.to_owned()))
}

#[test]
fn without_shared_propagation_readyz_says_so_and_healthz_is_content() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("kubelet")).unwrap();
    let driver = Driver::run(&sandbox, &ANY);
    let http = driver.http();
    until("it says why", || {
        get(http, "/readyz").is_some_and(|(status, text)| {
            assert_eq!(status, 503, "{text}");
            text.contains("mountPropagation: Bidirectional")
        })
    });
    assert_eq!(get(http, "/healthz"), Some((200, "ok\n".to_owned())));
    until("the socket agrees", || {
        driver.probe() == Some(false) && driver.health() == Some(ServingStatus::NotServing)
    });
    let (_, text) = get(http, "/metrics").unwrap();
    assert_eq!(value(&text, "war_vol_ready"), Some(0.0), "{text}");
    assert_eq!(value(&text, "war_vol_disk_free_bytes"), None, "{text}");
}

/// Who waits for the store says so, although its socket is not there yet.
#[test]
fn a_driver_that_waits_for_the_store_says_who_has_it_and_is_ready_after() {
    let sandbox = Sandbox::new();
    let old = Driver::start(&sandbox);
    let new = Driver::begin(&sandbox, &ANY);
    let http = new.http();
    let holder = format!("is in use by process {}", old.pid());
    until("it says who has the store", || {
        get(http, "/readyz").is_some_and(|(status, text)| {
            assert_eq!(status, 503, "{text}");
            text.contains(&holder)
        })
    });
    assert_eq!(get(http, "/healthz"), Some((200, "ok\n".to_owned())));
    // Who only waits has nothing to end.
    let third = Driver::begin(&sandbox, &[]);
    let waits = "waiting for it to exit";
    until("a third one waits", || {
        third.log().matches(waits).count() == 2
    });
    assert!(third.stop().success());
    assert!(
        !new.log().contains("aborting what still runs"),
        "{}",
        new.log()
    );
    assert!(old.stop().success());
    let ready = Some((200, "ready\n".to_owned()));
    until("it is ready", || get(http, "/readyz") == ready);
    new.is_ready();
    until("all agree", || new.health() == Some(ServingStatus::Serving));
    let (_, text) = get(http, "/metrics").unwrap();
    assert_eq!(value(&text, "war_vol_ready"), Some(1.0), "{text}");
}

#[test]
fn until_kubelet_has_registered_the_driver_that_is_what_is_missing() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("plugins_registry");
    fs::create_dir(&dir).unwrap();
    let more = ["--registration-dir", dir.to_str().unwrap()];
    let driver = Driver::begin(&sandbox, &[&ANY[..], &more].concat());
    until("it answers", || driver.probe().is_some());
    let http = driver.http();
    let is_registered = |expected| {
        let (_, text) = get(http, "/metrics").unwrap();
        assert_eq!(value(&text, "war_vol_registered"), expected, "{text}");
    };
    until("nothing else is missing", || {
        let (status, text) = get(http, "/readyz").unwrap();
        assert_eq!(status, 503, "{text}");
        text.lines().count() == 1 && text.contains("kubelet")
    });
    is_registered(Some(0.0));
    let socket = dir.join("war-vol.geektime.org@reg.sock");
    driver.wait(async {
        let mut kubelet = RegistrationClient::new(dial(&socket).await.unwrap());
        let status = RegistrationStatus {
            plugin_registered: true,
            ..Default::default()
        };
        kubelet.notify_registration_status(status).await.unwrap();
    });
    assert_eq!(get(http, "/readyz"), Some((200, "ready\n".to_owned())));
    is_registered(Some(1.0));
}

#[test]
fn a_controller_alone_is_ready_without_volumes_and_needs_no_kubelet() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.war_vol();
    command.args(["serve", "--mode", "controller"]);
    let driver = Driver::of(&sandbox, command, &ANY);
    driver.is_ready();
    let http = driver.http();
    assert_eq!(get(http, "/readyz"), Some((200, "ready\n".to_owned())));
    let (_, text) = get(http, "/metrics").unwrap();
    assert_eq!(value(&text, "war_vol_ready"), Some(1.0), "{text}");
    for none in ["war_vol_registered", "war_vol_volumes{", "war_vol_disk"] {
        assert!(!text.contains(none), "{none}: {text}");
    }
}

#[test]
fn a_driver_that_stops_is_not_ready_any_more_and_says_so() {
    let sandbox = Sandbox::new();
    let driver = Driver::begin(&sandbox, &ANY);
    driver.is_ready();
    let http = driver.http();
    // A call that does not end holds up the end, for a moment.
    let mut watching = driver.wait(async {
        let mut client = HealthClient::new(driver.dial().await.unwrap());
        let watching = client.watch(HealthCheckRequest::default()).await;
        watching.unwrap().into_inner()
    });
    rustix::process::kill_process(driver.pid(), rustix::process::Signal::TERM).unwrap();
    let mut said = None;
    until("it is not ready any more", || {
        said = get(http, "/readyz");
        said.as_ref().is_none_or(|(status, _)| *status != 200)
    });
    assert_eq!(
        said,
        Some((503, "the driver is shutting down\n".to_owned()))
    );
    let mut last = None;
    driver.wait(async {
        while let Ok(Some(answer)) = watching.message().await {
            last = Some(answer.status());
        }
    });
    assert_eq!(last, Some(ServingStatus::NotServing));
    assert!(driver.stop().success());
    assert_eq!(get(http, "/readyz"), None);
}

#[test]
fn a_store_that_turns_read_only_is_said_and_what_is_mounted_goes_on() {
    let sandbox = Sandbox::new();
    let disk = Ext4::under_store(&sandbox, 32);
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(65, 100_000)));
    let driver = Driver::begin(&sandbox, &ANY);
    driver.is_ready();
    let http = driver.http();
    let live = driver.inline("live", &origin.url("/a.war"));
    driver.publish(&live).unwrap();
    let before = mounts_at(&live.target());
    disk.turn_read_only();
    until("it says so", || {
        let (status, text) = get(http, "/readyz").unwrap();
        status == 503 && text.contains("read-only") && text.lines().count() == 1
    });
    assert_eq!(driver.probe(), Some(false));
    assert_eq!(get(http, "/healthz"), Some((200, "ok\n".to_owned())));
    driver.publish(&live).unwrap();
    assert_eq!(mounts_at(&live.target()), before);
    assert!(read(&live.target()) == bytes(65, 100_000));
    let new = driver.inline("new", &origin.url("/a.war"));
    let (code, words) = driver.publish(&new).unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    let (_, text) = get(http, "/metrics").unwrap();
    let series = "war_vol_publishes_total{outcome=\"unavailable\"}";
    assert_eq!(value(&text, series), Some(1.0), "{text}");

    // The next one knows it from the start.
    drop(driver);
    let driver = Driver::begin(&sandbox, &ANY);
    until("it answers", || driver.probe().is_some());
    let (status, text) = get(driver.http(), "/readyz").unwrap();
    assert_eq!(status, 503, "{text}");
    until("it says so, too", || {
        let (_, text) = get(driver.http(), "/readyz").unwrap();
        text.contains("read-only")
    });
    driver.publish(&live).unwrap();
    assert_eq!(mounts_at(&live.target()), before);
}

#[test]
fn a_disk_that_hangs_keeps_nobody_from_an_answer() {
    let sandbox = Sandbox::new();
    let disk = Ext4::under_store(&sandbox, 32);
    let driver = Driver::begin(&sandbox, &ANY);
    driver.is_ready();
    let http = driver.http();
    let (_, before) = get(http, "/metrics").unwrap();
    let size = |text: &str| value(text, "war_vol_disk_size_bytes").expect("a size");
    let frozen = Frozen::new(&disk);
    until("it says so", || {
        let (status, text) = get(http, "/metrics").unwrap();
        assert_eq!(status, 200);
        assert_eq!(size(&text), size(&before), "what is known is said");
        assert_eq!(get(http, "/healthz"), Some((200, "ok\n".to_owned())));
        let (status, text) = get(http, "/readyz").unwrap();
        status == 503 && text.contains("has not responded for")
    });
    assert_eq!(driver.probe(), Some(false));
    drop(frozen);
    let ready = Some((200, "ready\n".to_owned()));
    until("it is ready again", || get(http, "/readyz") == ready);
}

/// Whether it has a socket of TCP.
fn has_tcp(driver: &Driver) -> bool {
    let proc = format!("/proc/{}", driver.pid());
    let tables = ["tcp", "tcp6"].map(|t| fs::read_to_string(format!("{proc}/net/{t}")).unwrap());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let inodes: Vec<u64> = lines
        .map(|line| line.split_whitespace().nth(9).unwrap().parse().unwrap())
        .collect();
    // A file that is closed meanwhile is none.
    let files = fs::read_dir(format!("{proc}/fd")).unwrap();
    let files = files.filter_map(|file| fs::metadata(file.unwrap().path()).ok());
    files
        .filter(|meta| meta.file_type().is_socket())
        .any(|meta| inodes.contains(&meta.ino()))
}

#[test]
fn nothing_is_served_that_was_not_asked_for() {
    let sandbox = Sandbox::new();
    let driver = Driver::start(&sandbox);
    assert!(!has_tcp(&driver));
    assert!(driver.stop().success());
    let driver = Driver::begin(&sandbox, &ANY);
    driver.http();
    assert!(has_tcp(&driver));
}

#[test]
fn an_address_that_cannot_be_had_is_a_wrong_setting() {
    let sandbox = Sandbox::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut driver = Driver::begin(&sandbox, &["--http-addr", &address]);
    until("it gives up", || driver.ended().is_some());
    assert_eq!(driver.ended().unwrap().code(), Some(2));
    let log = driver.log();
    assert!(log.contains(&format!("--http-addr {address}: ")), "{log}");
    assert!(!sandbox.path("csi/csi.sock").exists());
}
