//! From coordinates to the URL of a file, one question at a time.

use super::coordinates::Coordinates;
use super::layout::join;
use super::metadata::Metadata;
use super::version::Version;
use crate::artifact::{ArtifactUrl, Error};

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A `maven-metadata.xml` is to be fetched and fed.
    Fetch(Box<Resolution>),
    /// The file is known.
    Found(Resolved),
}

/// Which file the coordinates name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Where it is.
    pub url: ArtifactUrl,
    /// Its version, which for a snapshot is that of one build, where the repository names it.
    pub version: Version,
}

/// What the repository has at a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// This content.
    Content(&'a [u8]),
    /// Nothing: the server has said so (404), and did not merely fail.
    Missing,
}

/// A resolution that waits for what a repository says: at most twice, once for LATEST or RELEASE, and once for the
/// snapshot that LATEST or the coordinates name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    coordinates: Coordinates,
    repository: ArtifactUrl,
    question: Question,
    url: ArtifactUrl,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    Latest,
    Release,
    Snapshot(Version),
}

impl Resolution {
    /// Begins to look for a file in the repository at this URL.
    pub fn start(coordinates: Coordinates, repository: ArtifactUrl) -> Result<Step, Error> {
        match coordinates.version().as_str() {
            "LATEST" => Self::ask(coordinates, repository, Question::Latest),
            "RELEASE" => Self::ask(coordinates, repository, Question::Release),
            _ => {
                let version = coordinates.version().clone();
                Self::look_up(coordinates, repository, version)
            }
        }
    }

    /// What is to be fetched.
    pub fn url(&self) -> &ArtifactUrl {
        &self.url
    }

    /// Goes on with what the repository has there.
    pub fn feed(self, answer: Answer<'_>) -> Result<Step, Error> {
        let Self {
            coordinates,
            repository,
            question,
            url,
        } = self;
        let of_url = |e: Error| Error::new(format!("{coordinates}: {url} {e}"));
        let metadata = match answer {
            Answer::Content(bytes) => Some(Metadata::read(bytes).map_err(of_url)?),
            Answer::Missing => None,
        };
        let missing = || {
            Error::new(format!(
                "{coordinates}: {url} does not exist, and only that file says which version is meant; check the group and \
                 the artifact, or use a version instead of {}",
                coordinates.version()
            ))
        };
        match question {
            Question::Latest => {
                let version = metadata.ok_or_else(missing)?.latest().map_err(of_url)?;
                Self::look_up(coordinates, repository, version)
            }
            // Maven looks up no build for a snapshot here, as it does for LATEST.
            Question::Release => {
                let version = metadata.ok_or_else(missing)?.release().map_err(of_url)?;
                found(&coordinates, &repository, version)
            }
            Question::Snapshot(snapshot) => {
                let version = metadata
                    .map_or(Ok(snapshot.clone()), |m| {
                        m.snapshot(&snapshot, &coordinates)
                    })
                    .map_err(of_url)?;
                found(&coordinates, &repository, version)
            }
        }
    }

    fn look_up(
        coordinates: Coordinates,
        repository: ArtifactUrl,
        version: Version,
    ) -> Result<Step, Error> {
        if version.is_snapshot() {
            Self::ask(coordinates, repository, Question::Snapshot(version))
        } else {
            found(&coordinates, &repository, version)
        }
    }

    fn ask(
        coordinates: Coordinates,
        repository: ArtifactUrl,
        question: Question,
    ) -> Result<Step, Error> {
        let path = match &question {
            Question::Latest | Question::Release => coordinates.metadata_path(),
            Question::Snapshot(version) => coordinates.version_metadata_path(version),
        };
        Ok(Step::Fetch(Box::new(Self {
            url: join(&repository, &path)?,
            coordinates,
            repository,
            question,
        })))
    }
}

