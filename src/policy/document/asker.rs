//! Who asks, and whether a rule is for them.

use std::collections::BTreeMap;
use std::fmt;

use super::glob::Glob;
use crate::artifact::shown;
use crate::policy::request::Pod;

/// Who asks for an artifact, as far as rules can tell.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// A volume that a pod names itself.
    Inline {
        /// The pod. What kubelet did not say of it is empty, and so unknown.
        pod: &'a Pod,
        /// The labels of its namespace; nothing where they cannot be read.
        namespace_labels: Option<&'a BTreeMap<String, String>>,
    },
    /// A volume of a claim.
    Claim {
        /// Its StorageClass; empty for a PersistentVolume without one, nothing where it is not known.
        storage_class: Option<&'a str>,
        /// The pod, as above.
        pod: &'a Pod,
        /// The labels of its namespace, as above.
        namespace_labels: Option<&'a BTreeMap<String, String>>,
    },
    /// Somebody at a command line, who has no namespace: only rules without conditions are for them.
    CommandLine,
}

/// Which askers a rule is for: all conditions must hold, and what is empty is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    pub(super) storage_classes: Vec<Glob>,
    pub(super) namespaces: Vec<Glob>,
    pub(super) namespace_labels: BTreeMap<String, String>,
    pub(super) service_accounts: Vec<Glob>,
}

/// Whether a rule is for an asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    /// It depends on something that the driver does not know.
    Unknown(Unknown),
}

/// What is not known of an asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    StorageClass,
    Namespace,
    NamespaceLabels,
    ServiceAccount,
}

impl Conditions {
    /// Whether the rule is for this asker. One condition that fails is enough for a no, whatever else is not known.
    pub(super) fn check(&self, asker: &Asker<'_>) -> Match {
        let (class, pod, labels) = match asker {
            Asker::Inline {
                pod,
                namespace_labels,
            } => (None, pod, namespace_labels),
            Asker::Claim {
                storage_class,
                pod,
                namespace_labels,
            } => (*storage_class, pod, namespace_labels),
            Asker::CommandLine => {
                return match *self == Self::default() {
                    true => Match::Yes,
                    false => Match::No,
                };
            }
        };
        let told = |value| Some(value).filter(|value: &&str| !value.is_empty());
        let (namespace, account) = (told(&*pod.namespace), told(&*pod.service_account));
        let conditions = [
            any(&self.storage_classes, class, Unknown::StorageClass),
            any(&self.namespaces, namespace, Unknown::Namespace),
            all(&self.namespace_labels, *labels),
            any(&self.service_accounts, account, Unknown::ServiceAccount),
        ];
        if conditions.contains(&Match::No) {
            return Match::No;
        }
        let unknown = conditions.into_iter().find(|m| *m != Match::Yes);
        unknown.unwrap_or(Match::Yes)
    }
}

/// Whether a name fits any of the globs, where there are some.
fn any(globs: &[Glob], name: Option<&str>, unknown: Unknown) -> Match {
    let fits = |glob: &Glob| glob.matches_all() || name.is_some_and(|name| glob.matches(name));
    if globs.is_empty() || globs.iter().any(fits) {
        Match::Yes
    } else if name.is_some() {
        Match::No
    } else {
        Match::Unknown(unknown)
    }
}

/// Whether all labels are there.
fn all(wanted: &BTreeMap<String, String>, labels: Option<&BTreeMap<String, String>>) -> Match {
    let Some(labels) = labels else {
        return match wanted.is_empty() {
            true => Match::Yes,
            false => Match::Unknown(Unknown::NamespaceLabels),
        };
    };
    let has = |(key, value): (&String, &String)| labels.get(key) == Some(value);
    match wanted.iter().all(has) {
        true => Match::Yes,
        false => Match::No,
    }
}

impl fmt::Display for Asker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pod = match self {
            Self::Inline { pod, .. } => pod,
            Self::Claim {
                storage_class, pod, ..
            } => {
                match storage_class {
                    Some("") => f.write_str("a claim without StorageClass in ")?,
                    Some(class) => write!(f, "StorageClass {} in ", shown(class))?,
                    None => f.write_str("a claim whose StorageClass is unknown in ")?,
                }
                pod
            }
            Self::CommandLine => return f.write_str("the command line"),
        };
        match &*pod.namespace {
            "" => f.write_str("an unknown namespace")?,
            namespace => write!(f, "namespace {}", shown(namespace))?,
        }
        match &*pod.service_account {
            "" => Ok(()),
            account => write!(f, " with service account {}", shown(account)),
        }
    }
}
