//! Volumes that are provisioned: what a StorageClass asks for, checked before any pod waits for it.
//!
//! Owns the memory by which the same call twice makes one volume. A volume that was provisioned is nothing but its
//! attributes, which the PersistentVolume holds: a node never asks here, and nothing is downloaded. So a memory that is
//! lost costs the comparison and nothing else; the id of a volume is a hash of its name.
//!
//! Invariant: an answer that names a volume is given when its record is durable (law 4).
//!
//! Left out on purpose: listing, capacity, expansion, snapshots; an artifact has the size that it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::Pool;
use super::classes;
use super::record::key_name;
use crate::artifact;
use crate::fault::Fault;
use crate::lock::Short;
use crate::store::{self, Key, Parsed, Store, Version};

/// How much room is made for a record that finds none: more than it needs.
const ROOM: u64 = 1 << 16;

/// Why a volume is not provisioned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The parameters, or those of the class.
    #[error(transparent)]
    Class(#[from] classes::Error),
    /// The disk.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Provisioned before, from something else.
    #[error(
        "the volume {} was already provisioned with other parameters, access modes or size; use the same ones, or \
         delete and recreate the claim",
        artifact::shown(.0)
    )]
    Differs(String),
    /// Provisioned by a newer program, whose record this one would misread.
    #[error(
        "the volume {} was provisioned by a newer war-vol; run that version, or delete and recreate the claim",
        artifact::shown(.0)
    )]
    Newer(String),
    /// Never provisioned here, or deleted.
    #[error("no volume {} was provisioned here", artifact::shown(.0))]
    Unknown(String),
    /// The store cannot be used yet.
    #[error("the driver is not ready: {0}")]
    NotReady(String),
    /// A thread of ours ended as it never should.
    #[error("an internal error while provisioning ({0}); please report it")]
    Bug(&'static str),
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Class(e) => e.fault(),
            Self::Store(e) => e.fault(),
            Self::Differs(_) => Fault::Differs,
            Self::Unknown(_) => Fault::NotFound,
            Self::NotReady(_) | Self::Newer(_) => Fault::Unavailable,
            Self::Bug(_) => Fault::Bug,
        }
    }
}

/// A volume that somebody wants to be provisioned. Not for printing: a URL's query may be a secret.
pub struct Provision {
    /// Its name; the same name means the same volume.
    pub name: String,
    /// The parameters that are ours.
    pub parameters: BTreeMap<String, String>,
    /// Those of its VolumeAttributesClass. They are checked and no more: a node reads them from the class, and another
    /// class is the same volume.
    pub class: BTreeMap<String, String>,
    /// What Kubernetes says of its claim, given back to it where a variable needs that.
    pub claim: BTreeMap<String, String>,
    /// Whether a class may have such a variable later.
    pub needs_claim: bool,
    /// How it may be used, each use as it was written; they count for the comparison only.
    pub uses: Vec<Vec<u8>>,
    /// How large it is to be at least, in bytes; 0 if nobody says.
    pub required: u64,
    /// How large it may be at most, in bytes; 0 if nobody says.
    pub limit: u64,
}

/// A volume that is provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// Its id.
    pub id: String,
    /// The attributes with which it is to be published.
    pub attributes: BTreeMap<String, String>,
    /// Its size in bytes, exactly as it was asked for; 0 if it was not.
    pub capacity: u64,
}

impl Provision {
    /// What this makes, if the parameters are right.
    fn checked(&self) -> Result<Provisioned, Error> {
        let spec = classes::read(&self.parameters, &self.class)?;
        let mut attributes = self.parameters.clone();
        if self.needs_claim || spec.names_claim() {
            attributes.extend(self.claim.clone());
        }
        let size = match (self.required, self.limit) {
            (0, limit) => limit,
            (required, _) => required,
        };
        // A node never hears of a claim's size, so what it may download is said in the attributes.
        if size > 0 && spec.max_size.is_none_or(|max| size < max) {
            attributes.insert("maxSize".to_owned(), size.to_string());
        }
        Ok(Provisioned {
            id: id(&self.name),
            attributes,
            capacity: self.required,
        })
    }

