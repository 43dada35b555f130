//! What people write into `volumeAttributes` or a StorageClass's `parameters`.

use std::collections::BTreeMap;

use crate::artifact::{self, ArtifactUrl, Digest, FileName, VolumePath, parse_size};
use crate::fault::{Fault, Setting};
use crate::policy::{PullPolicy, Request};

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
pub const ATTRIBUTES: [(&str, &str); 8] = [
    (
        "downloadURL",
        "URL of the artifact, http or https; required",
    ),
    (
        "checksum",
        "expected checksum: sha256:<hex>, sha512:<hex>, the hex digits alone, or a line of sha256sum output",
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
        "when to ask the server: Always, IfNotPresent or Never; default: IfNotPresent with a checksum, else Always",
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
];

/// Those that are planned, and not there yet.
const LATER: [&str; 4] = ["unpack", "stripComponents", "include", "refresh"];

/// How a volume is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A bind where the call says read-only, which a pod with a user namespace can use too; else an overlay.
    Auto,
    /// An overlay over the shared bytes, read-only or not: pods see nothing of each other, not even file locks.
    Overlay,
    /// A private copy, for pods with a user namespace, which cannot use an overlay.
    Copy,
}

/// The attributes as they are meant.
#[derive(Clone, Debug)]
pub struct VolumeSpec {
    /// What to mount.
    pub url: ArtifactUrl,
    /// What it must hash to.
    pub pin: Option<Digest>,
    /// Where in the volume it goes.
    pub place: VolumePath,
    /// When the origin is asked.
    pub pull: PullPolicy,
    /// The volume's own limit in bytes.
    pub max_size: Option<u64>,
    /// How it is laid out.
    pub layout: Layout,
    /// Whether a volume that people expect to last may be written nevertheless.
    pub scratch: bool,
}

impl VolumeSpec {
    /// What of it is asked for, by whoever shows no credentials.
    pub fn request(&self) -> Request {
        Request {
            url: self.url.clone(),
            pin: self.pin.clone(),
            pull: self.pull,
            max_size: self.max_size,
            credentials: Default::default(),
        }
    }

    /// Reads the attributes; Kubernetes' own keys must be gone from them.
    pub fn parse(attributes: &BTreeMap<String, String>) -> Result<Self, Error> {
        for name in attributes.keys() {
            if let Some(later) = LATER.iter().find(|l| *l == name) {
                return Err(Error::NotBuilt(later));
            }
            if !ATTRIBUTES.iter().any(|(known, _)| known == name) {
                return Err(Error::Unknown(artifact::shown(name)));
            }
        }
        let get = |name: Setting| (name, attributes.get(name.attribute()).map(String::as_str));
        let url = parsed(get(Setting::Url))?;
        let url: ArtifactUrl = url.ok_or(Error::Missing(Setting::Url.attribute()))?;
        let pin: Option<Digest> = parsed(get(Setting::Checksum))?;
        let name = match parsed::<FileName>(get(Setting::FileName))? {
            Some(name) => name,
            None => file_name(&url)?,
        };
        let (_, path) = get(Setting::Path);
        let pull = match parsed(get(Setting::PullPolicy))? {
            Some(policy) => policy,
            None if pin.is_some() => PullPolicy::IfNotPresent,
            None => PullPolicy::Always,
        };
        let size = get(Setting::MaxSize).1.map(parse_size);
        Ok(Self {
            place: VolumePath::new(path.unwrap_or_default(), name)
                .map_err(|e| Error::value(Setting::Path, e))?,
            max_size: size
                .transpose()
                .map_err(|e| Error::value(Setting::MaxSize, e))?,
            layout: one_of(
                get(Setting::Layout),
                &[
                    ("auto", Layout::Auto),
                    ("overlay", Layout::Overlay),
                    ("copy", Layout::Copy),
                ],
            )?
            .unwrap_or(Layout::Auto),
            scratch: one_of(get(Setting::Writable), &[("scratch", true)])?.unwrap_or(false),
            url,
            pin,
            pull,
        })
    }
}

