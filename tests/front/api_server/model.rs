//! What the API server knows, and what it answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The Node of the tests.
pub(crate) const NODE: &str = "/api/v1/nodes/node-1";
const CSI_NODE: &str = "/apis/storage.k8s.io/v1/csinodes/node-1";

/// Its objects, who may do what, and what was asked.
pub(crate) struct Model {
    /// The Node.
    pub(crate) node: Value,
    /// The drivers in its CSINode; before the first there is no CSINode.
    pub(crate) drivers: Option<Vec<String>>,
    /// The tokens that are good.
    pub(crate) tokens: BTreeSet<String>,
    /// What is forbidden, such as `patch nodes`.
    pub(crate) forbidden: BTreeSet<&'static str>,
    /// Taints that somebody else puts before the others, each just before a patch is applied.
    pub(crate) meanwhile: Vec<Value>,
    /// Whether it closes each connection before it says a word.
    pub(crate) is_away: bool,
    /// Answers with this status, and leads elsewhere.
    pub(crate) redirects: Option<String>,
    /// What was asked, and with what status it was answered.
    pub(crate) asked: Vec<(String, u16)>,
}

/// A request as it was read.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter();
        all.find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            node: json!({
                "kind": "Node",
                "metadata": { "name": "node-1", "resourceVersion": "7", "labels": { "a": "b" } },
                "spec": { "podCIDR": "10.0.0.0/24" },
                "status": { "nodeInfo": {
                    "kubeletVersion": "v1.34.4", "containerRuntimeVersion": "containerd://2.3.4",
                } },
            }),
            drivers: None,
            tokens: BTreeSet::from(["first".to_owned()]),
            forbidden: BTreeSet::new(),
            meanwhile: Vec::new(),
            is_away: false,
            redirects: None,
            asked: Vec::new(),
        }
    }

    /// The node's taints as they are now.
    pub(crate) fn taints(&mut self) -> &mut Vec<Value> {
        let spec = self.node["spec"].as_object_mut().unwrap();
        let taints = spec.entry("taints").or_insert_with(|| json!([]));
        taints.as_array_mut().unwrap()
    }

    /// How often something was asked, such as `PATCH /api/v1/nodes/node-1`, and answered so.
    pub(crate) fn count(&self, asked: &str, status: u16) -> usize {
        let same = |(what, how): &&(String, u16)| what == asked && *how == status;
        self.asked.iter().filter(same).count()
    }

    pub(super) fn answer(&mut self, request: &Request) -> (u16, Value) {
        let (status, body) = self.judge(request);
        let path = request.path.split('?').next().unwrap();
        self.asked
            .push((format!("{} {path}", request.method), status));
        let body = body.unwrap_or_else(|message| {
            json!({ "kind": "Status", "status": "Failure", "message": message, "code": status })
        });
        (status, body)
    }

    fn judge(&mut self, request: &Request) -> (u16, Result<Value, String>) {
        if self.redirects.is_some() {
            return (307, Err("elsewhere".to_owned()));
        }
        let token = request.header("authorization").strip_prefix("Bearer ");
        if !token.is_some_and(|token| self.tokens.contains(token)) {
            return (401, Err("Unauthorized".to_owned()));
        }
        let verb = request.method.to_ascii_lowercase();
        let (resource, group) = match request.path.split('?').next().unwrap() {
            NODE => ("nodes", ""),
            CSI_NODE => ("csinodes", "storage.k8s.io"),
            other => return (404, Err(format!("there is no {other}"))),
        };
        if self.forbidden.contains(&*format!("{verb} {resource}")) {
            let words = format!(
                "{resource} \"node-1\" is forbidden: User \"system:serviceaccount:war-vol:war-vol-node\" cannot {verb} \
                 resource \"{resource}\" in API group \"{group}\" at the cluster scope"
            );
            return (403, Err(words));
        }
        match (&*verb, resource) {
            ("get", "nodes") => (200, Ok(self.node.clone())),
            ("get", _) => match &self.drivers {
                None => (
                    404,
                    Err("csinodes.storage.k8s.io \"node-1\" not found".to_owned()),
                ),
                Some(all) => {
                    let entry = |name: &String| json!({ "name": name, "nodeID": "node-1" });
                    let drivers: Vec<Value> = all.iter().map(entry).collect();
                    let (name, spec) = (json!({ "name": "node-1" }), json!({ "drivers": drivers }));
                    (
                        200,
                        Ok(json!({ "kind": "CSINode", "metadata": name, "spec": spec })),
                    )
                }
            },
            ("patch", "nodes") => self.patch(request),
            _ => (405, Err("no such verb".to_owned())),
        }
    }

    fn patch(&mut self, request: &Request) -> (u16, Result<Value, String>) {
        if request.header("content-type") != "application/json-patch+json" {
            return (
                415,
                Err("the body of the request was in an unknown format".to_owned()),
            );
        }
        if let Some(taint) = self.meanwhile.pop() {
            self.taints().insert(0, taint);
        }
        let operations: Vec<Value> = serde_json::from_slice(&request.body).unwrap();
        let mut patched = self.node.clone();
        for operation in &operations {
            if !apply(&mut patched, operation) {
                let words = "the server rejected our request due to an error in our request";
                return (422, Err(words.to_owned()));
            }
        }
        self.node = patched.clone();
        (200, Ok(patched))
    }
}

/// `test` and `remove` of RFC 6902; whether it could be applied.
fn apply(object: &mut Value, operation: &Value) -> bool {
    let path = operation["path"].as_str().unwrap();
    match operation["op"].as_str().unwrap() {
        "test" => object.pointer(path) == Some(&operation["value"]),
        "remove" => {
            let (parent, last) = path.rsplit_once('/').unwrap();
            let Some(Value::Array(list)) = object.pointer_mut(parent) else {
                return false;
            };
            let at: usize = last.parse().unwrap();
            let there = at < list.len();
            if there {
                list.remove(at);
            }
            there
        }
        other => panic!("{other} is not in the model"),
    }
}
