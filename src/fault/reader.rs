//! Who reads a message, and what a setting is called for them.
//!
//! A volume's settings are attributes, those of a command are flags. An error holds a [`Setting`], and only whoever
//! shows the error to somebody says whom it is for: one failed download may have a pod and a command that wait for it.

use std::cell::Cell;
use std::fmt;

use super::line;

/// Who reads a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Whoever wrote the YAML of a volume. Logs are written for them, too.
    Volume,
    /// Whoever typed `war-vol mount`.
    Mount,
    /// The same, where a driver does it, with settings of its own.
    MountByDriver,
    /// Whoever typed `war-vol fetch`.
    Fetch,
}

thread_local! {
    /// Set only while [`Reader::line`] runs, which neither waits nor calls anything but `Display`.
    static READER: Cell<Reader> = const { Cell::new(Reader::Volume) };
}

impl Reader {
    /// An error as one line for this reader, see [`line()`].
    pub fn line(self, error: &dyn fmt::Display) -> String {
        struct Back(Reader);
        impl Drop for Back {
            fn drop(&mut self) {
                READER.set(self.0);
            }
        }
        let _back = Back(READER.replace(self));
        line(error)
    }
}

/// Something that can be set in a volume's attributes and by a flag. `Display` gives the name that the reader types,
/// and `{:#}` the same as the subject of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// What is downloaded.
    Url,
    /// The Maven repository that it is looked up in.
    Repository,
    /// What it must hash to.
    Checksum,
    /// What the file is called.
    FileName,
    /// In which directory of the volume it lies.
    Path,
    /// When the origin is asked.
    PullPolicy,
    /// How large it may be.
    MaxSize,
    /// How it is shown.
    Layout,
    /// Whether a claim's volume may be written to.
    Writable,
    /// How often the origin is asked while the volume is shown.
    Refresh,
    /// How long from one change of the content to the next.
    Settle,
    /// Over which time the pods of one volume change.
    Spread,
    /// How long a file stays whose name is no longer wanted.
    Drain,
    /// After which time a pod that is not Ready gets back what it had.
    Rollback,
}

impl Setting {
    /// The name of its attribute.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Url => "downloadURL",
            Self::Repository => "repository",
            Self::Checksum => "checksum",
            Self::FileName => "fileName",
            Self::Path => "path",
            Self::PullPolicy => "pullPolicy",
            Self::MaxSize => "maxSize",
            Self::Layout => "layout",
            Self::Writable => "writable",
            Self::Refresh => "refresh",
            Self::Settle => "settle",
            Self::Spread => "spread",
            Self::Drain => "drain",
            Self::Rollback => "rollback",
        }
    }

    /// What is typed for it; a command has no flag for what only pods and claims need.
    const fn flag(self, reader: Reader) -> &'static str {
        match self {
            Self::Url => "URL",
            Self::Repository => "--repository",
            Self::Checksum => "--checksum",
            Self::FileName => match reader {
                Reader::Fetch => "-o FILE",
                Reader::Mount | Reader::MountByDriver | Reader::Volume => "--file-name",
            },
            Self::Path => "--path",
            Self::PullPolicy => "--pull-policy",
            Self::MaxSize => "--max-size",
            Self::Layout => "--layout",
            Self::Writable
            | Self::Refresh
            | Self::Settle
            | Self::Spread
            | Self::Drain
            | Self::Rollback => self.attribute(),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (READER.get(), f.alternate()) {
            (Reader::Volume, true) => write!(f, "the attribute {}", self.attribute()),
            (Reader::Volume, false) => f.write_str(self.attribute()),
            (reader @ (Reader::Mount | Reader::MountByDriver | Reader::Fetch), _) => {
                f.write_str(self.flag(reader))
            }
        }
    }
}

/// Where credentials are given: the way that the reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials;

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match READER.get() {
            Reader::Volume => "in a Secret",
            Reader::Mount | Reader::MountByDriver | Reader::Fetch => {
                "with --credentials FILE, or in WAR_VOL_TOKEN"
            }
        })
    }
}

/// A flag of whoever does the work: a driver, or the command itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub &'static str);

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match READER.get() {
            Reader::Volume | Reader::MountByDriver => write!(f, "the driver's {}", self.0),
            Reader::Mount | Reader::Fetch => f.write_str(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_called_as_its_reader_types_it() {
        struct Says(Setting);
        impl fmt::Display for Says {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#}: give {}, {}", self.0, self.0, Credentials)
            }
        }
        let says = Says(Setting::FileName);
        for (reader, words) in [
            (
                Reader::Volume,
                "the attribute fileName: give fileName, in a Secret",
            ),
            (
                Reader::Mount,
                "--file-name: give --file-name, with --credentials FILE, or in WAR_VOL_TOKEN",
            ),
            (
                Reader::Fetch,
                "-o FILE: give -o FILE, with --credentials FILE, or in WAR_VOL_TOKEN",
            ),
        ] {
            assert_eq!(reader.line(&says), words);
            assert_eq!(
                line(&says),
                Reader::Volume.line(&says),
                "it is not left behind"
            );
        }
    }
}