fn parsed<T: std::str::FromStr<Err: ToString>>(
    (name, text): (Setting, Option<&str>),
) -> Result<Option<T>, Error> {
    text.map(|text| value(name, text)).transpose()
}

/// Reads one value, for whoever has no other.
pub fn value<T: std::str::FromStr<Err: ToString>>(name: Setting, text: &str) -> Result<T, Error> {
    text.parse().map_err(|e| Error::value(name, e))
}

/// The name that a URL gives to the file.
pub fn file_name(url: &ArtifactUrl) -> Result<FileName, Error> {
    url.file_name().map_err(|e| Error::Nameless(e.to_string()))
}

fn one_of<T: Copy>(
    (name, text): (Setting, Option<&str>),
    allowed: &[(&str, T)],
) -> Result<Option<T>, Error> {
    let Some(text) = text else { return Ok(None) };
    let words: Vec<_> = allowed.iter().map(|(word, _)| *word).collect();
    allowed
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| Some(*value))
        .ok_or_else(|| {
            Error::value(
                name,
                format!("{}; use {}", artifact::shown(text), words.join(" or ")),
            )
        })
}

fn known() -> String {
    ATTRIBUTES.map(|(name, _)| name).join(", ")
}

fn nearest(name: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<VolumeSpec, Error> {
        VolumeSpec::parse(
            &pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    const URL: (&str, &str) = ("downloadURL", "https://example.com/v2/sample.war");

    #[test]
    fn defaults() {
        let spec = parse(&[URL]).unwrap();
        assert_eq!(spec.place.to_path().to_str(), Some("sample.war"));
        assert_eq!(
            (spec.pull, spec.layout, spec.scratch),
            (PullPolicy::Always, Layout::Auto, false)
        );
        let pin = format!("sha256:{}", "0".repeat(64));
        assert_eq!(
            parse(&[URL, ("checksum", &pin)]).unwrap().pull,
            PullPolicy::IfNotPresent
        );
    }

    #[test]
    fn every_refusal_names_the_attribute_and_what_is_allowed() {
        let long = "a".repeat(1 << 20);
        for (pairs, says) in [
            (vec![], "the attribute downloadURL is missing"),
            (vec![URL, ("downloadUrl", "x")], "did you mean downloadURL?"),
            (vec![URL, ("filename", "x")], "did you mean fileName?"),
            (
                vec![URL, ("zzz", "x")],
                "unknown attribute \"zzz\"; known attributes: downloadURL, checksum",
            ),
            (vec![URL, (long.as_str(), "x")], "unknown attribute"),
            (
                vec![URL, ("unpack", "auto")],
                "the attribute unpack is not supported yet",
            ),
            (
                vec![URL, ("refresh", "1m")],
                "the attribute refresh is not supported yet",
            ),
            (
                vec![URL, ("checksum", "md5:1")],
                "the attribute checksum: \"md5:1\"",
            ),
            (vec![URL, ("checksum", &long)], "the attribute checksum"),
            (
                vec![URL, ("maxSize", "big")],
                "the attribute maxSize: \"big\": not a size",
            ),
            (
                vec![URL, ("pullPolicy", "always")],
                "Always, IfNotPresent or Never",
            ),
            (
                vec![URL, ("layout", "flat")],
                "the attribute layout: \"flat\"; use auto or overlay or copy",
            ),
            (vec![URL, ("writable", "true")], "use scratch"),
            (vec![URL, ("path", "../x")], "the attribute path: \"../x\""),
            (vec![URL, ("path", "/x")], "absolute"),
            (
                vec![URL, ("fileName", "a/b")],
                "the attribute fileName: \"a/b\"",
            ),
            (
                vec![("downloadURL", "file:///etc/passwd")],
                "\"file\" is not supported",
            ),
            (
                vec![("downloadURL", "https://u:canary@example.com/a")],
                "user or password",
            ),
            (
                vec![("downloadURL", "https://example.com/")],
                "set fileName",
            ),
        ] {
            let text = parse(&pairs).unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
            assert!(text.len() <= 1000 && !text.contains("canary"), "{text}");
        }
    }
}
