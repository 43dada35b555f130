//! What kubelet asks for through its older interface.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::volume::{Pod, Target};

/// An artifact that a pod is to see in a directory of kubelet's.
#[derive(Clone)]
pub struct PodMount {
    /// Where.
    pub target: Target,
    /// What.
    pub attributes: BTreeMap<String, String>,
    /// What the origin wants to see.
    pub secrets: BTreeMap<String, SecretString>,
    /// Whether kubelet keeps every mount of the pod read-only.
    pub read_only: bool,
    /// The group that may write to it.
    pub group: Option<u32>,
    /// The pod.
    pub pod: Pod,
}
