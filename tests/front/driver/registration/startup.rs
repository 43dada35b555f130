//! The taint that keeps pods away from a node until the driver is there, over HTTPS with a model of the API server.

use std::fs;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::{Kubelet, NAME, registry};
use crate::api_server::{ApiServer, account, new_token};
use crate::driver::numbers::value;
use crate::driver::ops::{ANY, get};
use crate::driver::{Driver, kubelet_shares_its_mounts};
use crate::node::{bytes, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

const KEY: &str = "war-vol.geektime.org/agent-not-ready";
const PATCH: &str = "PATCH /api/v1/nodes/node-1";
const GET: &str = "GET /api/v1/nodes/node-1";
const LIST: &str = "GET /apis/storage.k8s.io/v1/csinodes/node-1";

const AUTHORITY: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// The certificate of an authority that has signed for nobody.
fn stranger() -> String {
    let key = KeyPair::generate().unwrap();
    CertificateParams::default()
        .self_signed(&key)
        .unwrap()
        .pem()
}

fn ours(effect: &str) -> Value {
    json!({ "key": KEY, "effect": effect, "value": "x" })
}

fn other(key: &str) -> Value {
    json!({ "key": key, "effect": "NoSchedule", "timeAdded": "2026-01-02T03:04:05Z" })
}

/// As the chart has it, in a pod with a service account.
fn command(sandbox: &Sandbox, api: &ApiServer) -> Command {
    kubelet_shares_its_mounts(sandbox);
    let mut command = sandbox.war_vol();
    command
        .args(["serve", "--mode", "node", "--node-id", "node-1"])
        .arg("--registration-dir")
        .arg(registry(sandbox))
        .args(["--startup-taint", KEY])
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", api.port().to_string())
        // For downloads over https; nobody is there.
        .env("HTTPS_PROXY", "http://127.0.0.1:1");
    command
}

/// A tainted node whose CSINode lists the driver, and the driver on it.
struct Scene {
    driver: Driver,
    kubelet: Kubelet,
    api: ApiServer,
    sandbox: Sandbox,
}

impl Scene {
    /// `prepare` has its say before the driver begins.
    fn new(prepare: impl FnOnce(&ApiServer)) -> Self {
        let sandbox = Sandbox::new();
        let api = ApiServer::start();
        account("first", ApiServer::pem());
        api.model().drivers = Some(vec![NAME.to_owned()]);
        *api.model().taints() = vec![ours("NoSchedule")];
        prepare(&api);
        let kubelet = Kubelet::start(&sandbox);
        let driver = Driver::of(&sandbox, command(&sandbox, &api), &ANY);
        driver.is_ready();
        Self {
            driver,
            kubelet,
            api,
            sandbox,
        }
    }

    fn says(&self, words: &str) {
        until(words, || self.driver.log().contains(words));
    }

    fn taints(&self) -> Vec<Value> {
        self.api.model().taints().clone()
    }

    fn is_free(&self) {
        until("the taint is gone", || self.taints().is_empty());
    }

    /// How many looks ended so.
    fn counted(&self, outcome: &str) -> f64 {
        let (_, text) = get(self.driver.http(), "/metrics").unwrap();
        let series = format!("war_vol_startup_taints_total{{outcome=\"{outcome}\"}}");
        value(&text, &series).unwrap()
    }

    /// The driver does all its other work.
    fn serves_volumes(&self) {
        let origin = Origin::start();
        origin.put("/a.war", Object::new(bytes(71, 1000)));
        let call = self.driver.inline("pod", &origin.url("/a.war"));
        self.driver.publish(&call).unwrap();
        self.driver.unpublish(&call).unwrap();
    }
}

#[test]
fn the_taint_goes_once_kubelet_has_registered_the_driver_and_the_csinode_lists_it() {
    let sandbox = Sandbox::new();
    let api = ApiServer::start();
    account("first", ApiServer::pem());
    let others = [other("example.com/a"), other("example.com/b")];
    let [a, b] = others.clone();
    *api.model().taints() = vec![ours("NoExecute"), a, ours("NoSchedule"), b];
    let before = api.model().node.clone();
    let driver = Driver::of(&sandbox, command(&sandbox, &api), &[]);
    until("it has seen the node", || api.model().count(GET, 200) == 1);
    until("it offers itself", || super::socket(&sandbox).exists());
    let kubelet = Kubelet::start(&sandbox);
    driver.is_ready();
    until("it has looked in vain", || api.model().count(LIST, 404) > 0);
    api.model().drivers = Some(vec!["other.example.com".to_owned()]);
    until("it has looked again", || api.model().count(LIST, 200) > 0);
    assert_eq!(api.model().node, before, "nothing is touched");
    api.model().drivers = Some(vec!["other.example.com".to_owned(), NAME.to_owned()]);
    until("both taints are gone", || *api.model().taints() == others);
    assert_eq!(api.model().count(PATCH, 200), 1);
    let mut expected = before;
    expected["spec"]["taints"] = json!(others);
    assert_eq!(api.model().node, expected, "nothing else is touched");
    until("it says so", || {
        driver.log().contains("removed the startup taint")
    });
    assert!(!driver.log().contains("first"), "the token is not logged");
    drop(kubelet);
}

/// Two agents remove their taints at once, and a controller sets one: nobody's work is lost.
#[test]
fn what_others_do_to_the_taints_meanwhile_stays() {
    let meanwhile = [other("example.com/a"), other("example.com/b")];
    let scene = Scene::new(|api| api.model().meanwhile = meanwhile.to_vec());
    until("the taint is gone", || {
        scene.taints().iter().all(|taint| taint["key"] != KEY)
    });
    assert_eq!(scene.taints(), meanwhile);
    assert_eq!(scene.api.model().count(PATCH, 422), 2);
    scene.says("the node was changed in the meantime");
    until("it is counted", || scene.counted("ok") == 1.0);
    assert_eq!(scene.counted("pending"), 2.0);
}

#[test]
fn a_taint_that_comes_later_is_removed_and_at_once_when_kubelet_restarts() {
    let mut scene = Scene::new(|_| {});
    scene.is_free();
    scene.api.model().taints().push(ours("NoExecute"));
    scene.is_free();
    drop(scene.kubelet);
    scene.api.model().taints().push(ours("NoSchedule"));
    scene.kubelet = Kubelet::start(&scene.sandbox);
    until("the taint is gone", || {
        scene.api.model().taints().is_empty()
    });
    assert_eq!(scene.api.model().count(PATCH, 200), 3);
}

#[test]
fn a_missing_right_is_named_and_used_once_it_is_there() {
    for right in ["get nodes", "get csinodes", "patch nodes"] {
        let scene = Scene::new(|api| api.model().forbidden = [right].into());
        let (verb, resource) = right.split_once(' ').unwrap();
        scene.says(&format!("cannot {verb} resource \"{resource}\""));
        scene.says("grant the driver's service account this right");
        assert!(scene.counted("denied") > 0.0);
        assert_eq!(scene.driver.probe(), Some(true));
        assert_eq!(scene.taints(), [ours("NoSchedule")]);
        scene.api.model().forbidden.clear();
        scene.is_free();
    }
}

/// After a reboot of the control plane, too.
#[test]
fn an_api_server_that_is_away_keeps_nobody_waiting_but_the_taint() {
    let scene = Scene::new(|api| api.model().is_away = true);
    scene.says("does not answer");
    scene.serves_volumes();
    assert_eq!(scene.driver.probe(), Some(true));
    scene.api.model().is_away = false;
    scene.is_free();
}

#[test]
fn a_token_that_was_replaced_is_read_again() {
    let scene = Scene::new(|api| {
        api.model().tokens.clear();
        api.model().tokens.insert("second".to_owned());
    });
    scene.says("rejects the service account token");
    new_token("second\n");
    scene.is_free();
    let log = scene.driver.log();
    assert!(!log.contains("second") && !log.contains("Bearer"), "{log}");
}

#[test]
fn an_authority_that_was_replaced_is_read_again() {
    let scene = Scene::new(|_| account("first", &stranger()));
    scene.says("invalid peer certificate");
    fs::write(AUTHORITY, ApiServer::pem()).unwrap();
    scene.is_free();
}

#[test]
fn an_api_server_that_has_a_name_is_found_by_it() {
    let (sandbox, api) = (Sandbox::new(), ApiServer::start());
    account("first", ApiServer::pem());
    let mut command = command(&sandbox, &api);
    command.env("KUBERNETES_SERVICE_HOST", "localhost");
    let _driver = Driver::of(&sandbox, command, &[]);
    until("it has seen the node", || api.model().count(GET, 200) > 0);
}

#[test]
fn a_token_goes_to_no_other_server() {
    let elsewhere = ApiServer::start();
    let place = format!("https://127.0.0.1:{}/", elsewhere.port());
    let scene = Scene::new(|api| api.model().redirects = Some(place));
    scene.says("answered 307");
    assert!(elsewhere.model().asked.is_empty());
    // The cluster's own authority counts, and no other.
    scene.driver.stop();
    scene.api.model().redirects = None;
    account("first", &stranger());
    let driver = Driver::of(&scene.sandbox, command(&scene.sandbox, &scene.api), &[]);
    until("it says so", || {
        driver.log().contains("invalid peer certificate")
    });
    // Nothing was answered but what the driver before was told.
    let model = scene.api.model();
    assert!(model.asked.iter().all(|(_, status)| *status == 307));
}

#[test]
fn without_a_service_account_the_driver_works_and_says_what_is_missing() {
    let sandbox = Sandbox::new();
    let api = ApiServer::start();
    account("first", ApiServer::pem());
    fs::remove_file(AUTHORITY).unwrap();
    let _kubelet = Kubelet::start(&sandbox);
    let driver = Driver::of(&sandbox, command(&sandbox, &api), &[]);
    driver.is_ready();
    until("it says so", || {
        driver.log().contains("automountServiceAccountToken")
    });
}

#[test]
fn what_cannot_work_is_a_wrong_setting() {
    let sandbox = Sandbox::new();
    kubelet_shares_its_mounts(&sandbox);
    let check = |taint: &str, host: &str| {
        let mut command = sandbox.war_vol();
        command
            .args(["serve", "--check", "--mode", "node", "--node-id", "n"])
            .args(["--kubelet-dir", sandbox.path("kubelet").to_str().unwrap()])
            .arg("--registration-dir")
            .arg(registry(&sandbox))
            .args(["--startup-taint", taint])
            .env("KUBERNETES_SERVICE_HOST", host);
        crate::sandbox::Ran::of(command.output().unwrap())
    };
    check(KEY, "10.96.0.1").must(0);
    check(KEY, "").must(2).says("not running in a pod");
    check("example.com/a:NoSchedule", "10.96.0.1")
        .must(2)
        .says("omit value and effect");
    check("node.kubernetes.io/not-ready", "10.96.0.1")
        .must(2)
        .says("reserved for Kubernetes");
}

/// A kubelet that is too old never registers the driver, and so it is said before.
#[test]
fn a_node_that_is_too_old_is_warned_of_whether_the_driver_is_ready_or_not() {
    let sandbox = Sandbox::new();
    let api = ApiServer::start();
    account("first", ApiServer::pem());
    api.model().node["status"]["nodeInfo"]["kubeletVersion"] = json!("v1.28.9");
    let driver = Driver::of(&sandbox, command(&sandbox, &api), &ANY);
    let http = driver.http();
    let warning = "\nwarning: kubelet \"v1.28.9\" is older than 1.29: ";
    let warns = |status| {
        get(http, "/readyz").is_some_and(|(s, text)| s == status && text.contains(warning))
    };
    until("it is warned", || warns(503));
    until("it is logged", || driver.log().contains("older than 1.29"));
    let _kubelet = Kubelet::start(&sandbox);
    driver.is_ready();
    until("it is ready all the same", || warns(200));
}