fn found(
    coordinates: &Coordinates,
    repository: &ArtifactUrl,
    version: Version,
) -> Result<Step, Error> {
    let url = join(repository, &coordinates.file_path(&version))?;
    Ok(Step::Found(Resolved { url, version }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "g/x/a/maven-metadata.xml";
    const ONE: &str = "g/x/a/1.0-SNAPSHOT/maven-metadata.xml";
    const BUILD: &str =
        "<snapshot><timestamp>20260131.120000</timestamp><buildNumber>3</buildNumber></snapshot>";

    /// All paths that are asked for at a repository with these files, and the version at the end.
    fn asked(version: &str, files: &[(&str, &str)]) -> Result<(Vec<String>, String), Error> {
        let repository: ArtifactUrl = "https://example.com/m2".parse().unwrap();
        let path = |url: &ArtifactUrl| {
            let path = url.canonical().strip_prefix("https://example.com/m2/");
            path.unwrap().to_owned()
        };
        let mut asked = Vec::new();
        let coordinates = format!("maven:g.x:a:{version}:war").parse().unwrap();
        let mut step = Resolution::start(coordinates, repository)?;
        loop {
            match step {
                Step::Fetch(resolution) => {
                    let wanted = path(resolution.url());
                    let file = files.iter().find(|(path, _)| *path == wanted);
                    asked.push(wanted);
                    let document = file.map(|(_, versioning)| {
                        format!("<metadata><versioning>{versioning}</versioning></metadata>")
                    });
                    let answer = document
                        .as_ref()
                        .map_or(Answer::Missing, |d| Answer::Content(d.as_bytes()));
                    step = resolution.feed(answer)?;
                }
                Step::Found(Resolved { url, version }) => {
                    asked.push(path(&url));
                    return Ok((asked, version.to_string()));
                }
            }
        }
    }

    /// Each as Maven 3.8 asks a repository with these files.
    #[test]
    fn the_questions_are_those_of_maven() {
        let literal = "g/x/a/1.0-SNAPSHOT/a-1.0-SNAPSHOT.war";
        let build = "g/x/a/1.0-SNAPSHOT/a-1.0-20260131.120000-3.war";
        let latest = (ALL, "<latest>1.0-SNAPSHOT</latest>");
        let other = "<snapshotVersions><snapshotVersion><extension>war</extension>\
                     <value>2.0-20260131.120000-1</value></snapshotVersion></snapshotVersions>";
        let both = (ALL, "<latest>3</latest><release>2</release>");
        let word = (ALL, "<latest>LATEST</latest>");
        let release = (ALL, "<release>1.0-SNAPSHOT</release>");
        let of_other = "g/x/a/2.0-SNAPSHOT/a-2.0-20260131.120000-1.war";
        for (version, files, paths) in [
            ("1.0", vec![both], vec!["g/x/a/1.0/a-1.0.war"]),
            ("1.0-20260131.120000-3", vec![], vec![build]),
            ("1.0-SNAPSHOT", vec![], vec![ONE, literal]),
            ("1.0-SNAPSHOT", vec![(ONE, "")], vec![ONE, literal]),
            ("1.0-SNAPSHOT", vec![(ONE, BUILD)], vec![ONE, build]),
            ("1.0-SNAPSHOT", vec![(ONE, other)], vec![ONE, of_other]),
            ("LATEST", vec![both], vec![ALL, "g/x/a/3/a-3.war"]),
            ("LATEST", vec![latest, (ONE, BUILD)], vec![ALL, ONE, build]),
            ("LATEST", vec![latest], vec![ALL, ONE, literal]),
            ("LATEST", vec![word], vec![ALL, "g/x/a/LATEST/a-LATEST.war"]),
            ("RELEASE", vec![both], vec![ALL, "g/x/a/2/a-2.war"]),
            ("RELEASE", vec![release, (ONE, BUILD)], vec![ALL, literal]),
            ("latest", vec![], vec!["g/x/a/latest/a-latest.war"]),
        ] {
            let (asked, found) = asked(version, &files).unwrap();
            assert_eq!(asked, paths, "{version} {files:?}");
            let file = paths.last().unwrap();
            assert!(file.ends_with(&format!("/a-{found}.war")), "{file} {found}");
        }
    }

    #[test]
    fn a_version_that_nobody_names_is_an_error_that_says_where_it_was_looked_for() {
        let list = "<versions><version>1</version></versions>";
        for (version, files, says) in [
            ("LATEST", vec![], "does not exist, and only that file says"),
            ("RELEASE", vec![], "use a version instead of RELEASE"),
            (
                "LATEST",
                vec![(ALL, list)],
                "does not say which version is LATEST",
            ),
            (
                "RELEASE",
                vec![(ALL, "<latest>1</latest>")],
                "does not say which version is RELEASE",
            ),
            ("LATEST", vec![(ALL, "<latest>../x</latest>")], "contains /"),
            (
                "1.0-SNAPSHOT",
                vec![(ONE, "<snapshot/><snapshot/>")],
                "more than one <snapshot>",
            ),
        ] {
            let text = asked(version, &files).unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
            let begins = format!("maven:g.x:a:{version}:war: https://example.com/m2/g/x/a/");
            assert!(text.starts_with(&begins), "{text}");
        }
    }
}
