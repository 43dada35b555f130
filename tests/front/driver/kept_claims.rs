//! The same call twice makes one volume, whatever happens to the driver between the two.

use std::fs;
use std::path::PathBuf;

use tonic::Code;
use war_vol::csi::proto::CreateVolumeRequest;
use war_vol::csi::proto::controller_client::ControllerClient;
use war_vol::csi::proto::controller_service_capability::Type;
use war_vol::csi::proto::identity_client::IdentityClient;
use war_vol::csi::proto::{
    ControllerGetCapabilitiesRequest, GetPluginCapabilitiesRequest, ListVolumesRequest,
    NodeGetInfoRequest, node_client::NodeClient,
};

use super::calls::said;
use super::provision::{URL, claim, refused};
use super::{Driver, kubelet_shares_its_mounts};
use crate::crash::strace::{Aim, attach};
use crate::node::until;
use crate::sandbox::Sandbox;

/// A query that is a secret.
const SIGNED: &str = "https://example.com/a.war?signature=canary-77aa";

/// A claim, and the same with another artifact.
fn two(name: &str) -> (CreateVolumeRequest, CreateVolumeRequest) {
    let of = |url| claim(name, &[("downloadURL", url)]);
    (of(SIGNED), of("https://example.com/other.war"))
}

fn only_claim(sandbox: &Sandbox) -> PathBuf {
    let mut all = sandbox.bucket("claims");
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn the_same_call_answers_the_same_and_another_is_refused_also_after_a_restart_and_a_kill() {
    let sandbox = Sandbox::new();
    let (same, mut other) = two("pvc-1");
    let driver = Driver::all(&sandbox);
    let volume = driver.create(&same).unwrap();
    let holds = |driver: &Driver, other: &CreateVolumeRequest| {
        assert!(driver.create(&same).unwrap() == volume);
        let words = refused(driver.create(other), Code::AlreadyExists);
        assert!(
            words.contains("\"pvc-1\"") && words.contains("recreate the claim"),
            "{words}"
        );
    };
    holds(&driver, &other);
    assert!(driver.stop().success());
    let driver = Driver::all(&sandbox);
    holds(&driver, &other);
    // Dropped, it is killed.
    drop(driver);
    let driver = Driver::all(&sandbox);
    holds(&driver, &other);
    // Kubernetes' own keys are no part of it, and each of the rest is.
    let mut renamed = same.clone();
    let key = "csi.storage.k8s.io/pvc/name".to_owned();
    renamed.parameters.insert(key, "renamed".to_owned());
    assert!(driver.create(&renamed).unwrap() == volume);
    other = same.clone();
    other.capacity_range.as_mut().unwrap().required_bytes += 1;
    holds(&driver, &other);
    other = same.clone();
    other.volume_capabilities.push(super::provision::capability(
        war_vol::csi::proto::volume_capability::access_mode::Mode::SingleNodeWriter,
    ));
    holds(&driver, &other);
    driver.delete(&volume.volume_id).unwrap();
    assert!(driver.create(&other).unwrap().volume_id == volume.volume_id);
}

/// Canary secrets (docs/design/faults.md, 44).
#[test]
fn no_secret_of_a_claim_is_written_down() {
    let sandbox = Sandbox::new();
    let driver = Driver::controller(&sandbox, &["--log-level", "trace"]);
    let (mut same, other) = two("pvc-1");
    let secret = ("token".to_owned(), "canary-3b1e".to_owned());
    same.secrets.extend([secret]);
    let volume = driver.create(&same).unwrap();
    let words = refused(driver.create(&other), Code::AlreadyExists);
    same.parameters
        .insert("unpack".to_owned(), "canary-9c".to_owned());
    let more = refused(driver.create(&same), Code::InvalidArgument);
    driver.delete("wv-0").unwrap();
    let record = fs::read_to_string(only_claim(&sandbox)).unwrap();
    assert!(volume.volume_context["downloadURL"].contains("canary"));
    for text in [words, more, record, driver.log()] {
        assert!(!text.is_empty() && !text.contains("canary"), "{text}");
    }
}

#[test]
fn a_lost_memory_costs_the_comparison_and_nothing_else() {
    let sandbox = Sandbox::new();
    let (same, other) = two("pvc-1");
    let driver = Driver::controller(&sandbox, &[]);
    let volume = driver.create(&same).unwrap();
    let record = only_claim(&sandbox);
    // A record that nobody can read is equal to whatever comes, and is written anew.
    for damage in ["", "{", "null", &"x".repeat(1 << 20)] {
        fs::write(&record, damage).unwrap();
        assert!(driver.create(&same).unwrap() == volume);
        refused(driver.create(&other), Code::AlreadyExists);
    }
    assert!(driver.stop().success());
    fs::remove_dir_all(sandbox.root().join("v1/claims")).unwrap();
    let driver = Driver::controller(&sandbox, &[]);
    driver.delete(&volume.volume_id).unwrap();
    assert!(driver.create(&other).unwrap().volume_id == volume.volume_id);
    refused(driver.create(&same), Code::AlreadyExists);
    assert!(driver.stop().success());
    fs::remove_file(sandbox.root().join("key")).unwrap();
    let driver = Driver::controller(&sandbox, &[]);
    assert!(driver.create(&same).unwrap() == volume);
    refused(driver.create(&other), Code::AlreadyExists);
}

#[test]
fn many_calls_at_once_with_one_name_make_one_volume() {
    let sandbox = Sandbox::new();
    let (first, second) = two("pvc-1");
    let driver = Driver::controller(&sandbox, &[]);
    let answers: Vec<_> = std::thread::scope(|threads| {
        let (driver, first, second) = (&driver, &first, &second);
        let calls: Vec<_> = (0..32)
            .map(|i| threads.spawn(move || driver.create([first, second][i % 2])))
            .collect();
        calls.into_iter().map(|c| c.join().unwrap()).collect()
    });
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (16, 16), "one of the two has won");
    let volume = good[0].as_ref().unwrap();
    assert!(good.iter().all(|g| g.as_ref().unwrap() == volume));
    for refusal in bad {
        refused(refusal, Code::AlreadyExists);
    }
    only_claim(&sandbox);
}

