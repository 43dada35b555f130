//! The administrator's policy: which volumes may have which artifacts.
//!
//! Owns the policy file: what may stand in it ([`Document::parse`]), and what it decides for one asker
//! ([`Document::judge`]): a [`Grant`], or a [`Refusal`] that says which rule decided and whom to ask. Rules are read from
//! top to bottom, and the first one whose conditions all hold decides alone. Volumes of claims have rules of their own,
//! because what they ask for is written by the author of a StorageClass, not by that of a pod.
//!
//! Invariant: a [`Document`] is valid, and whatever is not known counts against the asker: where a rule depends on the
//! labels of a namespace that cannot be read, nothing is granted, for both to apply the rule and to go on behind it could
//! grant too much. Link-local addresses and cloud metadata are allowed by no document. None of this performs I/O.
//!
//! Left out on purpose: who reads the file and when, how many bytes a namespace holds, and what Maven coordinates mean: a
//! rule about a repository is one about its URL.

mod addresses;
mod asker;
mod error;
mod fields;
mod glob;
mod grant;
mod keys;
mod preset;
mod reach;
mod read;
mod refusal;
mod rule;
mod url_pattern;
mod yaml;

use std::net::IpAddr;
use std::sync::Arc;

pub use self::asker::Asker;
pub use self::error::{Error, Position};
pub use self::grant::{Grant, Proof};
pub use self::preset::Preset;
pub use self::reach::Reach;
pub use self::refusal::{Cited, Refusal};

use self::rule::{Common, Rule, judge};
use crate::artifact::shown;

/// A policy file that was read. The default is an empty one: the preset `internal` without rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    preset: Preset,
    contact: Option<Arc<str>>,
    rules: Vec<Rule>,
    claims: Vec<Rule>,
}

impl Document {
    /// Reads a policy file: YAML in UTF-8, of at most 1 MiB, as `deploy/policy.schema.json` describes it. A file that says
    /// nothing is the default.
    ///
    /// Errors: anything in it that is not understood in full. A policy that is half understood allows too much.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        match yaml::read(bytes)? {
            Some(root) if root.value != yaml::Value::Null => read::document(root),
            Some(_) | None => Ok(Self::default()),
        }
    }

    /// What holds where no rule says otherwise.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// Whether any rule depends on the labels of namespaces; else nobody has to read them.
    pub fn needs_namespace_labels(&self) -> bool {
        let mut rules = self.rules.iter().chain(&self.claims);
        rules.any(|rule| !rule.conditions.namespace_labels.is_empty())
    }

    /// What stands in it that is read and not heeded yet, if anything: a rule that says more than is done would allow more
    /// than its author believes.
    pub fn not_heeded(&self) -> Option<String> {
        let mut rules = self.rules.iter().chain(&self.claims);
        rules.find_map(|rule| {
            let key = rule.not_heeded()?;
            let (name, line) = (shown(&rule.name), rule.line);
            Some(format!(
                "line {line}: {key} in the rule {name} is not supported yet; remove it"
            ))
        })
    }

    /// Judges an asker. `own` are the addresses of the nodes and of the API server, as far as they are known, which
    /// `internal` and `listed` refuse.
    pub fn judge(&self, asker: &Asker<'_>, own: &Arc<[IpAddr]>) -> Result<Grant, Refusal> {
        let rules = match asker {
            Asker::Inline { .. } | Asker::CommandLine => &self.rules,
            Asker::Claim { .. } => &self.claims,
        };
        let common = Common {
            preset: self.preset,
            contact: self.contact.as_ref(),
            own,
        };
        judge(rules, asker, &common)
    }
}

#[cfg(test)]
mod tests;
