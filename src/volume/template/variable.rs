//! The variables, by their names.

use std::fmt;

use super::Error;

/// All of them, as a message lists them.
pub(super) const KNOWN: &str = "${pod.labels['key']}, ${pod.annotations['key']}, ${pod.name}, ${pod.namespace}, \
                                ${pod.uid}, ${pod.serviceAccount}, ${pvc.labels['key']}, ${pvc.annotations['key']}, \
                                ${pvc.name}, ${pvc.namespace}, ${node.name}, ${secret['key']} or ${swap}";

/// A value that is not known when a volume's attributes are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// A key of the Secret that the volume names (`nodePublishSecretRef`). kubelet reads it again at each republish.
    Secret(String),
    /// A label of the pod.
    PodLabel(String),
    /// An annotation of the pod.
    PodAnnotation(String),
    /// A label of the claim.
    ClaimLabel(String),
    /// An annotation of the claim.
    ClaimAnnotation(String),
    /// The claim's name.
    ClaimName,
    /// The claim's namespace.
    ClaimNamespace,
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

/// Makes one of a key.
type Keyed = fn(String) -> Variable;

/// Those with a key, by what stands before it.
const KEYED: [(&str, Keyed); 5] = [
    ("secret", Variable::Secret),
    ("pod.labels", Variable::PodLabel),
    ("pod.annotations", Variable::PodAnnotation),
    ("pvc.labels", Variable::ClaimLabel),
    ("pvc.annotations", Variable::ClaimAnnotation),
];

impl Variable {
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "pod.name" => Self::PodName,
            "pod.namespace" => Self::PodNamespace,
            "pod.uid" => Self::PodUid,
            "pod.serviceAccount" => Self::ServiceAccount,
            "node.name" => Self::NodeName,
            "pvc.name" => Self::ClaimName,
            "pvc.namespace" => Self::ClaimNamespace,
            "swap" => Self::Swap,
            other => {
                let keyed = KEYED
                    .iter()
                    .find_map(|(object, of)| Some(of(key(other, object)?)));
                return keyed.ok_or_else(|| unknown(other));
            }
        })
    }

    /// What stands between the braces.
    pub fn name(&self) -> String {
        match self {
            Self::Secret(key) => format!("secret['{key}']"),
            Self::PodLabel(key) => format!("pod.labels['{key}']"),
            Self::PodAnnotation(key) => format!("pod.annotations['{key}']"),
            Self::ClaimLabel(key) => format!("pvc.labels['{key}']"),
            Self::ClaimAnnotation(key) => format!("pvc.annotations['{key}']"),
            Self::ClaimName => "pvc.name".to_owned(),
            Self::ClaimNamespace => "pvc.namespace".to_owned(),
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
            Self::Secret(_)
            | Self::PodLabel(_)
            | Self::PodAnnotation(_)
            | Self::ClaimLabel(_)
            | Self::ClaimAnnotation(_) => true,
            Self::ClaimName
            | Self::ClaimNamespace
            | Self::PodName
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
            Self::PodLabel(_)
            | Self::PodAnnotation(_)
            | Self::ClaimLabel(_)
            | Self::ClaimAnnotation(_)
            | Self::ClaimName
            | Self::ClaimNamespace
            | Self::PodName
            | Self::PodNamespace
            | Self::PodUid
            | Self::ServiceAccount
            | Self::NodeName
            | Self::Swap => None,
        }
    }

    /// Which object says it, where only the API server knows.
    pub fn source(&self) -> Option<Source> {
        match self {
            Self::PodLabel(_) | Self::PodAnnotation(_) => Some(Source::Pod),
            Self::ClaimLabel(_) | Self::ClaimAnnotation(_) => Some(Source::Claim),
            Self::Secret(_)
            | Self::ClaimName
            | Self::ClaimNamespace
            | Self::PodName
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
            Self::PodLabel(_) => "the pod has no such label, or an empty one",
            Self::PodAnnotation(_) => "the pod has no such annotation, or an empty one",
            Self::ClaimLabel(_) => "the claim has no such label, or an empty one",
            Self::ClaimAnnotation(_) => "the claim has no such annotation, or an empty one",
            Self::ClaimName | Self::ClaimNamespace => {
                "the volume belongs to no claim, or external-provisioner runs without --extra-create-metadata"
            }
            Self::PodName | Self::PodNamespace | Self::PodUid | Self::ServiceAccount => {
                "kubelet did not say it; the CSIDriver object needs podInfoOnMount: true"
            }
            Self::NodeName | Self::Swap => "unknown",
        }
    }
}

/// An object whose labels and annotations are variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The pod.
    Pod,
    /// The claim that the volume belongs to.
    Claim,
}

fn key(name: &str, object: &str) -> Option<String> {
    let key = name
        .strip_prefix(object)?
        .strip_prefix("['")?
        .strip_suffix("']")?;
    (!key.is_empty() && !key.contains('\'')).then(|| key.to_owned())
}

fn unknown(name: &str) -> Error {
    Error::Unknown(format!("{}}}", shown(name)))
}

/// The beginning of a variable as a message shows it: what a name can hold, and nothing of a query, which may be a secret.
pub(super) fn shown(name: &str) -> String {
    let is_of_name = |c: &char| c.is_ascii_alphanumeric() || "._-'[]".contains(*c);
    let name: String = name.chars().take_while(is_of_name).take(64).collect();
    format!("${{{name}")
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{}}}", self.name())
    }
}
