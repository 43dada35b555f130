//! A pod and its volume: what most tests of a volume's life begin with.

use std::path::PathBuf;

use war_vol::volume::PublishRequest;

use crate::node::{Node, bytes};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// A pod on a node, and the origin of its artifact. Tests add what they do to it in `impl`s of their own.
pub(crate) struct Pod {
    pub(crate) sandbox: Sandbox,
    pub(crate) origin: Origin,
    pub(crate) node: Node,
    pub(crate) request: PublishRequest,
}

impl Pod {
    /// It waits for its volume: the artifact has so many bytes, different ones for each seed.
    pub(crate) fn waiting(seed: u64, size: usize) -> Self {
        let sandbox = Sandbox::new();
        let origin = Origin::start();
        origin.put("/a.war", Object::new(bytes(seed, size)));
        let node = Node::start(&sandbox);
        let request = node.request("pod", &origin.url("/a.war"));
        Self {
            sandbox,
            origin,
            node,
            request,
        }
    }

    /// Its volume is there.
    pub(crate) fn published(self) -> Self {
        self.node.publish(&self.request).unwrap();
        self
    }

    /// Where its volume is seen.
    pub(crate) fn target(&self) -> PathBuf {
        self.request.target.path()
    }
}
