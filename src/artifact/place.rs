//! Where in a volume an artifact goes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Error, shown};

/// The longest name of a file, in bytes: NAME_MAX of every file system that Kubernetes runs on.
const LONGEST_NAME: usize = 255;

/// The longest path below a volume's root, in bytes, and the most directories in it: far below PATH_MAX, so that
/// no path of the store with this one in it is ever too long.
const LONGEST_PATH: usize = 1024;
const DEEPEST: usize = 16;

/// The name of one file: not empty, not `.` or `..`, no `/`, NUL or control character, at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName(String);

impl FileName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        component(text)
            .map_err(|why| {
                Error::new(format!(
                    "{}: {why}; use a single file name of at most {LONGEST_NAME} bytes, without / or control \
                     characters",
                    shown(text)
                ))
            })
            .map(Self)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn component(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        Err("empty")
    } else if text == "." || text == ".." {
        Err("not a file name")
    } else if text.contains('/') {
        Err("contains a /")
    } else if text.contains(char::is_control) {
        Err("contains a control character")
    } else if text.len() > LONGEST_NAME {
        Err("too long")
    } else {
        Ok(text.to_owned())
    }
}

/// A file's place below the root of a volume: directories, and the file's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VolumePath {
    directories: Vec<String>,
    name: FileName,
}

impl VolumePath {
    /// The place of a file in the directory `path` (relative, `/` between names; empty for the root).
    pub fn new(path: &str, name: FileName) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::new(format!(
                "{}: {why}; use a relative path of at most {DEEPEST} directories and {LONGEST_PATH} bytes, without .. \
                 or control characters",
                shown(path)
            ))
        };
        if path.len() > LONGEST_PATH {
            return Err(wrong("too long"));
        }
        if path.starts_with('/') {
            return Err(wrong("absolute"));
        }
        let directories = path
            .trim_end_matches('/')
            .split('/')
            .filter(|_| !path.is_empty())
            .map(|c| component(c).map_err(wrong))
            .collect::<Result<Vec<_>, _>>()?;
        if directories.len() > DEEPEST {
            return Err(wrong("too deep"));
        }
        Ok(Self { directories, name })
    }

    /// The directories from the volume's root down, without the file itself.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.directories.iter().map(String::as_str)
    }

    /// The file's name.
    pub fn name(&self) -> &FileName {
        &self.name
    }

    /// The relative path of the file.
    pub fn to_path(&self) -> PathBuf {
        self.directories().chain([self.name.as_str()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_their_directory_are_refused() {
        let long = "n".repeat(256);
        let huge = "n".repeat(1 << 20);
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "/a",
            "a\0b",
            "a\nb",
            "\u{7f}",
            long.as_str(),
            huge.as_str(),
        ] {
            let text = bad.parse::<FileName>().unwrap_err().to_string();
            assert!(text.contains("use a single file name"), "{text}");
            assert!(text.len() < 300);
        }
        for good in [
            "ROOT.war",
            "ROOT##2.war",
            "...",
            "a b",
            "é",
            &"n".repeat(255),
        ] {
            assert_eq!(good.parse::<FileName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn paths_that_leave_the_volume_are_refused() {
        let name: FileName = "a.war".parse().unwrap();
        let deep = "d/".repeat(17);
        let long = "d".repeat(2000);
        for bad in [
            "/",
            "/etc",
            "..",
            "a/../b",
            "a//b",
            "./a",
            "a/\0",
            "//",
            deep.as_str(),
            long.as_str(),
        ] {
            let text = VolumePath::new(bad, name.clone()).unwrap_err().to_string();
            assert!(text.contains("use a relative path"), "{bad}: {text}");
        }
        let place = VolumePath::new("a/b/", name.clone()).unwrap();
        assert_eq!(place.to_path(), PathBuf::from("a/b/a.war"));
        assert_eq!(
            VolumePath::new("", name).unwrap().to_path(),
            PathBuf::from("a.war")
        );
    }
}
