//! What an artifact is called in a Maven repository.

use std::fmt;
use std::str::FromStr;

use super::version::{Version, part};
use crate::artifact::{Error, shown};

const SCHEME: &str = "maven:";

/// The packaging of coordinates that name none: Maven's own default.
const JAR: &str = "jar";

/// What Maven calls a packaging without meaning the end of a file's name: its name, the end that it means, and its
/// classifier. All but `bundle`, which is that of a well-known plugin, are of Maven itself.
const PACKAGINGS: [(&str, &str, Option<&str>); 7] = [
    ("bundle", JAR, None),
    ("ejb", JAR, None),
    ("ejb-client", JAR, Some("client")),
    ("java-source", JAR, Some("sources")),
    ("javadoc", JAR, Some("javadoc")),
    ("maven-plugin", JAR, None),
    ("test-jar", JAR, Some("tests")),
];

/// Coordinates of a file: `maven:<group>:<artifact>:<version>[:<packaging>[:<classifier>]]`.
///
/// The packaging is the extension of the file, `jar` where there is none. Those that Maven names otherwise are
/// replaced: `test-jar` is `jar` with the classifier `tests`. `Display` prints the canonical text, the same for all texts
/// that name one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinates {
    group: String,
    artifact: String,
    version: Version,
    extension: String,
    classifier: Option<String>,
}

impl Coordinates {
    /// Whether a text, or the beginning of one, is meant as coordinates.
    pub fn are_in(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The group, as in `com.example`.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The artifact's name in its group.
    pub fn artifact(&self) -> &str {
        &self.artifact
    }

    /// The version as it was asked for, so `LATEST` and `RELEASE` too.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The end of the file's name, without its dot.
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// Which of the files of one version, where it is not the main one.
    pub fn classifier(&self) -> Option<&str> {
        self.classifier.as_deref()
    }
}

impl FromStr for Coordinates {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::new(format!(
                "{}: {why}; use maven:<group>:<artifact>:<version>[:<packaging>[:<classifier>]]",
                shown(text)
            ))
        };
        let within = |e: Error| Error::new(format!("{}: {e}", shown(text)));
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| wrong("does not begin with maven:"))?;
        let parts: Vec<&str> = rest.split(':').collect();
        let (group, artifact, version, more) = match parts.as_slice() {
            [group, artifact, version, more @ ..] if more.len() <= 2 => {
                (*group, *artifact, *version, more)
            }
            [_, _, _, ..] => return Err(wrong("has too many parts")),
            _ => return Err(wrong("has too few parts")),
        };
        let group = name("group", group).map_err(within)?;
        if group.split('.').any(str::is_empty) {
            return Err(wrong("the group has a dot without a name beside it"));
        }
        let packaging = part("packaging", more.first().unwrap_or(&JAR)).map_err(within)?;
        let classifier = more
            .get(1)
            .map(|text| part("classifier", text))
            .transpose()
            .map_err(within)?;
        let known = PACKAGINGS.iter().find(|(name, ..)| *name == packaging);
        let (extension, implied) = known.map_or((&*packaging, None), |(_, e, c)| (*e, *c));
        Ok(Self {
            group,
            artifact: name("artifact", artifact).map_err(within)?,
            version: version.parse().map_err(within)?,
            extension: extension.to_owned(),
            classifier: classifier.or(implied.map(str::to_owned)),
        })
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, artifact, version) = (&self.group, &self.artifact, &self.version);
        write!(f, "{SCHEME}{group}:{artifact}:{version}")?;
        match &self.classifier {
            Some(classifier) => write!(f, ":{}:{classifier}", self.extension),
            None if self.extension == JAR => Ok(()),
            None => write!(f, ":{}", self.extension),
        }
    }
}