/// Killed at every call by which a record comes or goes (docs/design/faults.md, 11).
#[test]
fn a_kill_in_the_middle_leaves_the_whole_record_or_none() {
    let sandbox = Sandbox::new();
    let (same, other) = two("pvc-1");
    let driver = Driver::controller(&sandbox, &[]);
    let id = driver.create(&same).unwrap().volume_id;
    let record = only_claim(&sandbox);
    driver.delete(&id).unwrap();
    drop(driver);
    let creates = |driver: &Driver| driver.create(&same).is_ok();
    let deletes = |driver: &Driver| driver.delete(&id).is_ok();
    type Step<'a> = &'a dyn Fn(&Driver) -> bool;
    let steps: [(&str, Step<'_>, &[&str]); 2] = [
        ("create", &creates, &["openat", "fsync", "rename"]),
        ("delete", &deletes, &["unlink", "openat", "fsync"]),
    ];
    let mut killed = Vec::new();
    for (name, step, calls) in steps {
        for call in calls {
            for when in 1..10 {
                let mut driver = Driver::controller(&sandbox, &[]);
                if name == "delete" {
                    driver.create(&same).unwrap();
                }
                let kill = Aim::at(call, when).inject("signal=KILL");
                let process = driver.pid().as_raw_pid().cast_unsigned();
                let mut strace = attach(&kill, &sandbox.path("strace"), process);
                let done = step(&driver);
                if !done {
                    until("it is dead", || driver.ended().is_some());
                    killed.push(format!("{name} {call} {when}"));
                }
                drop(driver);
                strace.wait().unwrap();
                let driver = Driver::controller(&sandbox, &[]);
                let left = sandbox.bucket("claims");
                assert!(
                    left.is_empty() || left == [record.clone()],
                    "{name} {call} {when}: {left:?}"
                );
                if let Some(record) = left.first() {
                    let text = fs::read_to_string(record).unwrap();
                    let _: serde_json::Value = serde_json::from_str(&text).expect("it is whole");
                    refused(driver.create(&other), Code::AlreadyExists);
                }
                assert_eq!(driver.create(&same).unwrap().volume_id, id);
                refused(driver.create(&other), Code::AlreadyExists);
                driver.delete(&id).unwrap();
                assert!(sandbox.bucket("claims").is_empty());
                if done {
                    break;
                }
            }
        }
    }
    for point in [
        "create fsync 1",
        "create fsync 2",
        "create rename 1",
        "delete unlink 1",
    ] {
        assert!(
            killed.iter().any(|k| k == point),
            "not at {point}: {killed:?}"
        );
    }
}

/// What an fsync did not make durable is thrown away, and no later one is believed.
#[test]
fn a_record_that_cannot_be_made_durable_is_none() {
    let sandbox = Sandbox::new();
    let driver = Driver::controller(&sandbox, &[]);
    let (same, other) = two("pvc-1");
    for when in [1, 2] {
        let fail = Aim::at("fsync", when).inject("error=EIO");
        let process = driver.pid().as_raw_pid().cast_unsigned();
        let mut strace = attach(&fail, &sandbox.path("strace"), process);
        let words = refused(driver.create(&same), Code::Unavailable);
        assert!(words.contains("claims"), "{words}");
        assert!(sandbox.bucket("claims").is_empty(), "fsync {when}");
        // strace leaves at that, and what it traced goes on.
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&strace),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        strace.wait().unwrap();
    }
    let volume = driver.create(&other).unwrap();
    refused(driver.create(&same), Code::AlreadyExists);
    driver.delete(&volume.volume_id).unwrap();
}

