//! A store that a newer driver has used (docs/design/faults.md, 28), and a socket for commands that cannot be had at
//! first.

use std::fs;

use tonic::Code;

use super::Driver;
use super::ops::{ANY, get};
use super::scene::Scene;
use crate::disk::only;
use crate::node::until;
use crate::sandbox::Sandbox;

#[test]
fn a_record_of_a_newer_driver_is_not_misread_and_its_pod_can_end() {
    let scene = Scene::new();
    let call = scene.published("pod");
    let record = only(scene.sandbox.bucket("volumes")).join("want.json");
    let text = fs::read_to_string(&record).unwrap();
    let newer = text.replacen("\"version\": 1", "\"version\": 2", 1);
    assert_ne!(newer, text, "a record says its version");
    let scene = scene.killed_and(|sandbox| {
        fs::write(&record, &newer).unwrap();
        Driver::begin(sandbox, &ANY)
    });
    let http = scene.driver.http();
    until("it says why it is not ready", || {
        let (status, text) = get(http, "/readyz").unwrap();
        status == 503 && text.contains("which a newer war-vol has created")
    });
    let new = scene.driver.inline("new", &scene.url);
    let (code, words) = scene.driver.publish(&new).unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    assert!(words.contains("newer war-vol"), "{words}");
    // What is mounted is looked at by nobody, and stays as it is.
    scene.shows(&call);
    assert_eq!(fs::read_to_string(&record).unwrap(), newer);
    scene.driver.unpublish(&call).unwrap();
    assert!(!call.target().exists());
}

#[test]
fn a_socket_for_commands_that_cannot_be_had_is_tried_again_and_readyz_says_so() {
    let sandbox = Sandbox::new();
    let in_the_way = sandbox.root().join("admin.sock/in-the-way");
    fs::create_dir_all(&in_the_way).unwrap();
    let driver = Driver::begin(&sandbox, &ANY);
    driver.is_ready();
    let http = driver.http();
    until("it says so, and is ready all the same", || {
        let (status, text) = get(http, "/readyz").unwrap();
        assert_eq!(status, 200, "{text}");
        text.contains("warning: commands and FlexVolume calls cannot reach this driver")
    });
    fs::remove_dir_all(sandbox.root().join("admin.sock")).unwrap();
    let ready = Some((200, "ready\n".to_owned()));
    until("it says it no more", || get(http, "/readyz") == ready);
    let listed = sandbox.war_vol().arg("volumes").output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
}
