//! A rule: for whom, and what.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::addresses::Addresses;
use super::asker::{Asker, Conditions, Match};
use super::glob::Glob;
use super::grant::{Grant, Proof};
use super::preset::Preset;
use super::reach::Reach;
use super::refusal::{By, Cited, Refusal, Why};
use super::url_pattern::UrlPattern;

/// One rule of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    pub(super) line: usize,
    pub(super) conditions: Conditions,
    pub(super) decision: Decision,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allow(Box<Terms>),
    Deny(Arc<str>),
}

/// What a rule allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) urls: Option<Vec<UrlPattern>>,
    pub(super) plain_http: bool,
    pub(super) addresses: Vec<IpNet>,
    pub(super) deny_addresses: Vec<IpNet>,
    pub(super) require: Proof,
    pub(super) max_size: Option<u64>,
    pub(super) cache_size: Option<u64>,
    pub(super) credentials: Vec<Glob>,
}

/// What is the same for all rules.
pub(super) struct Common<'a> {
    pub(super) preset: Preset,
    pub(super) contact: Option<&'a Arc<str>>,
    pub(super) own: &'a Arc<[IpAddr]>,
}

/// What the first rule that matches decides; where none does, the preset.
pub(super) fn judge(
    rules: &[Rule],
    asker: &Asker<'_>,
    common: &Common<'_>,
) -> Result<Grant, Refusal> {
    for rule in rules {
        match rule.conditions.check(asker) {
            Match::No => {}
            Match::Yes => return rule.decide(asker, common),
            // To go on would skip a rule that may deny, and to stop here may grant what is not meant for the asker.
            Match::Unknown(what) => {
                let asker = asker.to_string();
                return Err(common.refusal(rule.by(), Why::Unknown { asker, what }));
            }
        }
    }
    let by = By::Preset(common.preset);
    match common.preset {
        Preset::Internal | Preset::Open => Ok(common.grant(by, &Terms::of(common.preset))),
        Preset::Listed => {
            let asker = asker.to_string();
            Err(common.refusal(by, Why::NoRule { asker }))
        }
    }
}

impl Rule {
    /// The key of something that nobody does what it says.
    pub(super) fn not_heeded(&self) -> Option<&'static str> {
        let conditions = [
            (
                !self.conditions.storage_classes.is_empty(),
                "storageClasses",
            ),
            (
                !self.conditions.namespace_labels.is_empty(),
                "namespaceLabels",
            ),
        ];
        let terms = match &self.decision {
            Decision::Allow(terms) => [
                (terms.cache_size.is_some(), "cacheSize"),
                (terms.require == Proof::Signature, "require: signature"),
            ],
            Decision::Deny(_) => Default::default(),
        };
        let mut all = conditions.into_iter().chain(terms);
        all.find_map(|(is_there, key)| is_there.then_some(key))
    }

    fn decide(&self, asker: &Asker<'_>, common: &Common<'_>) -> Result<Grant, Refusal> {
        match &self.decision {
            Decision::Allow(terms) => Ok(common.grant(self.by(), terms)),
            Decision::Deny(reason) => {
                let (asker, reason) = (asker.to_string(), Arc::clone(reason));
                Err(common.refusal(self.by(), Why::Denied { asker, reason }))
            }
        }
    }

    fn by(&self) -> By {
        By::Rule {
            name: Arc::clone(&self.name),
            line: self.line,
        }
    }
}

impl Terms {
    /// Those of a preset, where no rule says otherwise.
    pub(super) fn of(preset: Preset) -> Self {
        Self {
            urls: None,
            plain_http: true,
            addresses: Vec::new(),
            deny_addresses: Vec::new(),
            require: Proof::Nothing,
            max_size: None,
            cache_size: None,
            credentials: match preset {
                Preset::Open => vec![Glob::any()],
                // Whoever may ask with the driver's credentials reads what they read.
                Preset::Internal | Preset::Listed => Vec::new(),
            },
        }
    }
}

impl Common<'_> {
    fn grant(&self, by: By, terms: &Terms) -> Grant {
        Grant {
            reach: Reach {
                cited: self.cited(by),
                urls: terms.urls.clone(),
                plain_http: terms.plain_http,
                addresses: Addresses {
                    preset: self.preset,
                    allowed: terms.addresses.clone(),
                    denied: terms.deny_addresses.clone(),
                    own: Arc::clone(self.own),
                },
            },
            require: terms.require,
            max_size: terms.max_size,
            cache_size: terms.cache_size,
            credentials: terms.credentials.clone(),
        }
    }

    fn refusal(&self, by: By, why: Why) -> Refusal {
        let cited = self.cited(by);
        Refusal { cited, why }
    }

    fn cited(&self, by: By) -> Cited {
        Cited {
            by,
            contact: self.contact.cloned(),
        }
    }
}
