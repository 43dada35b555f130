//! The variables, by their names.

use std::fmt;

use super::Error;

/// All of them, as a message lists them.
pub(super) const KNOWN: &str = "${secret['key']}, ${pod.name}, ${pod.namespace}, ${pod.uid}, ${pod.serviceAccount}, \
                                ${node.name} or ${swap}";

/// Objects whose labels and annotations will be variables, too.
const LATER: [&str; 6] = [
    "pod.labels[",
    "pod.annotations[",
    "pvc.labels[",
    "pvc.annotations[",
    "pvc.name",
    "pvc.namespace",
];

/// A value that is not known when a volume's attributes are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// A key of the Secret that the volume names (`nodePublishSecretRef`). kubelet reads it again at each republish.
    Secret(String),
    /// The pod's name.
    PodName,
    /// The pod's namespace.
    PodNamespace,
    /// The pod's uid.
    PodUid,
    /// The name of the pod's service account.
    ServiceAccount,
    /// The name of the node.
    NodeName,
    /// How often the volume's content has changed, from 1, in eight digits: as text it only grows.
    Swap,
}

impl Variable {
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "pod.name" => Self::PodName,
            "pod.namespace" => Self::PodNamespace,
            "pod.uid" => Self::PodUid,
            "pod.serviceAccount" => Self::ServiceAccount,
            "node.name" => Self::NodeName,
            "swap" => Self::Swap,
            other => match key(other, "secret") {
                Some(key) => Self::Secret(key.to_owned()),
                None => return Err(refused(other)),
            },
        })
    }

    /// What stands between the braces.
    pub fn name(&self) -> String {
        match self {
            Self::Secret(key) => format!("secret['{key}']"),
            Self::PodName => "pod.name".to_owned(),
            Self::PodNamespace => "pod.namespace".to_owned(),
            Self::PodUid => "pod.uid".to_owned(),
            Self::ServiceAccount => "pod.serviceAccount".to_owned(),
            Self::NodeName => "node.name".to_owned(),
            Self::Swap => "swap".to_owned(),
        }
    }

    /// Whether its value may change while the volume is shown. A counter only follows other changes.
    pub fn may_change(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::PodName
            | Self::PodNamespace
            | Self::PodUid
            | Self::ServiceAccount
            | Self::NodeName
            | Self::Swap => false,
        }
    }

    /// The key of the Secret that it is.
    pub fn secret_key(&self) -> Option<&str> {
        match self {
            Self::Secret(key) => Some(key),
            Self::PodName
            | Self::PodNamespace
            | Self::PodUid
            | Self::ServiceAccount
            | Self::NodeName
            | Self::Swap => None,
        }
    }

    /// Why there is no value, for a message.
    pub(super) fn place(&self) -> &'static str {
        match self {
            Self::Secret(_) => "the Secret of the volume does not have this key, or has it empty",
            Self::PodName | Self::PodNamespace | Self::PodUid | Self::ServiceAccount => {
                "kubelet did not say it; the CSIDriver object needs podInfoOnMount: true"
            }
            Self::NodeName | Self::Swap => "unknown",
        }
    }
}

fn key<'a>(name: &'a str, object: &str) -> Option<&'a str> {
    let key = name.strip_prefix(object)?.strip_prefix("['")?;
    key.strip_suffix("']")
        .filter(|key| !key.is_empty() && !key.contains('\''))
}

fn refused(name: &str) -> Error {
    let mut shown = format!("${{{}}}", crate::artifact::shown(name));
    shown.retain(|c| c != '"');
    match LATER.iter().any(|later| name.starts_with(later)) {
        true => Error::NotBuilt(shown),
        false => Error::Unknown(shown),
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{}}}", self.name())
    }
}
