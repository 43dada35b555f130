//! Files that list what artifacts hash to, as the usual programs write them: `sha256sum` and its kin, with names or without,
//! BSD's `sha256` and `cksum`, `openssl dgst` of versions 1 and 3, `gpg --print-md`.
//!
//! Only SHA-256 and SHA-512 are taken; lines of other algorithms are passed over, because one file may have several.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::digest::{Algorithm, Digest};
use super::shown;

/// The longest one that is read, in bytes: some list everything that a project has ever published.
pub const LONGEST: u64 = 4 << 20;

/// How many names a message lists.
const MOST_NAMES: usize = 3;

/// One line.
struct Entry<'a> {
    digest: Digest,
    /// Nothing where the digits stand alone.
    name: Option<Cow<'a, str>>,
}

/// Looks for what an artifact hashes to. `is_its_own`: the file is called after the artifact, as `sample.war.sha256` is,
/// and what it lists alone is meant, whatever that was called when it was built.
///
/// Errors: why there is nothing to be found, to be said after the file's URL.
pub fn find(file: &[u8], artifact: &str, is_its_own: bool) -> Result<Digest, String> {
    let text = text(file)?;
    let entries: Vec<_> = text.lines().filter_map(entry).collect();
    let entries = match printed_by_gpg(text) {
        Some(entry) if entries.is_empty() => vec![entry],
        _ => entries,
    };
    if entries.is_empty() {
        return Err(format!("lists no SHA-256 and no SHA-512{}", other(text)));
    }
    let exact = |e: &&Entry<'_>| e.name.as_deref() == Some(artifact);
    let last = |e: &&Entry<'_>| e.name.as_deref().map(last_part) == Some(artifact);
    let bare = |e: &&Entry<'_>| e.name.is_none();
    let any = |_: &&Entry<'_>| is_its_own && kinds(&entries).all(|count| count <= 1);
    let ways: [&dyn Fn(&&Entry<'_>) -> bool; 4] = [&exact, &last, &bare, &any];
    for fits in ways {
        let fitting: Vec<_> = entries.iter().filter(fits).collect();
        if !fitting.is_empty() {
            return one(&fitting, artifact);
        }
    }
    let names: BTreeSet<_> = entries.iter().filter_map(|e| e.name.as_deref()).collect();
    let first: Vec<_> = names.iter().take(MOST_NAMES).map(|n| shown(n)).collect();
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(format!(
        "does not list {}, only {}{more}",
        shown(artifact),
        first.join(", ")
    ))
}

/// How many entries there are of each algorithm.
fn kinds<'a>(entries: &'a [Entry<'_>]) -> impl Iterator<Item = usize> + 'a {
    [Algorithm::Sha256, Algorithm::Sha512]
        .into_iter()
        .map(|algorithm| {
            let of = |e: &&Entry<'_>| e.digest.algorithm() == algorithm;
            entries.iter().filter(of).count()
        })
}

/// SHA-256 where there are both: it is computed anyhow.
fn one(entries: &[&Entry<'_>], artifact: &str) -> Result<Digest, String> {
    let of = |algorithm| {
        let digests = entries.iter().map(|e| &e.digest);
        digests
            .filter(|d| d.algorithm() == algorithm)
            .collect::<BTreeSet<_>>()
    };
    let sha256 = of(Algorithm::Sha256);
    let digests = match sha256.is_empty() {
        true => of(Algorithm::Sha512),
        false => sha256,
    };
    match (digests.first(), digests.len()) {
        (Some(digest), 1) => Ok((*digest).clone()),
        (_, count) => Err(format!(
            "lists {count} different checksums for {}",
            shown(artifact)
        )),
    }
}

/// The text without a byte order mark.
fn text(file: &[u8]) -> Result<&str, String> {
    if file.starts_with(b"\xff\xfe") || file.starts_with(b"\xfe\xff") {
        return Err("is written in UTF-16; write it in UTF-8".to_owned());
    }
    let text = std::str::from_utf8(file).map_err(|_| "is no text in UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.starts_with('<') {
        return Err("is HTML or XML, perhaps a login page, and lists no checksums".to_owned());
    }
    Ok(text)
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    tagged(line).or_else(|| gnu(line))
}

/// `SHA256 (name) = digits`, and without the blanks as openssl writes it: the function, the name and the digits.
pub(super) fn bsd(line: &str) -> Option<(&str, &str, &str)> {
    let (head, digits) = line.rsplit_once('=')?;
    let (function, name) = head.trim_end().strip_suffix(')')?.split_once('(')?;
    Some((function.trim(), name, digits.trim()))
}

/// A line of that kind.
fn tagged(line: &str) -> Option<Entry<'_>> {
    let (function, name, digits) = bsd(line)?;
    Some(Entry {
        digest: digest(Algorithm::named(function)?, digits)?,
        name: Some(name.into()),
    })
}

/// `digits  name`, `digits *name`, or the digits alone.
fn gnu(line: &str) -> Option<Entry<'_>> {
    let (is_escaped, line) = match line.strip_prefix('\\') {
        Some(line) => (true, line),
        None => (false, line),
    };
    let (digits, name) = match line.split_once([' ', '\t']) {
        Some((digits, name)) => (digits, Some(name.trim_start())),
        None => (line, None),
    };
    let (algorithm, digits) = match digits.split_once(':') {
        Some((algorithm, digits)) => (Algorithm::named(algorithm)?, digits),
        None => (by_length(digits)?, digits),
    };
    let name = name.map(|name| name.strip_prefix('*').unwrap_or(name));
    Some(Entry {
        digest: digest(algorithm, digits)?,
        name: name.map(|name| match is_escaped {
            true => unescaped(name).into(),
            false => name.into(),
        }),
    })
}

/// `name: DIGITS DIGITS …`, over several lines.
fn printed_by_gpg(text: &str) -> Option<Entry<'_>> {
    let (name, groups) = text.split_once(':')?;
    let digits: String = groups.split_whitespace().collect();
    Some(Entry {
        digest: digest(by_length(&digits)?, &digits)?,
        name: Some(name.into()),
    })
}

fn by_length(digits: &str) -> Option<Algorithm> {
    match digits.len() {
        64 => Some(Algorithm::Sha256),
        128 => Some(Algorithm::Sha512),
        _ => None,
    }
}

fn digest(algorithm: Algorithm, digits: &str) -> Option<Digest> {
    format!("{}:{digits}", algorithm.name()).parse().ok()
}

/// GNU writes a line feed, a carriage return and a backslash in a name so.
fn unescaped(name: &str) -> String {
    let mut chars = name.chars();
    let mut all = String::new();
    while let Some(c) = chars.next() {
        all.push(match (c, c == '\\') {
            (_, false) => c,
            (_, true) => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
        });
    }
    all
}

fn last_part(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// What is there instead, where that is known.
fn other(text: &str) -> &'static str {
    let first = text.split_whitespace().next().unwrap_or_default();
    let is_hex = !first.is_empty() && first.bytes().all(|b| b.is_ascii_hexdigit());
    match (is_hex, first.len()) {
        (true, 40) => " (it has a SHA-1, which can be forged)",
        (true, 32) => " (it has an MD5, which can be forged)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<String, String> {
        find(text.as_bytes(), "sample.war", false).map(|d| d.to_string())
    }

    #[test]
    fn what_the_usual_programs_write_is_read() {
        let (short, long) = ("ab".repeat(32), "cd".repeat(64));
        let upper = short.to_uppercase();
        let groups: Vec<_> = upper.as_bytes().chunks(8).collect();
        let groups = groups.iter().map(|g| std::str::from_utf8(g).unwrap());
        let gpg = format!("sample.war: {}", groups.collect::<Vec<_>>().join(" \n   "));
        let (sha256, sha512) = (format!("sha256:{short}"), format!("sha512:{long}"));
        for (text, expected) in [
            (format!("{short}  sample.war\n"), &sha256),
            (format!("{short} *sample.war\r\n"), &sha256),
            (format!("{upper}\tsample.war"), &sha256),
            (format!("{short} sample.war"), &sha256),
            (format!("{long}  ./dist/sample.war"), &sha512),
            (format!("{long}  dist\\sample.war"), &sha512),
            (format!("SHA256 (sample.war) = {short}"), &sha256),
            (format!("SHA512(sample.war)= {long}"), &sha512),
            (format!("SHA2-256(sample.war)= {short}"), &sha256),
            (format!("sha256:{short}"), &sha256),
            (format!("\u{feff}\n\n  {short}\n"), &sha256),
            (long.clone(), &sha512),
            (gpg, &sha256),
            // Of several, whatever they are, the one that fits.
            (
                format!(
                    "# all of them\n{}  other.war\n\nMD5 (sample.war) = 00\n{short}  sample.war",
                    "0".repeat(64)
                ),
                &sha256,
            ),
            (
                format!("{}  old/sample.war\n{short}  sample.war", "0".repeat(64)),
                &sha256,
            ),
            (format!("{long}  sample.war\n{short}  sample.war"), &sha256),
            (
                format!("{short}  sample.war\n{short}  ./sample.war"),
                &sha256,
            ),
        ] {
            assert_eq!(found(&text).as_ref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn names_with_odd_characters_are_escaped_as_gnu_does() {
        let line = format!("\\{}  a\\nb\\\\c", "ab".repeat(32));
        assert!(find(line.as_bytes(), "a\nb\\c", false).is_ok());
        assert!(find(line.as_bytes(), "a\\nb\\\\c", false).is_err());
    }

    #[test]
    fn what_lists_one_artifact_is_meant_for_the_one_that_it_is_called_after() {
        let line = format!("{}  build-17.war", "ab".repeat(32));
        assert!(find(line.as_bytes(), "sample.war", true).is_ok());
        let both = format!("{line}\n{}  build-17.war", "cd".repeat(64));
        assert!(find(both.as_bytes(), "sample.war", true).is_ok());
        let two = format!("{line}\n{}  build-18.war", "cd".repeat(32));
        for (text, is_its_own) in [(&line, false), (&two, true)] {
            let why = find(text.as_bytes(), "sample.war", is_its_own).unwrap_err();
            assert!(
                why.contains("does not list \"sample.war\", only \"build-17.war\""),
                "{why}"
            );
        }
    }

    #[test]
    fn what_is_no_list_says_what_it_is() {
        let line = format!("{}  sample.war\n", "ab".repeat(32));
        let other = format!("{line}{}  sample.war", "cd".repeat(32));
        let utf16: Vec<u8> = "\u{feff}ab"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (bytes, says) in [
            (&b""[..], "is empty"),
            (b" \r\n", "is empty"),
            (b"<!DOCTYPE html><title>Sign in</title>", "is HTML or XML"),
            (b"\xff\x00", "no text"),
            (&utf16, "UTF-16"),
            (b"hello", "lists no SHA-256"),
            ("ab".repeat(20).as_bytes(), "SHA-1, which can be forged"),
            (format!("{}  sample.war", "ab".repeat(16)).as_bytes(), "MD5"),
            (
                other.as_bytes(),
                "lists 2 different checksums for \"sample.war\"",
            ),
            ("ab".repeat(33).as_bytes(), "lists no SHA-256"),
        ] {
            let why = find(bytes, "sample.war", true).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
        let many: String = (0..9)
            .map(|n| format!("{}  {n}.war\n", "ab".repeat(32)))
            .collect();
        let why = find(many.as_bytes(), "sample.war", false).unwrap_err();
        assert!(
            why.ends_with("only \"0.war\", \"1.war\", \"2.war\" and 6 more"),
            "{why}"
        );
    }
}