    fn record(&self, key: &Key) -> ClaimRecord {
        let (required, limit) = (self.required.to_be_bytes(), self.limit.to_be_bytes());
        let uses = (self.uses.len() as u64).to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![&required, &limit, &uses];
        parts.extend(self.uses.iter().map(Vec::as_slice));
        for (name, value) in &self.parameters {
            parts.extend([name.as_bytes(), value.as_bytes()]);
        }
        ClaimRecord {
            version: Version::CURRENT,
            fingerprint: key.name("claim", &parts).as_str().to_owned(),
            key: key_name(key),
        }
    }
}

/// What is remembered of a call: an HMAC, because a URL's query may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ClaimRecord {
    #[serde(default)]
    version: Version,
    fingerprint: String,
    /// Names the key that the fingerprint was made with.
    key: String,
}

/// What every id begins with.
const PREFIX: &str = "wv-";

/// How many hexadecimal digits follow.
const DIGITS: usize = 32;

/// The id of the volume of this name.
fn id(name: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(name));
    digits.truncate(DIGITS);
    format!("{PREFIX}{digits}")
}

/// Whether an id is one of ours: no other one ever becomes a path.
fn is_ours(id: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    id.strip_prefix(PREFIX)
        .is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(digit))
}

/// The volumes that are provisioned, once the store is there, and until then the reason why not.
pub struct Claims {
    store: Short<Result<Arc<Store>, String>>,
    /// One call at a time: two with one name find each other's record, and a disk that hangs holds one thread.
    alone: Arc<Mutex<()>>,
    pool: Pool,
}

impl Claims {
    /// Without a store.
    pub fn shut(pool: Pool) -> Self {
        Self {
            store: Short::new(Err("starting".to_owned())),
            alone: Arc::default(),
            pool,
        }
    }

    fn set(&self, store: Result<Arc<Store>, String>) {
        *self.store.lock() = store;
    }

    /// Says why the store cannot be used.
    pub fn without_store(&self, why: impl Into<String>) {
        self.set(Err(why.into()));
    }

    /// From now on volumes can be provisioned.
    pub fn open(&self, store: Arc<Store>) -> Result<(), Error> {
        store.prepare_claims()?;
        self.set(Ok(store));
        Ok(())
    }

    /// Whether volumes can be provisioned, or why not.
    pub fn check(&self) -> Result<(), String> {
        self.store().map(drop)
    }

    fn store(&self) -> Result<Arc<Store>, String> {
        self.store.lock().clone()
    }

    /// Provisions a volume, or finds that it is: [`Error::Differs`] where its name stands for another one.
    pub async fn create(&self, asked: Provision) -> Result<Provisioned, Error> {
        let made = asked.checked()?;
        self.run(move |store| {
            let record = asked.record(store.key());
            let bytes = store.claim(&made.id);
            match bytes.map(|bytes| Parsed::<ClaimRecord>::of(&bytes)) {
                Some(Parsed::Known(before)) if before == record => Ok(made),
                Some(Parsed::Known(before)) if before.key == record.key => {
                    Err(Error::Differs(asked.name))
                }
                Some(Parsed::Newer) => Err(Error::Newer(asked.name)),
                // None, unreadable, or of a key that is lost: nothing says that it is another one.
                Some(Parsed::Known(_) | Parsed::Lost) | None => {
                    remember(store, &made.id, &record)?;
                    Ok(made)
                }
            }
        })
        .await
    }

