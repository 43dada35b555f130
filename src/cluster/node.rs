//! What is read of a Node and of its CSINode; all the rest of them is passed over.

use kube::core::{ApiResource, GroupVersionKind, NotUsed, Object};
use serde::Deserialize;
use serde_json::Value;

/// A Node.
pub(super) type Node = Object<NodeSpec, NodeStatus>;

/// A CSINode: the drivers that kubelet has registered.
pub(super) type CsiNode = Object<CsiNodeSpec, NotUsed>;

/// Where Nodes are.
pub(super) fn nodes() -> ApiResource {
    let kind = GroupVersionKind::gvk("", "v1", "Node");
    ApiResource::from_gvk_with_plural(&kind, "nodes")
}

/// Where CSINodes are.
pub(super) fn csi_nodes() -> ApiResource {
    let kind = GroupVersionKind::gvk("storage.k8s.io", "v1", "CSINode");
    ApiResource::from_gvk_with_plural(&kind, "csinodes")
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeSpec {
    /// As they are: what is removed is compared with every field, also with those of later versions.
    #[serde(default)]
    pub(super) taints: Vec<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
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

/// Of a CSINode.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CsiNodeSpec {
    /// Null where there is none.
    drivers: Option<Vec<Driver>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Driver {
    name: String,
}

impl CsiNodeSpec {
    pub(super) fn lists(&self, driver: &str) -> bool {
        let mut drivers = self.drivers.iter().flatten();
        drivers.any(|d| d.name == driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csi_node_without_drivers_lists_none() {
        let lists = |text| {
            let spec: CsiNodeSpec = serde_json::from_str(text).unwrap();
            spec.lists("a.example.com")
        };
        assert!(!lists(r#"{"drivers": null}"#));
        assert!(!lists(r#"{}"#));
        assert!(!lists(
            r#"{"drivers": [{"name": "b.example.com", "nodeID": "n"}]}"#
        ));
        assert!(lists(
            r#"{"drivers": [{"name": "b.example.com"}, {"name": "a.example.com"}]}"#
        ));
    }

    #[test]
    fn a_node_that_says_little_is_read_all_the_same() {
        let node: Node = serde_json::from_str(r#"{"metadata": {}, "spec": {}}"#).unwrap();
        assert!(node.spec.taints.is_empty());
        assert!(node.status.is_none());
    }
}
