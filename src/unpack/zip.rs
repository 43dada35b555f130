//! Whether a file is a zip archive (APPNOTE.TXT 6.3.10): its end and its central directory, and no entry's bytes.
//!
//! That is what Tomcat, Jetty and Liberty stumble over: given a login page that came with status 200 they take the
//! running application down and have nothing to put in its place.

use std::fs::File;
use std::io;
use std::path::Path;

use rawzip::{ErrorKind, ZipArchive};

/// Holds the longest header of an entry: its fixed part, and name, extra fields and comment of 64 KiB each.
const BUFFER: usize = 256 << 10;

/// The shortest local header of an entry (§4.3.7).
const LOCAL_HEADER: u64 = 30;

/// What a file is called that must be a zip: what application servers deploy, and what says so itself.
const NAMES: [&str; 5] = ["war", "jar", "ear", "rar", "zip"];

/// Why a file is no zip archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(io::Error),
    /// It ends in another way.
    #[error("it has no end record, so it is something else or was cut off")]
    NoEnd,
    /// There is nothing in it.
    #[error("it has no entries")]
    Empty,
    /// Its directory is broken.
    #[error("its central directory is damaged ({0})")]
    Directory(String),
}

/// Whether a file of this name is to be a zip.
pub fn is_named_so(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    extension.is_some_and(|e| NAMES.iter().any(|name| e.eq_ignore_ascii_case(name)))
}

/// Reads the end of a file and its central directory.
pub fn check(file: File) -> Result<(), Error> {
    let mut buffer = vec![0; BUFFER];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(|e| broken(&e))?;
    let (start, announced) = (archive.directory_offset(), archive.entries_hint());
    let mut count = 0_u64;
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry().map_err(|e| broken(&e))? {
        count += 1;
        let (at, size) = (entry.local_header_offset(), entry.compressed_size_hint());
        let entry = entry.wayfinder();
        let ends = at
            .checked_add(LOCAL_HEADER)
            .and_then(|at| at.checked_add(size));
        // A directory that lies elsewhere than its end record says is found all the same: so where it points to is looked at.
        if ends.is_none_or(|ends| ends > start) || archive.get_entry(entry).is_err() {
            return Err(Error::Directory(format!(
                "entry {count} is not where it should be"
            )));
        }
    }
    match count {
        0 => Err(Error::Empty),
        // Without ZIP64 more than 65,535 entries are counted modulo 65,536 by some programs.
        _ if count & 0xffff != announced & 0xffff => Err(Error::Directory(format!(
            "{announced} entries are announced, and {count} are there"
        ))),
        _ => Ok(()),
    }
}

fn broken(error: &rawzip::Error) -> Error {
    if let ErrorKind::IO(e) = error.kind() {
        return Error::Io(io::Error::new(e.kind(), e.to_string()));
    }
    if matches!(error.kind(), ErrorKind::MissingEndOfCentralDirectory) {
        return Error::NoEnd;
    }
    Error::Directory(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        for name in names {
            let (mut entry, config) = archive.new_file(name).start().unwrap();
            let mut writer = config.wrap(&mut entry);
            writer.write_all(b"content").unwrap();
            let (_, descriptor) = writer.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        bytes
    }

    fn checked(bytes: &[u8]) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let mut file = tempfile::tempfile_in(dir.path()).unwrap();
        file.write_all(bytes).unwrap();
        check(file).map_err(|e| e.to_string())
    }

    #[test]
    fn an_archive_is_one_and_anything_else_is_not() {
        let good = archive(&["WEB-INF/web.xml", "index.jsp"]);
        checked(&good).unwrap();
        // With something in front, as a program that unpacks itself has.
        checked(&[b"#!/bin/sh\nexec java -jar \"$0\"\n", good.as_slice()].concat()).unwrap();
        let page = b"<html><title>Sign in</title></html>".repeat(10_000);
        for (bytes, says) in [
            (&b""[..], "no end record"),
            (&page, "no end record"),
            (&good[..good.len() - 30], "no end record"),
            (&archive(&[]), "no entries"),
            (
                &[&good[..20], &good[30..]].concat(),
                "its central directory is damaged",
            ),
        ] {
            let why = checked(bytes).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }

    #[test]
    fn an_archive_is_known_by_its_name() {
        for name in ["ROOT.war", "a.JAR", "ROOT##00000001.war", "x.zip"] {
            assert!(is_named_so(name), "{name}");
        }
        for name in ["model.bin", "war", "a.war.sha256", "a.tar.gz", ""] {
            assert!(!is_named_so(name), "{name}");
        }
    }
}
