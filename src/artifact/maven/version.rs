//! One version of a Maven artifact.

use std::fmt;
use std::str::FromStr;

use crate::artifact::{Error, shown};

/// The longest part of coordinates, in bytes: two of them and what joins them are the name of a file.
const LONGEST: usize = 253;

/// What a version ends with that names the newest build, and not one build.
const SNAPSHOT: &str = "SNAPSHOT";

/// A version, or the words `LATEST` and `RELEASE` for one that the repository names: one part of a path, and no range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names the newest build, as in `1.0-SNAPSHOT`.
    pub fn is_snapshot(&self) -> bool {
        self.0.ends_with(SNAPSHOT)
    }

    /// Whether it names one file for ever, and not the newest one at the time: neither a snapshot nor LATEST or RELEASE.
    pub fn is_fixed(&self) -> bool {
        !self.is_snapshot() && !["LATEST", "RELEASE"].contains(&self.as_str())
    }

    /// The version whose directory holds the file: `1.0-SNAPSHOT` for `1.0-20260131.120000-7`, else the version itself.
    pub fn base(&self) -> String {
        match before_build(&self.0) {
            Some(before) => format!("{before}{SNAPSHOT}"),
            None => self.0.clone(),
        }
    }

    /// The version of one build of this snapshot; `build` is its time and number.
    pub(super) fn of_build(&self, build: &str) -> Result<Self, Error> {
        let before = self.0.strip_suffix(SNAPSHOT).unwrap_or(&self.0);
        format!("{before}{build}").parse()
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.contains(['[', ']', '(', ')', ',']) {
            return Err(Error::new(format!(
                "{} is a range of versions, and which one it means changes without notice; use one version, LATEST or \
                 RELEASE",
                shown(text)
            )));
        }
        part("version", text).map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands before time and number of a build (`1.0-` of `1.0-20260131.120000-7`), where the version has them.
fn before_build(version: &str) -> Option<&str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (rest, number) = version.rsplit_once('-')?;
    let time_at = rest.rfind('-').map_or(0, |at| at + 1);
    let (before, time) = rest.split_at(time_at);
    let (day, second) = time.split_once('.')?;
    let is_build =
        digits(number) && digits(day) && day.len() == 8 && digits(second) && second.len() == 6;
    is_build.then_some(before)
}

/// One part of coordinates, which becomes one part of a path.
pub(super) fn part(what: &str, text: &str) -> Result<String, Error> {
    let why = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > LONGEST {
        format!(
            "has {} bytes, and at most {LONGEST} are allowed",
            text.len()
        )
    } else if text == "." || text == ".." {
        "names a directory".to_owned()
    } else if text.contains(['/', '\\', ':']) {
        "contains /, \\ or :".to_owned()
    } else if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        "contains white space or control characters".to_owned()
    } else {
        return Ok(text.to_owned());
    };
    Err(Error::new(format!(
        "the {what} {} {why}; use the {what} that the repository has",
        shown(text)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_part_of_a_path() {
        let longest = "1".repeat(253);
        for good in [
            "1.0", "1.0+5", "1~b", "1%20", "v#é", "...", "..a", "LATEST", &longest,
        ] {
            assert_eq!(good.parse::<Version>().unwrap().to_string(), good);
        }
        let long = "1".repeat(254);
        for (bad, says) in [
            ("", "is empty"),
            (".", "names a directory"),
            ("..", "names a directory"),
            ("../../x", "contains /"),
            ("a\\b", "contains /"),
            ("a:b", "contains /"),
            ("1 0", "white space"),
            ("1\n", "control characters"),
            ("1\0", "control characters"),
            ("[1,2)", "is a range of versions"),
            ("(,2]", "use one version, LATEST or RELEASE"),
            (&long, "at most 253"),
        ] {
            let text = bad.parse::<Version>().unwrap_err().to_string();
            assert!(text.contains(says), "{bad}: {text}");
            assert!(text.contains("use ") && text.len() < 400, "{text}");
        }
    }

    #[test]
    fn a_build_is_in_the_directory_of_its_snapshot() {
        for (version, base, is_snapshot) in [
            ("1.0", "1.0", false),
            ("1.0-SNAPSHOT", "1.0-SNAPSHOT", true),
            ("SNAPSHOT", "SNAPSHOT", true),
            ("1.0-snapshot", "1.0-snapshot", false),
            ("1.0-20260131.120000-7", "1.0-SNAPSHOT", false),
            ("1-rc-20260131.120000-12", "1-rc-SNAPSHOT", false),
            ("20260131.120000-7", "SNAPSHOT", false),
            ("1.020260131.120000-7", "1.020260131.120000-7", false),
            ("1.0-20260131.120000", "1.0-20260131.120000", false),
            ("1.0-20260131.120000-", "1.0-20260131.120000-", false),
            ("1.0-2026013.120000-7", "1.0-2026013.120000-7", false),
            ("1.0-20260131.120000-b", "1.0-20260131.120000-b", false),
        ] {
            let parsed: Version = version.parse().unwrap();
            assert_eq!(parsed.base(), base);
            assert_eq!(parsed.is_snapshot(), is_snapshot, "{version}");
        }
    }
}
