//! How much lies in a volume's own layer.
//!
//! Pods made it, so it is counted within bounds: so many entries, so many directories open at a time, and no link
//! followed. What is beyond them is not counted.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, FileType, Mode, openat, statat};
use rustix::io::Errno;

use super::VolumeDir;
use super::error::{Error, IoContext};
use super::trash::{DIRECTORY, each};

/// Most entries that are looked at.
const ENTRIES: usize = 10_000;

/// Most directories that wait to be looked into; each is an open file.
const WAITING: usize = 64;

impl VolumeDir {
    /// Bytes on disk of what was written to the volume, or of the first ten thousand files of it. Takes milliseconds.
    pub fn layer_size(&self) -> Result<u64, Error> {
        let upper = self.upper();
        let top = match openat(CWD, &upper, DIRECTORY, Mode::empty()) {
            // There is none where nothing can be written.
            Err(Errno::NOENT) => return Ok(0),
            top => top.at("open", &upper)?,
        };
        let mut waiting = VecDeque::from([top]);
        let (mut bytes, mut seen) = (0_u64, 0_usize);
        while let Some(dir) = waiting.pop_front()
            && seen < ENTRIES
        {
            count(&dir, &mut waiting, (&mut bytes, &mut seen)).at("count", &upper)?;
        }
        Ok(bytes)
    }
}

fn count(
    dir: &OwnedFd,
    waiting: &mut VecDeque<OwnedFd>,
    (bytes, seen): (&mut u64, &mut usize),
) -> rustix::io::Result<()> {
    each(dir, |name| {
        *seen += 1;
        if *seen > ENTRIES {
            return;
        }
        // What goes meanwhile counts for nothing.
        let Ok(stat) = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
            return;
        };
        // Whiteouts and sockets have no blocks; files with several links have theirs in this layer all the same.
        *bytes += u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            && waiting.len() < WAITING
            && let Ok(inside) = openat(dir, name, DIRECTORY, Mode::empty())
        {
            waiting.push_back(inside);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn layer(dir: &Path) -> u64 {
        VolumeDir {
            path: dir.to_owned(),
        }
        .layer_size()
        .unwrap()
    }

    #[test]
    fn what_was_written_counts_and_links_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), vec![1; 10 << 20]).unwrap();
        let upper = dir.path().join("u");
        fs::create_dir_all(upper.join("a/b")).unwrap();
        let empty = layer(dir.path());
        fs::write(upper.join("a/b/file"), vec![1; 1 << 20]).unwrap();
        std::os::unix::fs::symlink(outside.path(), upper.join("a/link")).unwrap();
        let full = layer(dir.path());
        assert!(
            (1 << 20..2 << 20).contains(&(full - empty)),
            "{empty} {full}"
        );
    }

    #[test]
    fn a_layer_without_end_is_counted_within_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let upper = dir.path().join("u");
        for i in 0..120 {
            fs::create_dir_all(upper.join(format!("{i}/deep"))).unwrap();
            for j in 0..100 {
                fs::write(upper.join(format!("{i}/deep/{j}")), "x").unwrap();
            }
        }
        let all = 12_000 * 4096;
        assert!((1..all).contains(&layer(dir.path())));
    }
}
