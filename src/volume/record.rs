//! What a volume remembers of itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::plan::View;
use crate::artifact::{self, Digest, FileName, VolumePath};
use crate::store::{Key, Layers, Parsed, Placement, Version};

/// Written once, when the volume's directory is made. Holds no secret: the URL is redacted, and of the attributes
/// (query strings are secrets) only an HMAC is kept. A record that cannot be read, or was made under another key,
/// compares as equal to any request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The format.
    #[serde(default)]
    pub version: Version,
    /// The volume's id as the caller gave it.
    pub volume: String,
    /// Where it is shown.
    pub target: PathBuf,
    /// Whether the directory there was made for it, and goes with it.
    #[serde(default)]
    pub made_target: bool,
    /// Whose volume it is.
    pub owner: Owner,
    /// What it shows, redacted.
    #[serde(default)]
    pub url: String,
    /// What that hashes to.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
    /// The directory in the volume that the file is in.
    #[serde(default)]
    pub path: String,
    /// The file's name.
    pub name: String,
    /// How it is shown.
    pub view: View,
    /// The group that may write to it.
    #[serde(default)]
    pub group: Option<u32>,
    /// The HMAC of the attributes as written and of the call's `readonly`.
    pub fingerprint: String,
    /// Names the key that the fingerprint was made with.
    pub key: String,
    /// The boot in which it was published.
    #[serde(default)]
    pub boot: String,
    /// What it showed before, if its content may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// How the content of a volume came to be what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Names what was asked for when what is shown came: URL and checksum. Empty where that is not known.
    pub asked: String,
    /// Counts what was shown, from 1.
    pub swap: u64,
    /// When what is shown came, in seconds since 1970.
    pub changed: u64,
    /// The inode of the file that is shown; 0 where that is not known.
    pub inode: u64,
    /// What was shown before it.
    pub before: Option<Before>,
    /// Files that are to go.
    pub draining: Vec<Draining>,
    /// Whether the file's time is to be set once more, because it came too soon after the one before.
    pub restamp: bool,
    /// Whether what is shown is rolled back if it makes the pod unready: the attribute `rollback`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub on_trial: bool,
    /// What was shown before, and is not to be shown again as long as it is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
}

/// Content that was rolled back, because it made the pod unready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// See [`History::asked`].
    pub asked: String,
    /// Its URL, redacted.
    pub url: String,
    /// Its digest.
    pub sha256: Digest,
    /// What became of the pod.
    pub why: String,
}

/// What a volume showed before, and still has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// See [`History::asked`].
    pub asked: String,
    /// Its URL, redacted.
    pub url: String,
    /// Its digest.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
    /// The directory in the volume that it was in.
    #[serde(default)]
    pub path: String,
    /// The name that it had; empty where an older program wrote it.
    #[serde(default)]
    pub name: String,
}

/// A file whose name is not wanted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// Its directory in the volume.
    pub path: String,
    /// Its name.
    pub name: String,
    /// When it was replaced, in seconds since 1970.
    pub since: u64,
}

impl Draining {
    /// Where it is.
    pub(super) fn place(&self) -> Result<VolumePath, artifact::Error> {
        VolumePath::new(&self.path, self.name.parse::<FileName>()?)
    }
}

/// Who asked for a volume, and so who ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Somebody at a command line; such a volume is never swept.
    CommandLine,
    /// kubelet, by the directory that it had then: one of another path or inode is not the same kubelet's.
    Kubelet {
        /// Its directory.
        dir: PathBuf,
        /// That directory's inode.
        inode: u64,
    },
}

impl Record {
    /// Reads a record; none if it cannot be read. Of a newer program's there is none here: with one of those no store is
    /// opened.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Parsed::of(bytes).known()
    }

    /// Whether a newer program wrote it, in a way that this one would misread.
    pub(super) fn is_newer(bytes: &[u8]) -> bool {
        Parsed::<Self>::of(bytes) == Parsed::Newer
    }

    /// Whether it may have been made from the request of this fingerprint.
    pub(super) fn may_be(&self, fingerprint: &str, key: &Key) -> bool {
        !self.is_of(key) || self.fingerprint == fingerprint
    }

    /// Whether it was made under this key.
    pub(super) fn is_of(&self, key: &Key) -> bool {
        self.key == key_name(key)
    }

    /// What lies in the volume. So far a record is that of a file: one of another kind will say so.
    pub fn placement(&self) -> Result<Placement, artifact::Error> {
        self.place().map(Placement::File)
    }

    /// Where its file is.
    pub(super) fn place(&self) -> Result<VolumePath, artifact::Error> {
        VolumePath::new(&self.path, self.name.parse::<FileName>()?)
    }

    /// What it has beside its content.
    pub fn layers(&self) -> Layers {
        layers(self.view, self.group)
    }
}

/// What a volume of this form has beside its content, for a group that may write to it.
pub(super) fn layers(view: View, group: Option<u32>) -> Layers {
    let writable = view.writable();
    Layers {
        writable,
        upper: view != View::Bind,
        work: view == View::Overlay,
        group: group.filter(|_| writable),
    }
}

/// Names a request: equal names mean the same volume for the same caller.
pub(super) fn fingerprint(
    key: &Key,
    attributes: &BTreeMap<String, String>,
    readonly: bool,
) -> String {
    let mut parts: Vec<&[u8]> = vec![if readonly { b"ro" } else { b"rw" }];
    for (name, value) in attributes {
        parts.extend([name.as_bytes(), value.as_bytes()]);
    }
    key.name("fingerprint", &parts).as_str().to_owned()
}

/// Tells keys apart, and nothing of them.
pub(super) fn key_name(key: &Key) -> String {
    key.name("key", &[]).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first released version wrote it.
    const FIRST: &[u8] = include_bytes!("../../tests/front/records/want.json");

    /// What that version reads: all of it had to be there, and what it does not know it passes over.
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "it must be there and of this type")]
    struct First {
        volume: String,
        target: PathBuf,
        made_target: bool,
        owner: Owner,
        url: String,
        sha256: Digest,
        size: u64,
        path: String,
        name: String,
        view: View,
        group: Option<u32>,
        fingerprint: String,
        key: String,
        boot: String,
    }

    #[test]
    fn records_of_the_first_version_are_read_and_it_reads_ours() {
        let record = Record::read(FIRST).expect("it can be read");
        assert_eq!(record.version, Version::default());
        assert_eq!(record.name, "sample.war");
        let ours = serde_json::to_vec(&record).unwrap();
        let theirs: First = serde_json::from_slice(&ours).unwrap();
        assert_eq!(theirs.sha256, record.sha256);
    }

    #[test]
    fn what_is_missing_has_its_default_and_a_newer_record_is_not_misread() {
        let mut json: serde_json::Value = serde_json::from_slice(FIRST).unwrap();
        let fields = json.as_object_mut().unwrap();
        for optional in ["made_target", "url", "path", "group", "boot"] {
            fields.remove(optional).unwrap();
        }
        assert!(Record::read(json.to_string().as_bytes()).is_some());
        json["version"] = 2.into();
        let newer = json.to_string();
        assert!(Record::read(newer.as_bytes()).is_none());
        assert!(Record::is_newer(newer.as_bytes()) && !Record::is_newer(FIRST));
    }
}
