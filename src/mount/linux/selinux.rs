//! Whether SELinux is on.

use std::fs;
use std::path::Path;

use super::read_table;
use crate::mount::{Error, table};

/// Looks for what SELinux shows to a process: its file system, where that is mounted, or the label of this process. A
/// container often has the second one only.
///
/// Errors: the table of mounts cannot be read.
pub(super) fn is_on() -> Result<bool, Error> {
    let label = fs::read(Path::new("/proc/thread-self/attr/current")).unwrap_or_default();
    Ok(is_mounted(&read_table()?) || is_label(&label))
}

fn is_mounted(table: &[table::Entry]) -> bool {
    table.iter().any(|entry| entry.fs_type == "selinuxfs")
}

/// `user:role:type:level`, where AppArmor has the name of a profile and its mode in brackets.
fn is_label(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    let fields: Vec<_> = text.splitn(4, |b| *b == b':').collect();
    let plain = |field: &&[u8]| {
        !field.is_empty() && field.iter().all(|b| b.is_ascii_graphic() && *b != b'(')
    };
    fields.len() == 4 && fields.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selinux_shows_by_its_file_system_or_by_a_label() {
        let table = |line: &str| is_mounted(&table::parse(line.as_bytes()));
        assert!(table(
            "37 24 0:21 / /sys/fs/selinux rw,nosuid,noexec,relatime shared:9 - selinuxfs selinuxfs rw"
        ));
        assert!(!table(
            "24 1 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw"
        ));
        for label in [
            "system_u:system_r:spc_t:s0",
            "system_u:system_r:container_t:s0:c123,c456\0",
            "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\n",
        ] {
            assert!(is_label(label.as_bytes()), "{label}");
        }
        for other in [
            "",
            "unconfined",
            "cri-containerd.apparmor.d (enforce)",
            "a:b//&:c:profile (enforce)",
            "kernel",
            ":::",
        ] {
            assert!(!is_label(other.as_bytes()), "{other}");
        }
    }
}
