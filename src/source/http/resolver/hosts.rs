//! The hosts file (hosts(5)), read anew for every name: it is short, and whoever edits it expects to be heard.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::Path;

/// The addresses that the file has for a name, in its order: of all its lines, as glibc has it with `multi on` in
/// host.conf(5), which distributions ship. A file that cannot be read has none.
pub(super) fn look_up(path: impl AsRef<Path>, name: &str) -> Vec<IpAddr> {
    File::open(path).map_or_else(|_| Vec::new(), |file| find(BufReader::new(file), name))
}

fn find(file: impl BufRead, name: &str) -> Vec<IpAddr> {
    let wanted = without_dot(name);
    let mut found = Vec::new();
    for line in file.split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start_matches('\u{feff}');
        let entry = text.split_once('#').map_or(text, |(entry, _)| entry);
        let mut words = entry.split_whitespace();
        let Some(addr) = words.next().and_then(address) else {
            continue;
        };
        if words.any(|word| without_dot(word).eq_ignore_ascii_case(wanted))
            && !found.contains(&addr)
        {
            found.push(addr);
        }
    }
    found
}

/// The zone of an address is nothing that a URL could name.
fn address(word: &str) -> Option<IpAddr> {
    word.split_once('%')
        .map_or(word, |(addr, _)| addr)
        .parse()
        .ok()
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_addresses_of_all_its_lines() {
        let file = "\u{feff}127.0.0.1 localhost\r\n\
                    # 10.0.0.9 a.test\n\
                    \t10.0.0.1\ta.test  alias # b.test\n\
                    fd00::1 A.TEST\n\
                    10.0.0.1 a.test\n\
                    nonsense c.test\n\
                    10.0.0.300 c.test\n\
                    10.0.0.2\n\
                    fe80::1%eth0 d.test\n\
                    10.0.0.3 last.test";
        let of = |name: &str| -> Vec<String> {
            let found = find(file.as_bytes(), name);
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(of("a.test"), ["10.0.0.1", "fd00::1"]);
        assert_eq!(of("Alias."), ["10.0.0.1"]);
        assert_eq!(of("localhost"), ["127.0.0.1"]);
        assert_eq!(of("d.test"), ["fe80::1"]);
        assert_eq!(of("last.test"), ["10.0.0.3"]);
        for name in ["b.test", "c.test", "test", "x.a.test", ""] {
            assert!(of(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_has_no_name() {
        assert!(look_up("/nowhere/hosts", "localhost").is_empty());
    }
}