/// A group or an artifact's name, of the characters that Maven allows in them.
fn name(what: &str, text: &str) -> Result<String, Error> {
    if text.contains(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c)) {
        return Err(Error::new(format!(
            "the {what} {} may have only letters, digits, _, . and -",
            shown(text)
        )));
    }
    part(what, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_name_one_file_have_one_canonical_text() {
        for (text, canonical) in [
            ("maven:com.example:app:1.0", "maven:com.example:app:1.0"),
            ("maven:com.example:app:1.0:jar", "maven:com.example:app:1.0"),
            ("maven:g:a:1:war", "maven:g:a:1:war"),
            ("maven:g:a:1:jar:sources", "maven:g:a:1:jar:sources"),
            ("maven:g:a:1:java-source", "maven:g:a:1:jar:sources"),
            ("maven:g:a:1:javadoc", "maven:g:a:1:jar:javadoc"),
            ("maven:g:a:1:test-jar", "maven:g:a:1:jar:tests"),
            ("maven:g:a:1:test-jar:it", "maven:g:a:1:jar:it"),
            ("maven:g:a:1:ejb-client", "maven:g:a:1:jar:client"),
            ("maven:g:a:1:ejb", "maven:g:a:1"),
            ("maven:g:a:1:maven-plugin", "maven:g:a:1"),
            ("maven:g:a:1:bundle", "maven:g:a:1"),
            ("maven:g:a:1:tar.gz:bin", "maven:g:a:1:tar.gz:bin"),
            ("maven:g_1.x-y:a.b_c-d:1", "maven:g_1.x-y:a.b_c-d:1"),
            ("maven:g:a:LATEST:war", "maven:g:a:LATEST:war"),
            ("maven:g:a:1+5~b:war:x+y~z", "maven:g:a:1+5~b:war:x+y~z"),
        ] {
            let parsed: Coordinates = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(parsed.to_string(), canonical);
            assert_eq!(canonical.parse::<Coordinates>().unwrap(), parsed);
        }
    }

    #[test]
    fn the_parts_are_told_apart() {
        let all: Coordinates = "maven:com.example:app:1.0:zip:dist".parse().unwrap();
        assert_eq!((all.group(), all.artifact()), ("com.example", "app"));
        assert_eq!((all.version().as_str(), all.extension()), ("1.0", "zip"));
        assert_eq!(all.classifier(), Some("dist"));
        let few: Coordinates = "maven:g:a:1".parse().unwrap();
        assert_eq!((few.extension(), few.classifier()), ("jar", None));
    }

    #[test]
    fn refused_coordinates_say_what_is_allowed() {
        let long = format!("maven:{}:a:1", "g".repeat(1 << 20));
        for (bad, says) in [
            ("", "does not begin with maven:"),
            ("g:a:1", "does not begin with maven:"),
            ("Maven:g:a:1", "use maven:<group>:<artifact>:<version>"),
            ("maven:g:a", "too few parts"),
            ("maven:g:a:1:war:c:d", "too many parts"),
            ("maven::a:1", "the group \"\" is empty"),
            ("maven:g::1", "the artifact \"\" is empty"),
            ("maven:g:a:", "the version \"\" is empty"),
            ("maven:g:a:1:", "the packaging \"\" is empty"),
            ("maven:g:a:1::c", "the packaging \"\" is empty"),
            ("maven:g:a:1:war:", "the classifier \"\" is empty"),
            ("maven:g..h:a:1", "a dot without a name"),
            ("maven:.g:a:1", "a dot without a name"),
            ("maven:g.:a:1", "a dot without a name"),
            ("maven:..:a:1", "names a directory"),
            ("maven:g/h:a:1", "only letters, digits"),
            ("maven:g:a+b:1", "only letters, digits"),
            ("maven:gé:a:1", "only letters, digits"),
            ("maven:g:.:1", "names a directory"),
            ("maven:g:..:1", "names a directory"),
            ("maven:g:a:..", "names a directory"),
            ("maven:g:a:1/2", "contains /"),
            ("maven:g:a:[1,2)", "is a range of versions"),
            ("maven:g:a:1:war:c d", "white space"),
            ("maven:g:a:1:../x", "contains /"),
            ("maven:g:a:1:war:..", "names a directory"),
            (&long, "at most 253"),
        ] {
            let text = bad.parse::<Coordinates>().unwrap_err().to_string();
            assert!(text.contains(says), "{bad}: {text}");
            assert!(text.len() < 500, "{text}");
        }
    }
}
