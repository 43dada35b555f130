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
    /// A label or an annotation, by its key. Only the API server knows it.
    Said(Source, Field, String),
    /// What never changes while the volume is shown.
    Fixed(Fixed),
    /// How often the volume's content has changed, from 1, in eight digits: as text it only grows.
    Swap,
}

/// An object whose labels and annotations are variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The pod.
    Pod,
    /// The claim that the volume belongs to.
    Claim,
}

/// What an object says under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// A label.
    Label,
    /// An annotation.
    Annotation,
}

/// Names that last as long as the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fixed {
    /// The pod's name.
    PodName,
    /// The pod's namespace.
    PodNamespace,
    /// The pod's uid.
    PodUid,
    /// The name of the pod's service account.
    ServiceAccount,
    /// The claim's name.
    ClaimName,
    /// The claim's namespace.
    ClaimNamespace,
    /// The name of the node.
    NodeName,
}

/// What is written for each of them.
const FIXED: [(&str, Fixed); 7] = [
    ("pod.name", Fixed::PodName),
    ("pod.namespace", Fixed::PodNamespace),
    ("pod.uid", Fixed::PodUid),
    ("pod.serviceAccount", Fixed::ServiceAccount),
    ("pvc.name", Fixed::ClaimName),
    ("pvc.namespace", Fixed::ClaimNamespace),
    ("node.name", Fixed::NodeName),
];

/// What stands before the key of a label or an annotation.
const SAID: [(&str, Source, Field); 4] = [
    ("pod.labels", Source::Pod, Field::Label),
    ("pod.annotations", Source::Pod, Field::Annotation),
    ("pvc.labels", Source::Claim, Field::Label),
    ("pvc.annotations", Source::Claim, Field::Annotation),
];

impl Variable {
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        if name == "swap" {
            return Ok(Self::Swap);
        }
        let fixed = FIXED.iter().find(|(written, _)| *written == name);
        let fixed = fixed.map(|(_, fixed)| Self::Fixed(*fixed));
        let said = || {
            SAID.iter().find_map(|(written, source, field)| {
                Some(Self::Said(*source, *field, key(name, written)?))
            })
        };
        let secret = || key(name, "secret").map(Self::Secret);
        let known = fixed.or_else(said).or_else(secret);
        known.ok_or_else(|| unknown(name))
    }

    /// What stands between the braces.
    pub fn name(&self) -> String {
        match self {
            Self::Secret(key) => format!("secret['{key}']"),
            Self::Said(source, field, key) => {
                let is_it = |(_, s, f): &&(&str, Source, Field)| (s, f) == (source, field);
                let written = SAID.iter().find(is_it).map_or("", |(written, ..)| written);
                format!("{written}['{key}']")
            }
            Self::Fixed(fixed) => {
                let written = FIXED.iter().find(|(_, f)| f == fixed);
                written.map_or("", |(written, _)| written).to_owned()
            }
            Self::Swap => "swap".to_owned(),
        }
    }

    /// Whether its value may change while the volume is shown. A counter only follows other changes.
    pub fn may_change(&self) -> bool {
        match self {
            Self::Secret(_) | Self::Said(..) => true,
            Self::Fixed(_) | Self::Swap => false,
        }
    }

    /// The key of the Secret that it is.
    pub fn secret_key(&self) -> Option<&str> {
        match self {
            Self::Secret(key) => Some(key),
            Self::Said(..) | Self::Fixed(_) | Self::Swap => None,
        }
    }

    /// Which object says it, where only the API server knows.
    pub fn source(&self) -> Option<Source> {
        match self {
            Self::Said(source, ..) => Some(*source),
            Self::Secret(_) | Self::Fixed(_) | Self::Swap => None,
        }
    }

    /// Why there is no value, for a message.
    pub(super) fn why_unset(&self) -> &'static str {
        match self {
            Self::Secret(_) => "the Secret of the volume does not have this key, or has it empty",
            Self::Said(Source::Pod, Field::Label, _) => {
                "the pod has no such label, or an empty one"
            }
            Self::Said(Source::Pod, Field::Annotation, _) => {
                "the pod has no such annotation, or an empty one"
            }
            Self::Said(Source::Claim, Field::Label, _) => {
                "the claim has no such label, or an empty one"
            }
            Self::Said(Source::Claim, Field::Annotation, _) => {
                "the claim has no such annotation, or an empty one"
            }
            Self::Fixed(Fixed::ClaimName | Fixed::ClaimNamespace) => {
                "the volume belongs to no claim, or external-provisioner runs without --extra-create-metadata"
            }
            Self::Fixed(_) => {
                "kubelet did not say it; the CSIDriver object needs podInfoOnMount: true"
            }
            Self::Swap => "unknown",
        }
    }
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
