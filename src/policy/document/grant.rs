//! What a rule grants.

use std::net::IpAddr;

use serde_json::json;
use url::Url;

use super::glob::Glob;
use super::reach::Reach;
use super::refusal::{Cited, Refusal, Why};

/// What must prove an artifact's content. A later one includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// Nothing.
    #[default]
    Nothing,
    /// A checksum.
    Checksum,
    /// A signature, of the content or of its checksum.
    Signature,
}

impl Proof {
    /// Each with the word for it.
    pub(super) const WORDS: [(&str, Self); 3] = [
        ("nothing", Self::Nothing),
        ("checksum", Self::Checksum),
        ("signature", Self::Signature),
    ];
}

/// What the first rule that matches grants, or the preset where none does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(super) reach: Reach,
    pub(super) require: Proof,
    pub(super) max_size: Option<u64>,
    pub(super) cache_size: Option<u64>,
    pub(super) credentials: Vec<Glob>,
}

impl Grant {
    /// What decided; for messages.
    pub fn cited(&self) -> &Cited {
        &self.reach.cited
    }

    /// Which URLs and addresses may be asked.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// As [`Reach::allows_url`].
    pub fn allows_url(&self, url: &Url) -> Result<(), Refusal> {
        self.reach.allows_url(url)
    }

    /// As [`Reach::allows_addr`].
    pub fn allows_addr(&self, addr: IpAddr) -> Result<(), Refusal> {
        self.reach.allows_addr(addr)
    }

    /// What must prove the content.
    pub fn require(&self) -> Proof {
        self.require
    }

    /// Whether a request with this proof may be served.
    pub fn allows_proof(&self, proof: Proof) -> Result<(), Refusal> {
        let why = match self.require {
            Proof::Checksum => Why::NoChecksum,
            Proof::Signature => Why::NoSignature,
            Proof::Nothing => return Ok(()),
        };
        match proof >= self.require {
            true => Ok(()),
            false => Err(self.reach.refusal(why)),
        }
    }

    /// The most bytes that the artifact may have; nothing where the rule sets no limit of its own.
    pub fn max_size(&self) -> Option<u64> {
        self.max_size
    }

    /// The most bytes that the namespace may hold in a node's cache; nothing where the rule sets no limit.
    pub fn cache_size(&self) -> Option<u64> {
        self.cache_size
    }

    /// Whether the driver's own credentials, mirror or proxy of this name may be used.
    pub fn allows_credentials(&self, name: &str) -> Result<(), Refusal> {
        match self.credentials.iter().any(|glob| glob.matches(name)) {
            true => Ok(()),
            false => Err(self.reach.refusal(Why::Credentials {
                name: name.to_owned(),
            })),
        }
    }

    /// What tells it from others, for names in the store: what may be reached, and with which credentials. Equal rules have
    /// equal identities, whatever they are called, wherever they stand, and in whatever order their lists are. Limits and
    /// required proofs are no part of it: they are checked for each request, also for what is in the cache.
    pub fn identity(&self) -> Vec<u8> {
        let mut credentials: Vec<&str> = self.credentials.iter().map(Glob::as_str).collect();
        credentials.sort_unstable();
        credentials.dedup();
        json!(["policy", self.reach.identity(), credentials])
            .to_string()
            .into_bytes()
    }
}
