//! Numbers of bytes, as people write and read them.

use std::fmt;

use super::{Error, shown};

/// Parses a size: a whole or decimal number of bytes with an optional suffix, as Kubernetes writes quantities
/// (`500M`, `2Gi`) and as people do (`1.5 GiB`, `10MB`). Powers of 1,024 carry an `i`.
pub fn parse_size(text: &str) -> Result<u64, Error> {
    let wrong = || {
        Error::new(format!(
            "{}: not a size; use a number of bytes above 0 with an optional suffix, such as 500M, 2Gi or 1.5GiB",
            shown(text)
        ))
    };
    let short = text
        .strip_suffix('i')
        .filter(|head| head.ends_with(|c: char| c.is_ascii_alphabetic()));
    let full = short.map_or_else(|| text.to_owned(), |head| format!("{head}iB"));
    let size = full
        .parse::<bytesize::ByteSize>()
        .map_err(|_| wrong())?
        .as_u64();
    if size == 0 || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(wrong());
    }
    Ok(size)
}

/// A number of bytes as it is shown: `230.0 MiB`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", bytesize::ByteSize::b(self.0).display().iec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_of_kubernetes_and_of_people() {
        for (text, bytes) in [
            ("1", 1),
            ("512", 512),
            ("500M", 500_000_000),
            ("500MB", 500_000_000),
            ("2Gi", 2 << 30),
            ("2GiB", 2 << 30),
            ("1.5 GiB", 3 << 29),
            ("10k", 10_000),
            ("64Ki", 65_536),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        let long = "9".repeat(1 << 20);
        for text in [
            "",
            " ",
            "0",
            "-1",
            "M",
            "1X",
            "1e400",
            "Gi",
            "i",
            "nan",
            "inf",
            long.as_str(),
        ] {
            if text == long {
                // A number beyond u64 saturates or fails; it must not panic, and never wraps to something small.
                assert!(parse_size(text).is_err() || parse_size(text) == Ok(u64::MAX));
                continue;
            }
            assert!(parse_size(text).is_err(), "{text} → {:?}", parse_size(text));
        }
    }

    #[test]
    fn sizes_are_shown_with_binary_suffixes() {
        assert_eq!(Bytes(230 << 20).to_string(), "230.0 MiB");
        assert_eq!(Bytes(12).to_string(), "12 B");
    }
}
