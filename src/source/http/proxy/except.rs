//! Which hosts are asked past the proxy.
//!
//! `NO_PROXY` as curl reads it (7.86 and later, lib/noproxy.c): names with all that is below them, addresses and
//! networks, with commas or blanks between them. IPv6 networks count as its manual says, although curl 7.88 never matches
//! one (findings/curl-noproxy-ipv6-networks.sh). Beyond that what other programs have taught people to write: `*`
//! in a list, `*.example.com`, `HOST:PORT` and addresses in brackets, each of which curl passes over.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// The hosts.
#[derive(Debug, Default)]
pub(super) struct Except(Vec<Entry>);

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    whom: Whom,
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Whom {
    All,
    /// This name and all below it, in small letters, without a dot at either end.
    Domain(String),
    /// The addresses that have so many bits in common with this one.
    Network(IpNet),
}

impl Except {
    /// The hosts of a list, and which of its entries, counted from 1, name none.
    pub(super) fn parse(list: &str) -> (Self, Vec<usize>) {
        let (mut entries, mut idle) = (Vec::new(), Vec::new());
        let tokens = list
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|t| !t.is_empty());
        for (index, token) in tokens.enumerate() {
            match Entry::parse(token) {
                Some(entry) => entries.push(entry),
                None => idle.push(index + 1),
            }
        }
        (Self(entries), idle)
    }

    /// Whether this URL is asked past the proxy.
    pub(super) fn covers(&self, url: &Url) -> bool {
        let (Some(host), port) = (url.host(), url.port_or_known_default()) else {
            return false;
        };
        self.0
            .iter()
            .any(|e| e.port.is_none_or(|p| Some(p) == port) && e.whom.covers(&host))
    }
}

impl fmt::Display for Except {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, entry) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match &entry.whom {
                Whom::All => f.write_str("*")?,
                Whom::Domain(name) => f.write_str(name)?,
                Whom::Network(net) => write!(f, "{net}")?,
            }
            if let Some(port) = entry.port {
                write!(f, ":{port}")?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn parse(token: &str) -> Option<Self> {
        if let Some(whom) = Whom::address(token) {
            return Some(Self { whom, port: None });
        }
        // What is left with a colon in it has a port.
        let (name, port) = match token.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (token, None),
        };
        let whom = match Whom::address(name) {
            Some(address) => address,
            None => Whom::name(name)?,
        };
        Some(Self { whom, port })
    }
}

impl Whom {
    /// An address, with or without brackets, or a network.
    fn address(token: &str) -> Option<Self> {
        let (address, bits) = match token.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (token, None),
        };
        let bare = address
            .strip_prefix('[')
            .and_then(|a| a.strip_suffix(']'))
            .unwrap_or(address);
        let address: IpAddr = bare.parse().ok()?;
        let net = bits.map_or(Ok(address.into()), |bits| IpNet::new(address, bits));
        net.ok().map(Self::Network)
    }

    fn name(token: &str) -> Option<Self> {
        if token == "*" {
            return Some(Self::All);
        }
        let name = token.strip_prefix("*.").unwrap_or(token);
        let name = name.strip_prefix('.').unwrap_or(name);
        let name = name.strip_suffix('.').unwrap_or(name);
        match Host::parse(name) {
            // A name that is all digits is an address to a URL's parser, and was none to ours.
            Ok(Host::Domain(name)) if !name.contains('*') => Some(Self::Domain(name)),
            Ok(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => None,
        }
    }

    fn covers(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Domain(domain), Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name.strip_suffix(domain.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(net), Host::Ipv4(address)) => net.contains(&IpAddr::V4(*address)),
            (Self::Network(net), Host::Ipv6(address)) => net.contains(&IpAddr::V6(*address)),
            (Self::Domain(_), Host::Ipv4(_) | Host::Ipv6(_))
            | (Self::Network(_), Host::Domain(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(list: &str, host: &str) -> bool {
        Except::parse(list)
            .0
            .covers(&Url::parse(&format!("http://{host}/a")).unwrap())
    }

    #[test]
    fn every_form_of_an_entry_covers_what_it_should_and_nothing_else() {
        for (list, hosts, others) in [
            ("*", &["a.test", "10.0.0.1", "[::1]"][..], &[][..]),
            ("other.test,*", &["a.test", "10.0.0.1"], &[]),
            (
                "a.test",
                &["a.test", "A.TEST", "a.test.", "b.a.test", "a.test:8080"],
                &["xa.test", "a.test.x"],
            ),
            (".a.test", &["a.test", "b.a.test"], &["xa.test"]),
            ("*.a.test", &["a.test", "b.a.test"], &["xa.test"]),
            ("a.test.", &["a.test"], &["b.test"]),
            (
                "a.test:8080",
                &["a.test:8080", "b.a.test:8080"],
                &["a.test"],
            ),
            ("a.test:80", &["a.test"], &["a.test:8080"]),
            (
                "10.0.0.1",
                &["10.0.0.1", "10.0.0.1:1", "012.0.0.1"],
                &["10.0.0.2"],
            ),
            ("10.0.0.1:80", &["10.0.0.1"], &["10.0.0.1:81"]),
            ("10.0.0.0/8", &["10.255.0.1"], &["11.0.0.1", "a.test"]),
            ("10.0.0.0/31", &["10.0.0.1"], &["10.0.0.2"]),
            ("0.0.0.0/0", &["10.0.0.1"], &["[::1]"]),
            ("::1", &["[::1]", "[::1]:80"], &["[::2]"]),
            ("[::1]", &["[::1]"], &["[::2]", "127.0.0.1"]),
            ("[::1]:8080", &["[::1]:8080"], &["[::1]"]),
            ("fd00::/8", &["[fd01::1]"], &["[fe00::1]"]),
            ("[fd00::]/8", &["[fd01::1]"], &["[fe00::1]"]),
            (
                "a.test  b.test\t,\n c.test,,",
                &["a.test", "b.test", "c.test"],
                &["d.test"],
            ),
            ("b\u{fc}cher.test", &["xn--bcher-kva.test"], &["bcher.test"]),
        ] {
            for host in hosts {
                assert!(covered(list, host), "{list} {host}");
            }
            for host in others {
                assert!(!covered(list, host), "{list} {host}");
            }
        }
    }

    #[test]
    fn an_entry_that_names_no_host_is_told_by_its_number() {
        let (except, idle) =
            Except::parse("a.test, http://b.test, 10.0.0.0/33, c.*.test, d.test:x, 10.1");
        assert_eq!(idle, [2, 3, 4, 5, 6]);
        assert_eq!(except.to_string(), "a.test");
    }
}
