//! The checksums that a repository has beside a file, each in a file of its own.

use crate::artifact::{
    ArtifactUrl, Digest, Error, HashFunction, Promise, Sha1, checksum_file, shown,
};

/// Where the checksums of a file are, in the order in which they are to be tried.
pub fn sidecar_urls(file: &ArtifactUrl) -> Result<Vec<(HashFunction, ArtifactUrl)>, Error> {
    let (path, query) = match file.without_query() {
        Some(path) => (path, &file.canonical()[path.len()..]),
        None => (file.canonical(), ""),
    };
    HashFunction::ALL
        .into_iter()
        .map(|function| {
            let url = format!("{path}.{}{query}", function.name());
            Ok((function, url.parse()?))
        })
        .collect()
}

/// Reads the content of a file that has one checksum: its first line that is not blank.
///
/// That is the digits alone, with a name behind them as of `sha1sum`, or one of the forms `SHA1(name)= digits` and
/// `SHA1 (name) = digits`, of OpenSSL and BSD. The name of the file is not looked at; that of the hash function is.
pub fn sidecar(function: HashFunction, bytes: &[u8]) -> Result<Promise, Error> {
    read(function, bytes).map_err(|why| {
        Error::new(format!(
            "{why}; it must begin with the {} hexadecimal digits of {function}, as sha256sum and its kin write them",
            function.digits()
        ))
    })
}

