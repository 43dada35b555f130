//! What the variables stand for at the moment.

use std::borrow::Cow;
use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::variable::{Field, Fixed};
use super::{Error, Source, Variable};
use crate::policy::Pod;
use crate::volume::Claim;
use crate::volume::interests::Facts;

/// The values for one volume at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The pod that it is for.
    pub pod: Option<&'a Pod>,
    /// The name of this node.
    pub node: &'a str,
    /// The keys of its Secret.
    pub secrets: &'a BTreeMap<String, SecretString>,
    /// Its claim, by namespace and name.
    pub claim: Option<&'a Claim>,
    /// What the API server says of them.
    pub facts: &'a Facts,
    /// How often its content has changed, from 1.
    pub swap: u64,
}

impl<'a> Values<'a> {
    /// The value of a variable, if it has one.
    ///
    /// Errors: [`Error::NoPod`] where nobody says for which pod the volume is.
    pub(super) fn get(&self, variable: &Variable) -> Result<Option<Cow<'a, str>>, Error> {
        let no_pod = || Error::NoPod(variable.clone());
        let pod = self.pod.ok_or_else(no_pod)?;
        let value = match variable {
            Variable::Secret(key) => self.secrets.get(key).map(ExposeSecret::expose_secret),
            Variable::Said(source, field, key) => {
                let said = match source {
                    Source::Pod => self.facts.pod.as_deref(),
                    Source::Claim => self.facts.claim.as_deref(),
                };
                let all = said.map(|said| match field {
                    Field::Label => &said.labels,
                    Field::Annotation => &said.annotations,
                });
                all.and_then(|all| all.get(key)).map(String::as_str)
            }
            Variable::Fixed(fixed) => match fixed {
                Fixed::PodName => Some(&*pod.name),
                Fixed::PodNamespace => Some(&*pod.namespace),
                Fixed::PodUid => Some(&*pod.uid),
                Fixed::ServiceAccount => Some(&*pod.service_account),
                Fixed::ClaimName => self.claim.map(|claim| &*claim.name),
                Fixed::ClaimNamespace => self.claim.map(|claim| &*claim.namespace),
                Fixed::NodeName => Some(self.node),
            },
            Variable::Swap => return Ok(Some(Cow::Owned(format!("{:08}", self.swap)))),
        };
        Ok(value.map(Cow::Borrowed))
    }
}
