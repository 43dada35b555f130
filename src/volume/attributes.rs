//! What people write into `volumeAttributes` or a StorageClass's `parameters`.

use super::template;
use crate::artifact::{self, ArtifactUrl, FileName};
use crate::fault::{Fault, Setting};

/// An attribute that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A required one is missing.
    #[error(
        "the attribute {0} is missing; set it to the URL of the artifact, such as https://example.com/v2/sample.war"
    )]
    Missing(&'static str),
    /// There is none of this name, which is escaped.
    #[error(
        "unknown attribute {}{}; known attributes: {}",
        .0,
        nearest(.0),
        known()
    )]
    Unknown(String),
    /// It is planned, and not there yet.
    #[error("the attribute {0} is not supported yet; remove it (known attributes: {known})", known = known())]
    NotBuilt(&'static str),
    /// Its value is wrong.
    #[error("{name:#}: {why}")]
    Value {
        /// Which.
        name: Setting,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// It has a variable that cannot be read or filled in.
    #[error("{name:#}: {error}")]
    Template {
        /// Which.
        name: Setting,
        /// What is wrong.
        error: template::Error,
    },
    /// Coordinates without a place to look them up in.
    #[error(
        "{url:#}: Maven coordinates need the URL of a repository; set {repository}, such as \
         https://example.com/repository/releases",
        url = Setting::Url,
        repository = Setting::Repository
    )]
    NoRepository,
    /// A repository for what needs none.
    #[error(
        "{repository:#}: it is only for Maven coordinates, and {url} is a URL; remove it",
        repository = Setting::Repository,
        url = Setting::Url
    )]
    NotMaven,
    /// The URL gives the file no name, because of what is wrong with its end.
    #[error("{url:#}: {0}; set {name}", url = Setting::Url, name = Setting::FileName)]
    Nameless(String),
}

impl Error {
    /// Attributes are the asker's to correct.
    pub fn fault(&self) -> Fault {
        Fault::Invalid
    }

    /// For a value of `name`.
    pub fn value(name: Setting, why: impl ToString) -> Self {
        Self::Value {
            name,
            why: why.to_string(),
        }
    }
}

/// The attributes that are built, each with a line for the documentation.
pub const ATTRIBUTES: [(&str, &str); 14] = [
    (
        "downloadURL",
        "URL of the artifact, http or https, or maven:<group>:<artifact>:<version>[:<packaging>[:<classifier>]]; required",
    ),
    (
        "repository",
        "URL of the Maven repository; required for maven: coordinates",
    ),
    (
        "checksum",
        "expected checksum: sha256:<hex>, sha512:<hex>, the hex digits alone, a line of sha256sum output, file:<URL> for a file at \
         a server that lists it, or sidecar:sha512, sidecar:sha256 or sidecar:sha1 for one that a Maven repository has \
         beside the artifact (docs/volumes.md)",
    ),
    (
        "fileName",
        "file name in the volume; default: the last segment of downloadURL's path, percent-decoded",
    ),
    (
        "path",
        "subdirectory of the volume that holds the file; default: the volume's root",
    ),
    (
        "pullPolicy",
        "when to ask the server: Always, IfNotPresent or Never; default: IfNotPresent with a checksum or a Maven \
         version that never changes, else Always",
    ),
    (
        "maxSize",
        "largest artifact to accept, such as 500M or 2Gi; default: the driver's limit",
    ),
    (
        "layout",
        "auto (a bind mount if the volume has readOnly: true, else an overlay), overlay, or copy (for pods with \
         hostUsers: false); default: auto",
    ),
    (
        "writable",
        "scratch: make a claim's volume writable; each pod sees only its own writes, and they go when the pod goes; default: \
         read-only",
    ),
    (
        "refresh",
        "how often the server is asked for a newer artifact while the volume is mounted, such as 1m; at least 10s; default: \
         never",
    ),
    (
        "settle",
        "shortest time from one change of a mounted volume's content to the next, 0s to 10m; default: 60s",
    ),
    (
        "spread",
        "time over which the pods of one volume change, each at its own moment, 0s to 1h; default: 2m for a \
         claim with ReadOnlyMany, else 0s",
    ),
    (
        "drain",
        "how long a file whose name is no longer wanted stays in the volume, 0s to 24h; default: 10m",
    ),
    (
        "rollback",
        "how long after a change a pod that was Ready has to be Ready again, or it gets the content before back, 5s to 1h, or \
         never; default: never",
    ),
];

/// Those that are planned, and not there yet.
const LATER: [&str; 3] = ["unpack", "stripComponents", "include"];

/// Refuses an attribute that is not known.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    if let Some(later) = LATER.into_iter().find(|later| *later == name) {
        return Err(Error::NotBuilt(later));
    }
    match ATTRIBUTES.iter().any(|(known, _)| *known == name) {
        true => Ok(()),
        false => Err(Error::Unknown(artifact::shown(name))),
    }
}

/// The name that a URL gives to the file.
pub fn file_name(url: &ArtifactUrl) -> Result<FileName, Error> {
    url.file_name().map_err(|e| Error::Nameless(e.to_string()))
}

pub(super) fn known() -> String {
    ATTRIBUTES.map(|(name, _)| name).join(", ")
}

pub(super) fn nearest(name: &str) -> String {
    let name = name.trim_matches('"').to_lowercase();
    ATTRIBUTES
        .iter()
        .map(|(known, _)| (strsim::jaro_winkler(&known.to_lowercase(), &name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, known)| {
            format!(" (did you mean {known}?)")
        })
}
