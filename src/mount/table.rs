//! The kernel's table of mounts, `/proc/thread-self/mountinfo` (proc_pid_mountinfo(5)).
//!
//! A line that is not of that form is passed over: the table also holds what others mounted, under names of
//! their choice, and one odd line must not hide the rest.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One line of the table, with its escapes undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The mount's id, as statx gives it without STATX_MNT_ID_UNIQUE.
    pub(super) id: u64,
    /// Which directory of its file system it shows.
    pub(super) root: PathBuf,
    /// Where, as seen from this process's root.
    pub(super) target: PathBuf,
    /// The options of this mount alone, such as `ro` and `nosuid`.
    pub(super) options: Vec<Vec<u8>>,
    /// Whether mounts below it appear elsewhere too.
    pub(super) shared: bool,
    pub(super) fs_type: OsString,
    pub(super) source: OsString,
}

impl Entry {
    /// Whether the mount itself, not its superblock, has an option.
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|o| o == option.as_bytes())
    }
}

/// Reads the whole table.
pub(super) fn parse(table: &[u8]) -> Vec<Entry> {
    table.split(|b| *b == b'\n').filter_map(entry).collect()
}

fn entry(line: &[u8]) -> Option<Entry> {
    let mut fields = line.split(|b| *b == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let _parent = fields.next()?;
    let _device = fields.next()?;
    let root = decoded(fields.next()?);
    let target = decoded(fields.next()?);
    let options = fields.next()?.split(|b| *b == b',').map(<[u8]>::to_vec);
    let options = options.collect();
    let mut shared = false;
    loop {
        // Zero or more optional fields, then a lone hyphen.
        match fields.next()? {
            b"-" => break,
            field => shared |= field.starts_with(b"shared:"),
        }
    }
    let fs_type = decoded(fields.next()?);
    let source = decoded(fields.next()?);
    Some(Entry {
        id,
        root: root.into(),
        target: target.into(),
        options,
        shared,
        fs_type,
        source,
    })
}

/// Undoes the kernel's escapes: a backslash and three octal digits. Any other backslash stands for itself.
fn decoded(field: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        match (first, octal(after)) {
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = &after[3..];
            }
            (byte, _) => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    OsString::from_vec(out)
}

/// The byte that three octal digits in front stand for.
fn octal(text: &[u8]) -> Option<u8> {
    let digits = text.get(..3)?;
    let value = digits.iter().try_fold(0_u32, |value, digit| {
        let digit = char::from(*digit).to_digit(8)?;
        Some(value * 8 + digit)
    })?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What seq_path(…, " \t\n\\") and its like do.
    fn encoded(text: &[u8]) -> Vec<u8> {
        text.iter()
            .flat_map(|b| match b {
                b' ' | b'\t' | b'\n' | b'\\' | b'#' => format!("\\{b:03o}").into_bytes(),
                other => vec![*other],
            })
            .collect()
    }

    #[test]
    fn a_table_is_read_with_all_its_forms() {
        let table = br"21 98 0:20 / /sys rw,nosuid,nodev shared:7 - sysfs sysfs rw
99 1 254:0 /v1/volumes/ab/c /pods/a\040b\134/m ro,nosuid,nodev,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
7 1 0:55 / /t rw,nosuid,nodev - overlay war-vol:ab ro,lowerdir=/a:/b
8 1 0:4 mnt:[4026532] /run/ns rw - nsfs nsfs rw
";
        let all = parse(table);
        assert_eq!(all.len(), 4);
        assert!(all[0].shared && !all[0].has("ro") && all[0].has("nodev"));
        assert_eq!(all[1].target, PathBuf::from("/pods/a b\\/m"));
        assert!(all[1].shared && all[1].has("ro"));
        assert_eq!(all[2].source, "war-vol:ab");
        assert!(!all[2].shared && !all[2].has("ro"));
        assert_eq!(all[3].root, PathBuf::from("mnt:[4026532]"));
    }

    #[test]
    fn a_line_that_is_not_one_hides_no_other() {
        let table = b"nonsense\n\n1 2 3\n1 2 0:1 / /t rw shared:1\n-1 2 0:1 / /t rw - a b rw\n5 1 0:1 / /good rw - tmpfs x rw";
        let all = parse(table);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].target, PathBuf::from("/good"));
    }

    proptest! {
        #[test]
        fn no_table_is_too_odd_to_read(table: Vec<u8>) {
            parse(&table);
        }

        #[test]
        fn no_line_is_too_odd_to_read(fields in prop::collection::vec("[-0-7\\\\a:/, \n]{0,9}", 0..14)) {
            parse(fields.join(" ").as_bytes());
        }

        #[test]
        fn what_the_kernel_escapes_is_read_back(name in prop::collection::vec(1_u8.., 1..40)) {
            let mut line = b"5 1 0:1 / ".to_vec();
            line.extend(encoded(&name));
            line.extend(b" rw - tmpfs x rw\n");
            let all = parse(&line);
            prop_assert_eq!(all.len(), 1);
            prop_assert_eq!(all[0].target.as_os_str().to_owned(), OsString::from_vec(name));
        }
    }
}
