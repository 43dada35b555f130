//! What is read of a Node and of its CSINode; all the rest of them is passed over.

use serde::Deserialize;
use serde_json::Value;

/// A Node.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    #[serde(default)]
    pub(super) spec: NodeSpec,
    #[serde(default)]
    pub(super) status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct NodeSpec {
    /// As they are: what is removed is compared with every field, also with those of later versions.
    #[serde(default)]
    pub(super) taints: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeStatus {
    #[serde(default)]
    pub(super) node_info: NodeInfo,
}

/// What kubelet says that its node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeInfo {
    /// Of kubelet, such as `v1.34.4`.
    pub kubelet_version: String,
    /// The name and version of the runtime, such as `containerd://2.1.4`.
    pub container_runtime_version: String,
}

/// A CSINode: the drivers that kubelet has registered.
#[derive(Debug, Deserialize)]
pub(super) struct CsiNode {
    spec: CsiNodeSpec,
}

#[derive(Debug, Deserialize)]
struct CsiNodeSpec {
    /// Null where there is none.
    drivers: Option<Vec<Driver>>,
}

#[derive(Debug, Deserialize)]
struct Driver {
    name: String,
}

impl CsiNode {
    pub(super) fn lists(&self, driver: &str) -> bool {
        let mut drivers = self.spec.drivers.iter().flatten();
        drivers.any(|d| d.name == driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csi_node_without_drivers_lists_none() {
        let lists = |text| {
            let node: CsiNode = serde_json::from_str(text).unwrap();
            node.lists("a.example.com")
        };
        assert!(!lists(r#"{"spec": {"drivers": null}}"#));
        assert!(!lists(r#"{"spec": {}}"#));
        assert!(!lists(
            r#"{"spec": {"drivers": [{"name": "b.example.com", "nodeID": "n"}]}}"#
        ));
        assert!(lists(
            r#"{"spec": {"drivers": [{"name": "b.example.com"}, {"name": "a.example.com"}]}}"#
        ));
    }

    #[test]
    fn a_node_that_says_little_is_read_all_the_same() {
        let node: Node = serde_json::from_str(r#"{"metadata": {}, "spec": {}}"#).unwrap();
        assert!(node.spec.taints.is_empty());
        assert_eq!(node.status.node_info, NodeInfo::default());
    }
}
