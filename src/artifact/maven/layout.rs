//! Where a Maven repository has what coordinates name.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::coordinates::Coordinates;
use super::version::Version;
use crate::artifact::{ArtifactUrl, Error, shown};

const METADATA: &str = "maven-metadata.xml";

/// What is encoded in a part of a path: all but what RFC 3986 §3.3 allows there, as Maven does it. A `+` stays, because
/// storage behind some repositories takes `%2B` for another name.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// Paths below the URL of a repository, encoded as in a URL.
impl Coordinates {
    /// What the repository says of all versions.
    pub fn metadata_path(&self) -> String {
        self.below(&[METADATA])
    }

    /// What the repository says of one version, which is a snapshot.
    pub fn version_metadata_path(&self, version: &Version) -> String {
        self.below(&[&version.base(), METADATA])
    }

    /// The file of one version; of a snapshot, of one build.
    pub fn file_path(&self, version: &Version) -> String {
        let mut name = format!("{}-{version}", self.artifact());
        if let Some(classifier) = self.classifier() {
            name = format!("{name}-{classifier}");
        }
        self.below(&[&version.base(), &format!("{name}.{}", self.extension())])
    }

    fn below(&self, parts: &[&str]) -> String {
        self.group()
            .split('.')
            .chain([self.artifact()])
            .chain(parts.iter().copied())
            .map(|part| utf8_percent_encode(part, ENCODED).to_string())
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// The URL of a path below a repository's. A query of the repository's URL is left out: it belongs to that URL alone.
pub fn join(repository: &ArtifactUrl, path: &str) -> Result<ArtifactUrl, Error> {
    let base = repository
        .without_query()
        .unwrap_or(repository.canonical())
        .trim_end_matches('/');
    format!("{base}/{path}")
        .parse()
        .map_err(|e| Error::new(format!("{} in {repository}: {e}", shown(path))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coordinates(text: &str) -> Coordinates {
        text.parse().unwrap()
    }

    #[test]
    fn a_repository_has_each_thing_in_its_place() {
        let all = coordinates("maven:org.example.web:app:1.0-SNAPSHOT:war:tests");
        assert_eq!(
            all.metadata_path(),
            "org/example/web/app/maven-metadata.xml"
        );
        assert_eq!(
            all.version_metadata_path(all.version()),
            "org/example/web/app/1.0-SNAPSHOT/maven-metadata.xml"
        );
        let build = "1.0-20260131.120000-7".parse().unwrap();
        assert_eq!(
            all.file_path(&build),
            "org/example/web/app/1.0-SNAPSHOT/app-1.0-20260131.120000-7-tests.war"
        );
        for (text, path) in [
            ("maven:g:a:1", "g/a/1/a-1.jar"),
            ("maven:g:a.b:1:tar.gz", "g/a.b/1/a.b-1.tar.gz"),
            (
                "maven:g:a:1.0-SNAPSHOT:war",
                "g/a/1.0-SNAPSHOT/a-1.0-SNAPSHOT.war",
            ),
            // As Maven 3.8 asks for it.
            (
                "maven:g:a:1+5~b%20#é^|`{};=@!$&'*?\"<>:war:c+l~x",
                "g/a/1+5~b%2520%23%C3%A9%5E%7C%60%7B%7D;=@!$&'*%3F%22%3C%3E/\
                 a-1+5~b%2520%23%C3%A9%5E%7C%60%7B%7D;=@!$&'*%3F%22%3C%3E-c+l~x.war",
            ),
        ] {
            let all = coordinates(text);
            assert_eq!(all.file_path(all.version()), path);
        }
    }

    #[test]
    fn a_path_is_joined_to_a_repository_as_it_is() {
        let path = "g/a/1+5/a-%2520.war";
        for (repository, whole) in [
            ("https://h", "https://h/g/a/1+5/a-%2520.war"),
            ("https://h/", "https://h/g/a/1+5/a-%2520.war"),
            ("https://h:8443/m2", "https://h:8443/m2/g/a/1+5/a-%2520.war"),
            ("https://h/m2//", "https://h/m2/g/a/1+5/a-%2520.war"),
            ("https://h/m2/?a=/", "https://h/m2/g/a/1+5/a-%2520.war"),
        ] {
            let repository = repository.parse().unwrap();
            assert_eq!(join(&repository, path).unwrap().canonical(), whole);
        }
        // Not even a part that another program would decode to `..` leaves its directory.
        let all = coordinates("maven:g:a:%2e%2e");
        let url = join(
            &"https://h/m2".parse().unwrap(),
            &all.file_path(all.version()),
        );
        assert_eq!(
            url.unwrap().canonical(),
            "https://h/m2/g/a/%252e%252e/a-%252e%252e.jar"
        );
    }

    #[test]
    fn a_url_that_becomes_too_long_is_refused() {
        let repository = format!("https://h/{}", "r".repeat(8000)).parse().unwrap();
        let all = coordinates(&format!("maven:g:a:{}", "1".repeat(200)));
        let error = join(&repository, &all.file_path(all.version())).unwrap_err();
        assert!(error.to_string().contains("at most 8192"), "{error}");
    }
}
