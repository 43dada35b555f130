//! Who wants which artifact, and how.

use std::collections::BTreeMap;
use std::str::FromStr;

use secrecy::SecretString;

use crate::artifact::{ArtifactUrl, Digest, Promise, maven};
use crate::source::{self, Credentials};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The volume, by the name of its directory: as long as it wants a download, that goes on. At a command line whose
    /// download belongs to no volume the name of the command.
    pub volume: String,
    /// The pod that the volume is for, as kubelet says; nothing for somebody at a command line, who has the rights of
    /// the node's administrator.
    pub pod: Option<Pod>,
    /// Whether the volume is that of a claim: what it asks for was written by the author of its StorageClass.
    pub of_claim: bool,
}

/// A pod, in kubelet's words (CSIDriver `podInfoOnMount`). What kubelet does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its service account.
    pub service_account: String,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where it is. Of a file in a Maven repository, under the version as it is written, until the repository was asked.
    pub url: ArtifactUrl,
    /// The Maven coordinates that it is found by.
    pub maven: Option<Box<maven::Reference>>,
    /// What it must hash to. Where a file says that, not known until that was read.
    pub promise: Option<Promise>,
    /// The file that says what it must hash to.
    pub checksum_file: Option<ArtifactUrl>,
    /// The file that has said it, once it was read.
    pub said_by: Option<ArtifactUrl>,
    /// Whether the origin is asked.
    pub pull: PullPolicy,
    /// The most bytes that it may have as far as the volume itself says.
    pub max_size: Option<u64>,
    /// What the origin wants to see.
    pub credentials: Credentials,
}

impl Request {
    /// The promise that proves bytes, where there is one.
    pub fn pin(&self) -> Option<&Digest> {
        self.promise.as_ref().and_then(Promise::digest)
    }

    /// The same with the keys of a secret.
    ///
    /// Errors: a key that is not known ([`source::Error::Secret`]).
    pub fn with_secret(self, keys: BTreeMap<String, SecretString>) -> Result<Self, source::Error> {
        Ok(Self {
            credentials: Credentials::read(keys)?,
            ..self
        })
    }
}

/// Whether a key of a secret is one that proves something to an origin.
pub fn is_credential(key: &str) -> bool {
    Credentials::is_key(key)
}

/// When the origin is asked, as for images. It speaks at a volume's first publish only (docs/design/laws.md, law 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time; the bytes travel only if they changed. An origin that cannot be asked is an error, never the old
    /// bytes.
    Always,
    /// Only if there is no copy that this URL gave.
    IfNotPresent,
    /// Never; without a copy that is an error.
    Never,
}

impl PullPolicy {
    /// Whether the origin may be asked at all.
    pub fn asks(self) -> bool {
        match self {
            Self::Always | Self::IfNotPresent => true,
            Self::Never => false,
        }
    }
}

impl FromStr for PullPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Always" => Ok(Self::Always),
            "IfNotPresent" => Ok(Self::IfNotPresent),
            "Never" => Ok(Self::Never),
            _ => Err("use Always, IfNotPresent or Never"),
        }
    }
}
