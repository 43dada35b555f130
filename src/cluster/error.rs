//! What keeps the driver from speaking to the API server.

use std::path::Path;

use crate::fault::Fault;

/// A request that the API server did not get, or did not grant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing in the environment says where the API server is.
    #[error("not running in a pod: KUBERNETES_SERVICE_HOST is not set; remove this flag")]
    NoPod,
    /// What the environment says makes no address.
    #[error(
        "the API server address {0} is not valid; check KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT"
    )]
    Address(String),
    /// A key that no taint can have, or that is not the driver's to remove.
    #[error(
        "{key}: {why}; use a taint key with a prefix of your own, such as war-vol.geektime.org/agent-not-ready"
    )]
    Key {
        /// What was given.
        key: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A file of the service account.
    #[error(
        "cannot use the service account in {path}: {why}; give the pod a token (automountServiceAccountToken: true)"
    )]
    Account {
        /// Which file.
        path: Box<Path>,
        /// What is wrong.
        why: String,
    },
    /// No answer.
    #[error("cannot {asked}: the API server at {server} does not answer: {why}; retrying")]
    Unreachable {
        /// What was asked.
        asked: &'static str,
        /// Where.
        server: String,
        /// What happened.
        why: String,
    },
    /// 401: the token is not good any more, or never was.
    #[error(
        "cannot {asked}: the API server rejects the service account token: {why}; reading it again"
    )]
    Unknown {
        /// What was asked.
        asked: &'static str,
        /// The API server's words.
        why: String,
    },
    /// 403: a right is missing.
    #[error(
        "cannot {asked}: the API server forbids it: {why}; grant the driver's service account this right (the chart \
         does with node.startupTaint.enabled, node.upgrade.enabled and node.upgrade.classes)"
    )]
    Forbidden {
        /// What was asked.
        asked: &'static str,
        /// The API server's words, which name the right.
        why: String,
    },
    /// 404: there is no such object.
    #[error(
        "cannot {asked}: the cluster has no object named \"{name}\"; --node-id must be the node's name in the cluster"
    )]
    Missing {
        /// What was asked.
        asked: &'static str,
        /// Its name.
        name: String,
    },
    /// 404: there is no such class.
    #[error(
        "the cluster has no VolumeAttributesClass \"{0}\" (storage.k8s.io/v1, since Kubernetes 1.34); create it, or set \
         another one at the claim"
    )]
    NoClass(String),
    /// Somebody else changed the object meanwhile.
    #[error("cannot {asked}: the node was changed in the meantime: {why}; retrying")]
    Changed {
        /// What was asked.
        asked: &'static str,
        /// The API server's words.
        why: String,
    },
    /// Any other answer.
    #[error("cannot {asked}: the API server answered {status}: {why}; retrying")]
    Answer {
        /// What was asked.
        asked: &'static str,
        /// The status.
        status: u16,
        /// The API server's words, or ours about them.
        why: String,
    },
    /// The driver is not in the node's CSINode.
    #[error("the CSINode of {node} does not list {driver} yet; checking again")]
    NotListed {
        /// The node.
        node: String,
        /// The driver.
        driver: String,
    },
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoPod | Self::Address(_) | Self::Key { .. } => Fault::Invalid,
            Self::Account { .. } | Self::Unknown { .. } => Fault::Unauthenticated,
            Self::Forbidden { .. } => Fault::Denied,
            Self::Missing { .. } | Self::NoClass(_) => Fault::NotFound,
            Self::Changed { .. } | Self::NotListed { .. } => Fault::Pending,
            Self::Unreachable { .. } | Self::Answer { .. } => Fault::Unavailable,
        }
    }
}
