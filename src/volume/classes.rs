//! What a VolumeAttributesClass sets for the volumes of all claims that name it.
//!
//! The attributes in a PersistentVolume never change, but the class that it names does. So what a node shows is what the
//! attributes say with those of the class over them: a key that the class does not set is as the volume has it. Pure.
//!
//! Invariant: a class says what a volume shows, and nothing of how it is mounted.

use std::collections::BTreeMap;

use super::attributes::{self, check_name};
use super::spec::VolumeTemplate;
use super::template::Variable;
use crate::artifact::maven::Coordinates;
use crate::fault::{Fault, Setting};

/// The attributes that a class may set.
pub const ATTRIBUTES: [&str; 11] = [
    "downloadURL",
    "repository",
    "checksum",
    "fileName",
    "path",
    "pullPolicy",
    "refresh",
    "settle",
    "spread",
    "drain",
    "rollback",
];

/// A class that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An attribute that says more than what is shown.
    #[error(
        "the attribute {0} cannot be set in a VolumeAttributesClass; set it in the StorageClass (a class may set: {all})",
        all = ATTRIBUTES.join(", ")
    )]
    NotOfClass(String),
    /// A variable whose value only the API server knows. A volume begins to watch its objects before it knows its class.
    #[error(
        "{0} cannot be used in a VolumeAttributesClass: labels and annotations are only read for the StorageClass; write \
         the value out"
    )]
    Said(Variable),
    /// An attribute that nobody could set.
    #[error(transparent)]
    Attributes(#[from] attributes::Error),
}

impl Error {
    /// Classes are the administrator's to correct.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotOfClass(_) | Self::Said(_) => Fault::Invalid,
            Self::Attributes(e) => e.fault(),
        }
    }
}

/// Refuses parameters that no volume can have from a class, before anybody knows which volume that is.
pub fn check(parameters: &BTreeMap<String, String>) -> Result<(), Error> {
    read(&stand_ins(parameters), parameters).map(drop)
}

/// Attributes that may have a class, of which nothing is known yet.
pub(super) fn without_class(attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = stand_ins(attributes);
    all.extend(attributes.clone());
    all
}

/// What the other one may have, where the attributes of a volume or of a class are looked at alone.
fn stand_ins(half: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_maven = half
        .get(Setting::Url.attribute())
        .is_some_and(|url| Coordinates::are_in(url));
    let has_repository = half.contains_key(Setting::Repository.attribute());
    let url = match has_repository {
        true => "maven:com.example:sample:2.0:war",
        false => "https://example.com/v2/sample.war",
    };
    let repository = is_maven.then_some((Setting::Repository, "https://example.com/repository"));
    [(Setting::Url, url), (Setting::FileName, "sample.war")]
        .into_iter()
        .chain(repository)
        .map(|(setting, value)| (setting.attribute().to_owned(), value.to_owned()))
        .collect()
}

/// What attributes mean with those of a class over them.
pub fn read(
    attributes: &BTreeMap<String, String>,
    parameters: &BTreeMap<String, String>,
) -> Result<VolumeTemplate, Error> {
    for name in parameters.keys() {
        check_name(name)?;
        if !ATTRIBUTES.contains(&name.as_str()) {
            return Err(Error::NotOfClass(name.clone()));
        }
    }
    let mut all = attributes.clone();
    all.extend(parameters.clone());
    let template = VolumeTemplate::parse(&all)?;
    let of_class = |setting: Setting| parameters.contains_key(setting.attribute());
    let said = template
        .of_objects()
        .find(|(setting, ..)| of_class(*setting));
    if let Some((_, variable, _)) = said {
        return Err(Error::Said(variable.clone()));
    }
    Ok(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        let all = all.iter();
        all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn a_class_sets_what_is_shown_and_nothing_else() {
        check(&BTreeMap::new()).unwrap();
        for name in ATTRIBUTES {
            assert!(attributes::ATTRIBUTES.iter().any(|(n, _)| *n == name));
        }
        for good in [
            &[("downloadURL", "https://example.com/v3/sample.war")][..],
            // The name is the volume's.
            &[("downloadURL", "https://example.com/v3/")],
            &[("downloadURL", "https://example.com/${pvc.name}/a.war")],
            &[("refresh", "1m"), ("settle", "0s"), ("spread", "5m")],
            &[("path", "a/b"), ("fileName", "ROOT##${swap}.war")],
            // The repository is the volume's, or both, or the coordinates are.
            &[("downloadURL", "maven:com.example:sample:2.0:war")],
            &[
                ("downloadURL", "maven:com.example:sample:LATEST:war"),
                ("repository", "https://example.com/repository"),
            ],
            &[("repository", "https://example.com/repository")],
        ] {
            check(&pairs(good)).unwrap_or_else(|e| panic!("{good:?}: {e}"));
        }
        for (bad, says) in [
            (
                &[("layout", "copy")][..],
                "the attribute layout cannot be set in a VolumeAttributesClass; set it in the StorageClass",
            ),
            (&[("writable", "scratch")], "the attribute writable cannot"),
            (&[("maxSize", "1Gi")], "the attribute maxSize cannot"),
            (&[("iops", "100")], "unknown attribute \"iops\""),
            (&[("checksum", "md5:00")], "the attribute checksum"),
            (&[("settle", "1y")], "the attribute settle"),
            (
                &[("refresh", "1m"), ("pullPolicy", "Never")],
                "pullPolicy: Never",
            ),
            (
                &[(
                    "downloadURL",
                    "https://example.com/${pod.labels['v']}/a.war",
                )],
                "${pod.labels['v']} cannot be used in a VolumeAttributesClass",
            ),
        ] {
            let said = check(&pairs(bad)).unwrap_err();
            assert!(said.to_string().contains(says), "{bad:?}: {said}");
            assert_eq!(said.fault(), Fault::Invalid);
        }
    }

    #[test]
    fn what_a_class_does_not_set_is_as_the_volume_has_it() {
        let volume = pairs(&[
            (
                "downloadURL",
                "https://example.com/${pvc.labels['v']}/a.war",
            ),
            ("layout", "copy"),
            ("settle", "5s"),
        ]);
        let class = pairs(&[("settle", "7s")]);
        let template = read(&volume, &class).unwrap();
        assert_eq!(template.changes.settle.as_secs(), 7);
        assert!(template.names_claim(), "the URL is the volume's");
        // Together they may be wrong.
        let pinned = pairs(&[
            ("downloadURL", "https://example.com/a.war"),
            ("checksum", &format!("sha256:{}", "0".repeat(64))),
        ]);
        let said = read(&pinned, &pairs(&[("refresh", "1m")])).unwrap_err();
        assert!(
            said.to_string().contains("remove refresh or checksum"),
            "{said}"
        );
    }
}
