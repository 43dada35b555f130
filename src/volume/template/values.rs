//! What the variables stand for at the moment.

use std::borrow::Cow;
use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::{Error, Variable};
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
        let pod = || self.pod.ok_or_else(|| Error::NoPod(variable.clone()));
        Ok(match variable {
            Variable::Secret(key) => {
                pod()?;
                self.secrets
                    .get(key)
                    .map(|value| Cow::Borrowed(value.expose_secret()))
            }
            Variable::PodLabel(key) => {
                pod()?;
                self.facts
                    .pod
                    .as_deref()
                    .and_then(|pod| pod.labels.get(key))
                    .map(|text| borrowed(text))
            }
            Variable::PodAnnotation(key) => {
                pod()?;
                self.facts
                    .pod
                    .as_deref()
                    .and_then(|pod| pod.annotations.get(key))
                    .map(|text| borrowed(text))
            }
            Variable::ClaimLabel(key) => {
                pod()?;
                self.facts
                    .claim
                    .as_deref()
                    .and_then(|claim| claim.labels.get(key))
                    .map(|text| borrowed(text))
            }
            Variable::ClaimAnnotation(key) => {
                pod()?;
                self.facts
                    .claim
                    .as_deref()
                    .and_then(|c| c.annotations.get(key))
                    .map(|text| borrowed(text))
            }
            Variable::ClaimName => {
                pod()?;
                self.claim.map(|claim| borrowed(&claim.name))
            }
            Variable::ClaimNamespace => {
                pod()?;
                self.claim.map(|claim| borrowed(&claim.namespace))
            }
            Variable::PodName => Some(Cow::Borrowed(&pod()?.name)),
            Variable::PodNamespace => Some(Cow::Borrowed(&pod()?.namespace)),
            Variable::PodUid => Some(Cow::Borrowed(&pod()?.uid)),
            Variable::ServiceAccount => Some(Cow::Borrowed(&pod()?.service_account)),
            Variable::NodeName => {
                pod()?;
                Some(Cow::Borrowed(self.node))
            }
            Variable::Swap => {
                pod()?;
                Some(Cow::Owned(format!("{:08}", self.swap)))
            }
        })
    }
}

fn borrowed(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