#[test]
fn what_is_not_known_is_deleted_already_and_no_id_is_a_path() {
    let sandbox = Sandbox::new();
    let driver = Driver::controller(&sandbox, &[]);
    let volume = driver.create(&two("pvc-1").0).unwrap();
    let key = fs::read(sandbox.root().join("key")).unwrap();
    let climbs = format!("wv-{:/>32}", "../../../key");
    for id in [
        "x",
        "..",
        "../../key",
        "wv-../../key",
        &climbs,
        &"0".repeat(128),
    ] {
        driver.delete(id).unwrap();
    }
    refused(driver.delete(""), Code::InvalidArgument);
    refused(driver.delete(&"x".repeat(1 << 20)), Code::InvalidArgument);
    assert_eq!(fs::read(sandbox.root().join("key")).unwrap(), key);
    assert!(only_claim(&sandbox).ends_with(volume.volume_id));
}

#[test]
fn a_controller_alone_needs_neither_root_nor_kubelet_and_says_what_it_can() {
    let sandbox = Sandbox::new();
    for dir in ["root", "csi"] {
        fs::create_dir(sandbox.path(dir)).unwrap();
        std::os::unix::fs::chown(sandbox.path(dir), Some(65_532), Some(65_532)).unwrap();
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(sandbox.path("."), open).unwrap();
    let user = [
        "setpriv",
        "--reuid=65532",
        "--regid=65532",
        "--clear-groups",
    ];
    let program = copied(&sandbox);
    let mut command = std::process::Command::new(user[0]);
    command.args(&user[1..]).arg(program);
    command.args(["serve", "--mode", "controller"]);
    command.env_clear().env("WAR_VOL_ROOT", sandbox.root());
    let driver = Driver::of(&sandbox, command, &[]);
    driver.is_ready();
    assert!(!driver.kubelet.exists());
    let volume = driver
        .create(&claim("pvc-1", &[("downloadURL", URL)]))
        .unwrap();
    driver.delete(&volume.volume_id).unwrap();
    assert_eq!(sandbox.mounts(), 0);
    let (services, can) = driver.wait(async {
        let channel = driver.dial().await.unwrap();
        let services = IdentityClient::new(channel.clone())
            .get_plugin_capabilities(GetPluginCapabilitiesRequest {})
            .await;
        let mut client = ControllerClient::new(channel.clone());
        let can = client
            .controller_get_capabilities(ControllerGetCapabilitiesRequest {})
            .await;
        let listed = client.list_volumes(ListVolumesRequest::default()).await;
        assert_eq!(listed.err().unwrap().code(), Code::Unimplemented);
        let mut node = NodeClient::new(channel);
        let node = node.node_get_info(NodeGetInfoRequest {}).await;
        assert_eq!(node.err().unwrap().code(), Code::Unimplemented);
        (services.map_err(said), can.map_err(said))
    });
    assert_eq!(services.unwrap().into_inner().capabilities.len(), 1);
    let can = can.unwrap().into_inner().capabilities;
    let names = can.iter().map(|c| match c.r#type.as_ref().unwrap() {
        Type::Rpc(rpc) => rpc.r#type().as_str_name(),
    });
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["CREATE_DELETE_VOLUME", "SINGLE_NODE_MULTI_WRITER"]
    );
}

/// The program where any user finds it.
fn copied(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.path("war-vol");
    fs::copy(env!("CARGO_BIN_EXE_war-vol"), &path).unwrap();
    path
}

/// A node that provisions nothing says so.
#[test]
fn a_node_alone_has_no_controller() {
    let sandbox = Sandbox::new();
    kubelet_shares_its_mounts(&sandbox);
    let driver = Driver::start(&sandbox);
    let asked = claim("pvc-1", &[("downloadURL", URL)]);
    refused(driver.create(&asked), Code::Unimplemented);
    assert!(!sandbox.root().join("v1/claims").exists());
}
