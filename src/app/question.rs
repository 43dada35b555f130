//! What a policy file would say, for `war-vol policy check`.

use std::path::Path;

use super::policy::read;
use super::{Error, Order};
use crate::policy::{Denied, Pod, Policy, Rules, Subject};

/// Who would ask for what.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// The namespace of the pod; without one it is the command line that asks.
    pub namespace: Option<&'a str>,
    /// Its service account.
    pub service_account: &'a str,
    /// Whether the volume is that of a claim.
    pub of_claim: bool,
    /// See [`Order::new`](super::Order::new).
    pub repository: Option<&'a str>,
    /// The attribute `checksum`.
    pub checksum: Option<&'a str>,
}

/// What a policy says of one URL.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The URL, redacted.
    pub url: String,
    /// The rule that decided, or the preset; nothing where it refused before there was a URL to look at.
    pub by: Option<String>,
    /// Why not.
    pub refused: Option<Denied>,
}

impl Question<'_> {
    /// Asks a policy file about URLs, and nobody else. Without any, whether the file is a valid one.
    pub fn ask(&self, file: &Path, urls: &[String]) -> Result<Vec<Judged>, Error> {
        let rules = Rules::default();
        rules.set(read(file)?);
        let policy = Policy::with_rules(u64::MAX, rules);
        let subject = Subject {
            volume: "policy".to_owned(),
            pod: self.namespace.map(|namespace| Pod {
                namespace: namespace.to_owned(),
                service_account: self.service_account.to_owned(),
                ..Pod::default()
            }),
            of_claim: self.of_claim,
        };
        let judged = urls.iter().map(|url| {
            let order = Order::new(url, self.repository, self.checksum, None)?;
            let request = order.request();
            Ok(Judged {
                url: order.url(),
                by: policy.decided_by(&subject),
                refused: policy.check(subject.clone(), request).err(),
            })
        });
        judged.collect()
    }
}
