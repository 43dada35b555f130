//! Which addresses may be asked.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ::url::{Host, Url};

/// What a policy lets a request reach.
pub trait Reach: fmt::Debug + Send + Sync {
    /// What tells it from others; see [`AddressRule::identity`].
    fn identity(&self) -> Vec<u8>;

    /// Whether a URL may be asked, as far as the URL alone tells. The error is a whole sentence.
    fn allows_url(&self, url: &Url) -> Result<(), String>;

    /// Whether a connection to an address is allowed. The error is a whole sentence.
    fn allows_addr(&self, addr: IpAddr) -> Result<(), String>;
}

/// The compiled rule of the hosts and addresses that a request may reach.
///
/// A value of the words layer: policy makes it, a permit carries it, the source applies it to every hop's URL and to every
/// address that a name resolves to. One rule no configuration can lift: link-local addresses (169.254.0.0/16, RFC 3927,
/// and fe80::/10, RFC 4291) are never asked, because the metadata services of the clouds live there and hand out
/// credentials. The default has no other.
#[derive(Clone, Debug, Default)]
pub struct AddressRule(Option<Arc<dyn Reach>>);

/// Why something may not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// It is a link-local or metadata address, or has its name.
    Always,
    /// The policy does not allow it, for this reason: a whole sentence.
    ByPolicy(String),
}

impl AddressRule {
    /// That of a policy.
    pub fn of(reach: Arc<dyn Reach>) -> Self {
        Self(Some(reach))
    }

    /// What tells it from others, for names in the store: downloads that may reach different hosts are different ones.
    /// Never another for the same rule, or broken downloads are not found after an upgrade.
    pub fn identity(&self) -> Vec<u8> {
        match &self.0 {
            None => b"Reach".to_vec(),
            Some(reach) => reach.identity(),
        }
    }

    /// Whether a connection to this address is allowed.
    pub fn allows_addr(&self, addr: IpAddr) -> Result<(), Blocked> {
        if is_always_blocked(addr) {
            return Err(Blocked::Always);
        }
        match &self.0 {
            None => Ok(()),
            Some(reach) => reach.allows_addr(addr).map_err(Blocked::ByPolicy),
        }
    }

    /// Whether a URL may be asked, as far as the URL alone tells: an HTTP client never asks its resolver about an
    /// address that is written as a number, in whatever notation, so numbers are judged here.
    pub fn allows_url(&self, url: &Url) -> Result<(), Blocked> {
        let is_blocked = match url.host() {
            Some(Host::Ipv4(v4)) => is_always_blocked(v4.into()),
            Some(Host::Ipv6(v6)) => is_always_blocked(v6.into()),
            Some(Host::Domain(name)) => name
                .trim_end_matches('.')
                .eq_ignore_ascii_case("metadata.google.internal"),
            None => true,
        };
        match &self.0 {
            _ if is_blocked => Err(Blocked::Always),
            None => Ok(()),
            Some(reach) => reach.allows_url(url).map_err(Blocked::ByPolicy),
        }
    }
}

fn is_always_blocked(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => v4.is_link_local(),
            None => v6.is_unicast_link_local() || v6 == AWS_METADATA_V6,
        },
    }
}

/// The metadata service of EC2 over IPv6, a unique-local address that serves nothing else.
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// The IPv4 address inside a mapped (::ffff:a.b.c.d), compatible (::a.b.c.d) or NAT64 (64:ff9b::a.b.c.d) one.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let nat64 = || {
        let s = v6.segments();
        let low = (u32::from(s[6]) << 16) | u32::from(s[7]);
        (s[..6] == [0x64, 0xff9b, 0, 0, 0, 0]).then(|| Ipv4Addr::from(low))
    };
    v6.to_ipv4().or_else(nat64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_is_refused_in_every_notation() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "[::ffff:169.254.169.254]",
            "[::169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "metadata.google.internal",
            "METADATA.google.internal.",
        ] {
            let url = Url::parse(&format!("http://{host}/latest/meta-data")).unwrap();
            let judged = AddressRule::default().allows_url(&url);
            assert_eq!(judged, Err(Blocked::Always), "{host}");
        }
    }

    #[test]
    fn without_a_policy_everything_else_is_reachable() {
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "example.com",
            "169.253.1.1",
            "[fd00::1]",
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(AddressRule::default().allows_url(&url), Ok(()), "{host}");
        }
    }
}