    /// Forgets a volume; one that is not known is fine.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        if !is_ours(id) {
            return Ok(());
        }
        let id = id.to_owned();
        self.run(move |store| Ok(store.remove_claim(&id)?)).await
    }

    /// Fails with [`Error::Unknown`] for a volume that was not provisioned here.
    pub async fn find(&self, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.run(move |store| {
            if !is_ours(&id) || store.claim(&id).is_none() {
                return Err(Error::Unknown(id));
            }
            Ok(())
        })
        .await
    }

    /// Checks what a class would set for a volume. Nothing is kept of it: the PersistentVolume names the class, and nodes
    /// read it there. So no record is needed either, which another replica may have, or nobody any more.
    ///
    /// Errors: [`Error::Unknown`] for an id that is none of ours.
    pub fn modify(&self, id: &str, class: &BTreeMap<String, String>) -> Result<(), Error> {
        if !is_ours(id) {
            return Err(Error::Unknown(id.to_owned()));
        }
        Ok(classes::check(class)?)
    }

    /// Works on the disk, away from the threads that answer calls. Once begun it ends, whoever still listens.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store().map_err(Error::NotReady)?;
        let alone = Arc::clone(&self.alone).lock_owned().await;
        let work = move || {
            let _alone = alone;
            work(&store)
        };
        // What a panic says is not for callers.
        self.pool
            .run(work)
            .await
            .map_err(|_| Error::Bug("the disk operation panicked"))?
    }
}

/// Writes a record down; on a full disk what no volume uses makes way for it.
fn remember(store: &Store, id: &str, record: &ClaimRecord) -> Result<(), Error> {
    let bytes = serde_json::to_vec(record).map_err(|_| Error::Bug("a record cannot be written"))?;
    let mut written = store.write_claim(id, &bytes);
    if written.as_ref().is_err_and(|e| e.fault() == Fault::NoSpace) {
        // It fails also where only the share that stays free is missing, and a record may have of that.
        if let Err(error) = store.make_room(ROOM, "a record") {
            tracing::warn!(%error, "no space was freed");
        }
        written = store.write_claim(id, &bytes);
    }
    Ok(written.map_err(|e| store.explain(e, "the record of a volume"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(required: u64, limit: u64, max: Option<&str>) -> Provision {
        let url = ("downloadURL", "https://example.com/v2/sample.war");
        let pairs = [url].into_iter().chain(max.map(|m| ("maxSize", m)));
        Provision {
            class: BTreeMap::new(),
            claim: BTreeMap::new(),
            needs_claim: false,
            name: "pvc-1".to_owned(),
            parameters: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            uses: vec![b"a".to_vec()],
            required,
            limit,
        }
    }

    #[test]
    fn the_smaller_of_max_size_and_the_claims_size_goes_to_the_node() {
        for (required, limit, max, echoed) in [
            (0, 0, None, None),
            (0, 0, Some("2Gi"), Some("2Gi")),
            (1 << 30, 0, None, Some("1073741824")),
            (1 << 30, 0, Some("2Gi"), Some("1073741824")),
            (1 << 30, 0, Some("500M"), Some("500M")),
            (1 << 30, 0, Some("1Gi"), Some("1Gi")),
            (0, 1000, Some("2Gi"), Some("1000")),
            (500, 1000, None, Some("500")),
        ] {
            let made = asked(required, limit, max).checked().unwrap();
            let what = format!("{required} {limit} {max:?}");
            assert_eq!(
                made.attributes.get("maxSize").map(String::as_str),
                echoed,
                "{what}"
            );
            assert_eq!(made.capacity, required, "{what}");
        }
    }

    #[test]
    fn ids_are_made_of_names_and_nothing_else_is_one() {
        assert!(is_ours(&id("pvc-1")) && is_ours(&id("")));
        assert_ne!(id("pvc-1"), id("pvc-2"));
        let long = format!("{PREFIX}{}", "0".repeat(33));
        let upper = format!("{PREFIX}{}", "A".repeat(32));
        let path = format!("{PREFIX}{:/<32}", "../");
        for bad in ["", "wv-", "key", "../key", &long, &upper, &path] {
            assert!(!is_ours(bad), "{bad}");
        }
    }

    #[test]
    fn records_of_the_first_version_are_read() {
        let first = include_bytes!("../../tests/front/records/claim.json");
        let record = Parsed::<ClaimRecord>::of(first)
            .known()
            .expect("it can be read");
        assert_eq!(record.version, Version::CURRENT);
    }
}