fn read(function: HashFunction, bytes: &[u8]) -> Result<Promise, String> {
    if [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"]
        .iter()
        .any(|mark| bytes.starts_with(mark))
    {
        return Err(
            "begins with a byte order mark (BOM), as some editors and PowerShell write it"
                .to_owned(),
        );
    }
    // A name behind the digits may have any encoding.
    let text = String::from_utf8_lossy(bytes);
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .ok_or("is empty")?;
    if line.starts_with('<') {
        return Err("is a page of HTML or XML, not a checksum".to_owned());
    }
    let (name, digits) = parts(line);
    if let Some(name) = name
        && HashFunction::named(name) != Some(function)
    {
        return Err(format!("has a checksum of another kind, {}", shown(name)));
    }
    let bytes = hex::decode(digits).map_err(|_| format!("begins with {}", shown(line)))?;
    let of_length = |_| {
        let mut all = HashFunction::ALL.into_iter();
        let other = all.find(|other| other.digits() == digits.len());
        let kind = other.map_or(String::new(), |other| format!(", as {other} has"));
        format!("has {} digits{kind}", digits.len())
    };
    match function {
        HashFunction::Sha512 => bytes.try_into().map(|b| Digest::sha512(b).into()),
        HashFunction::Sha256 => bytes.try_into().map(|b| Digest::sha256(b).into()),
        HashFunction::Sha1 => bytes.try_into().map(|b| Promise::Sha1(Sha1::of(b))),
    }
    .map_err(of_length)
}

/// The name of the algorithm, where the line has it, and the digits.
fn parts(line: &str) -> (Option<&str>, &str) {
    let first = line.split_whitespace().next().unwrap_or_default();
    // A backslash in front says that the name is escaped.
    let digits = first.strip_prefix('\\').unwrap_or(first);
    match checksum_file::bsd(line) {
        Some((function, _, digits)) if !first.bytes().all(|b| b.is_ascii_hexdigit()) => {
            (Some(function), digits)
        }
        _ => (None, digits),
    }
}

#[cfg(test)]
mod tests {
    use super::HashFunction::{Sha1, Sha256, Sha512};
    use super::*;

    #[test]
    fn the_strongest_checksum_is_tried_first_and_md5_never() {
        for (file, urls) in [
            (
                "https://h/a.war",
                [
                    "https://h/a.war.sha512",
                    "https://h/a.war.sha256",
                    "https://h/a.war.sha1",
                ],
            ),
            (
                "https://h/a?b/c",
                [
                    "https://h/a.sha512?b/c",
                    "https://h/a.sha256?b/c",
                    "https://h/a.sha1?b/c",
                ],
            ),
        ] {
            let tried = sidecar_urls(&file.parse().unwrap()).unwrap();
            let text: Vec<&str> = tried.iter().map(|(_, url)| url.canonical()).collect();
            assert_eq!(text, urls);
            assert_eq!(
                tried.into_iter().map(|(a, _)| a).collect::<Vec<_>>(),
                [Sha512, Sha256, Sha1]
            );
        }
    }

    #[test]
    fn checksums_are_read_in_the_forms_that_tools_write() {
        let (short, middle, long) = ("ab".repeat(20), "ab".repeat(32), "ab".repeat(64));
        let upper = short.to_uppercase();
        for (algorithm, text) in [
            (Sha1, short.clone()),
            (Sha1, format!("{short}\n")),
            (Sha1, format!("{short}\r\n")),
            (Sha1, format!("{short}  a.war\n")),
            (Sha1, format!("{short} *a.war\r\n")),
            (Sha1, format!("{short} a= ab")),
            (Sha1, format!("{short}\t-\n")),
            (Sha1, format!("\\{short}  n\\nl\n")),
            (Sha1, format!("SHA1(a.war)= {short}\n")),
            (Sha1, format!("SHA1 (a (1) = b) = {short}\n")),
            (Sha1, format!("sha1(a)= {upper}\r\n")),
            (Sha1, upper),
            (Sha1, format!("\r\n \n  {short}")),
            (Sha1, format!("{short} and whatever\nelse")),
            (Sha256, middle.clone()),
            (Sha256, format!("SHA256(a.war)= {middle}")),
            (Sha256, format!("SHA2-256(a.war)= {middle}")),
            (Sha512, format!("{long}  -")),
            (Sha512, format!("SHA512 (a) = {long}")),
            (Sha512, format!("SHA2-512(a)= {long}\n")),
        ] {
            let read = sidecar(algorithm, text.as_bytes());
            let read = read.unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(read.function(), algorithm);
            let digits = "ab".repeat(algorithm.digits() / 2);
            assert_eq!(read.to_string(), format!("{}:{digits}", algorithm.name()));
        }
        let latin = [short.as_bytes(), b"  caf\xe9.war"].concat();
        assert!(sidecar(Sha1, &latin).is_ok());
    }

    #[test]
    fn what_is_no_checksum_says_what_it_is() {
        let (short, middle) = ("ab".repeat(20), "ab".repeat(32));
        for (algorithm, text, says) in [
            (Sha1, String::new(), "is empty; it must begin"),
            (Sha1, " \r\n\n".to_owned(), "is empty"),
            (Sha1, "<!DOCTYPE html><html>".to_owned(), "a page of HTML"),
            (Sha1, format!("\u{feff}{short}"), "byte order mark"),
            (Sha1, format!("a.war: {short}"), "begins with \"a.war: "),
            (Sha1, format!("sha1:{short}"), "begins with \"sha1:"),
            (
                Sha1,
                "ab".repeat(16),
                "has 32 digits; it must begin with the 40",
            ),
            (Sha1, "ab".repeat(16), "SHA-1 (weak: it can be forged)"),
            (Sha1, short[1..].to_owned(), "begins with"),
            (Sha1, middle.clone(), "has 64 digits, as SHA-256 has"),
            (Sha256, short.clone(), "has 40 digits, as SHA-1 (weak"),
            (Sha256, "not found".to_owned(), "begins with \"not found\""),
            (
                Sha256,
                format!("SHA3-256(a)= {middle}"),
                "another kind, \"SHA3-256\"",
            ),
            (Sha1, format!("MD5 (a) = {short}"), "another kind, \"MD5\""),
            (
                Sha512,
                format!("SHA256 (a) = {middle}"),
                "another kind, \"SHA256\"",
            ),
            (Sha256, format!("SHA256 (a) = {short}"), "has 40 digits"),
            (Sha256, "x".repeat(1 << 20), "begins with"),
        ] {
            let text = sidecar(algorithm, text.as_bytes()).unwrap_err().to_string();
            assert!(text.contains(says), "{says}: {text}");
            assert!(text.len() < 400, "{text}");
        }
        let utf16 = sidecar(Sha1, b"\xff\xfea\0b\0").unwrap_err().to_string();
        assert!(utf16.contains("byte order mark"), "{utf16}");
    }
}
