//! Which addresses a connection may be made to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::preset::Preset;
use crate::artifact::{AddressRule, shown};

/// The services of clouds that hand out credentials, beside those that [`AddressRule`] knows: link-local addresses,
/// and that of EC2 over IPv6. Nothing else is ever at these.
const METADATA: [IpNet; 5] = [
    v4([100, 100, 100, 200], 32), // Alibaba Cloud, inside of the addresses of carriers
    v4([168, 63, 129, 16], 32),   // Azure's WireServer
    v4([192, 0, 0, 192], 32),     // Oracle Cloud Infrastructure, classic
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128), // Scaleway
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), // Google Cloud
];

/// The addresses of link-local networks, which [`AddressRule`] refuses.
const LINK_LOCAL: [IpNet; 2] = [
    v4([169, 254, 0, 0], 16),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
];

/// What `internal` and `listed` refuse, and the words for it. Private networks (RFC 1918, fc00::/7, 100.64.0.0/10) are
/// not in it, because that is where artifact servers are.
const OWN_OR_MANY: [(IpNet, &str); 7] = [
    (v4([0, 0, 0, 0], 8), "an address of this host"), // RFC 791; a connection to 0.0.0.0 is one to 127.0.0.1
    (v4([127, 0, 0, 0], 8), "a loopback address"),
    (v4([224, 0, 0, 0], 4), "a multicast address"),
    (v4([255, 255, 255, 255], 32), "a broadcast address"),
    (v6([0; 8], 128), "an address of this host"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
];

const fn v4(a: [u8; 4], prefix: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a[0], a[1], a[2], a[3])), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> IpNet {
    let addr = Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    IpNet::new_assert(IpAddr::V6(addr), prefix)
}

/// The addresses of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) preset: Preset,
    /// Allowed although the preset refuses them.
    pub(super) allowed: Vec<IpNet>,
    /// Refused, also those that are allowed.
    pub(super) denied: Vec<IpNet>,
    /// The addresses of nodes and of the API server.
    pub(super) own: Arc<[IpAddr]>,
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    /// No configuration lifts that.
    Always,
    /// The rule denies this network.
    Denied(IpNet),
    /// The preset refuses it; what it is.
    Preset(&'static str),
}

impl Addresses {
    /// Whether a connection may be made to an address, in whatever form it is written.
    pub(super) fn check(&self, addr: IpAddr) -> Result<(), Blocked> {
        if is_metadata(addr) {
            return Err(Blocked::Always);
        }
        let within = |nets: &[IpNet]| {
            let found = nets.iter().find(|net| contains(net, addr));
            found.copied()
        };
        if let Some(net) = within(&self.denied) {
            return Err(Blocked::Denied(net));
        }
        if within(&self.allowed).is_some() {
            return Ok(());
        }
        match self.preset {
            Preset::Open => Ok(()),
            Preset::Internal | Preset::Listed => {
                let found = OWN_OR_MANY.iter().find(|(net, _)| contains(net, addr));
                if let Some((_, what)) = found {
                    return Err(Blocked::Preset(what));
                }
                let meant = meaning(addr);
                match self.own.iter().any(|own| meaning(*own) == meant) {
                    true => Err(Blocked::Preset("an address of a node or of the API server")),
                    false => Ok(()),
                }
            }
        }
    }
}

/// Whether an address is one that no configuration allows.
fn is_metadata(addr: IpAddr) -> bool {
    AddressRule::default().allows_addr(addr).is_err()
        || METADATA.iter().any(|net| contains(net, addr))
}

/// Whether a network has an address, where either of them may be written as the other family's.
fn contains(net: &IpNet, addr: IpAddr) -> bool {
    let meant = meaning(addr);
    let mapped = match meant {
        IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
        IpAddr::V6(_) => meant,
    };
    [addr, meant, mapped].iter().any(|form| net.contains(form))
}

/// The address that a connection ends at: the one inside of a mapped (::ffff:a.b.c.d), compatible (::a.b.c.d) or NAT64
/// (64:ff9b::a.b.c.d) one.
fn meaning(addr: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = addr else { return addr };
    let s = v6.segments();
    let is_embedded = match s[..6] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => true,
        // :: and ::1 are no compatible addresses.
        [0, 0, 0, 0, 0, 0] => s[6] != 0,
        _ => false,
    };
    let [.., a, b, c, d] = v6.octets();
    match is_embedded {
        true => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        false => addr,
    }
}

/// Reads a network, or a single address.
pub(super) fn net(text: &str) -> Result<IpNet, String> {
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Ok(addr.into());
    }
    let net: IpNet = text.parse().map_err(|_| {
        format!(
            "{} is not a network; use CIDR notation, such as 10.0.0.0/8, or an address",
            shown(text)
        )
    })?;
    if net.trunc() != net {
        return Err(format!(
            "{net} has bits behind its prefix; did you mean {} or {}?",
            net.trunc(),
            net.addr()
        ));
    }
    Ok(net)
}

/// The same, for a network that is to be allowed: one that never can be is a mistake.
pub(super) fn allowed_net(text: &str) -> Result<IpNet, String> {
    let net = net(text)?;
    let never = LINK_LOCAL.iter().chain(&METADATA);
    let is_never = never.clone().any(|never| never.contains(&net));
    if is_never || (is_metadata(net.addr()) && net.prefix_len() == net.max_prefix_len()) {
        return Err(format!(
            "{net} has link-local addresses or cloud metadata alone, which no policy can allow; remove it"
        ));
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(preset: Preset, allowed: &[&str], denied: &[&str]) -> Addresses {
        let nets = |texts: &[&str]| texts.iter().map(|t| net(t).unwrap()).collect();
        let own = ["10.0.0.10", "192.0.2.1", "2001:db8::1"].map(|a| a.parse().unwrap());
        Addresses {
            preset,
            allowed: nets(allowed),
            denied: nets(denied),
            own: Arc::new(own),
        }
    }

    fn check(of: &Addresses, addr: &str) -> Result<(), Blocked> {
        of.check(addr.parse().unwrap())
    }

    const NEVER: [&str; 16] = [
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::169.254.169.254",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fd00:42::42",
        "100.100.100.200",
        "::ffff:100.100.100.200",
        "64:ff9b::100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    ];

    #[test]
    fn metadata_is_refused_whatever_is_allowed() {
        for (_, preset) in Preset::WORDS {
            let all = addresses(preset, &["0.0.0.0/0", "::/0"], &[]);
            for addr in NEVER {
                assert_eq!(check(&all, addr), Err(Blocked::Always), "{addr}");
            }
        }
    }

    #[test]
    fn internal_and_listed_refuse_what_is_their_own_or_many() {
        for (addr, what) in [
            ("0.0.0.0", "this host"),
            ("0.255.255.255", "this host"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("::", "this host"),
            ("::1", "loopback"),
            ("ff02::1", "multicast"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:0.0.0.0", "this host"),
            ("::127.0.0.1", "loopback"),
            ("64:ff9b::127.0.0.1", "loopback"),
            ("64:ff9b::e000:1", "multicast"),
            ("10.0.0.10", "node or of the API server"),
            ("::ffff:10.0.0.10", "node or of the API server"),
            ("64:ff9b::a00:a", "node or of the API server"),
            ("2001:db8::1", "node or of the API server"),
        ] {
            for preset in [Preset::Internal, Preset::Listed] {
                match check(&addresses(preset, &[], &[]), addr) {
                    Err(Blocked::Preset(said)) => assert!(said.contains(what), "{addr}: {said}"),
                    other => panic!("{addr}: {other:?}"),
                }
            }
            assert_eq!(
                check(&addresses(Preset::Open, &[], &[]), addr),
                Ok(()),
                "{addr}"
            );
        }
    }

    #[test]
    fn private_and_public_networks_are_allowed_in_every_preset() {
        for (_, preset) in Preset::WORDS {
            for addr in [
                "1.1.1.1",
                "10.0.0.1",
                "10.255.255.255",
                "172.16.0.1",
                "192.168.1.1",
                "100.64.0.1",
                "100.127.255.255",
                "126.255.255.255",
                "128.0.0.0",
                "223.255.255.255",
                "240.0.0.1",
                "169.253.255.255",
                "169.255.0.0",
                "fc00::1",
                "fd00::1",
                "fdff::1",
                "fec0::1",
                "2001:db8::2",
                "64:ff9b::10.0.0.1",
                "::ffff:10.0.0.1",
            ] {
                assert_eq!(check(&addresses(preset, &[], &[]), addr), Ok(()), "{addr}");
            }
        }
    }

    #[test]
    fn a_rule_allows_what_the_preset_refuses_and_denies_what_it_allows() {
        let of = addresses(
            Preset::Internal,
            &["127.0.0.0/8", "10.0.0.0/24", "::ffff:192.0.2.0/120"],
            &["10.0.0.128/25", "::ffff:10.2.0.0/112", "127.0.0.2"],
        );
        for addr in [
            "127.0.0.1",
            "::ffff:127.0.0.1",
            "10.0.0.10",
            "192.0.2.1",
            "10.1.0.1",
        ] {
            assert_eq!(check(&of, addr), Ok(()), "{addr}");
        }
        for addr in [
            "10.0.0.128",
            "64:ff9b::a00:80",
            "10.2.0.1",
            "::ffff:10.2.0.1",
            "127.0.0.2",
        ] {
            assert!(
                matches!(check(&of, addr), Err(Blocked::Denied(_))),
                "{addr}"
            );
        }
        // The IPv4 networks say nothing about IPv6's loopback.
        let zero = addresses(Preset::Internal, &["0.0.0.0/0"], &[]);
        assert!(check(&zero, "::1").is_err());
        let open = addresses(Preset::Open, &[], &["0.0.0.0/0", "::/0"]);
        assert!(matches!(check(&open, "10.0.0.1"), Err(Blocked::Denied(_))));
    }

    #[test]
    fn rejected_networks_say_what_to_write() {
        for (bad, says) in [
            ("", "is not a network"),
            ("10.0.0.0/33", "CIDR"),
            ("10.0.0", "CIDR"),
            ("example.com", "CIDR"),
            ("10.1.2.3/8", "did you mean 10.0.0.0/8 or 10.1.2.3?"),
            ("169.254.0.0/16", "no policy can allow"),
            ("169.254.169.254", "no policy can allow"),
            ("::ffff:169.254.169.254", "no policy can allow"),
            ("fe80::/64", "no policy can allow"),
            ("fd00:ec2::254", "no policy can allow"),
            ("100.100.100.200/32", "no policy can allow"),
        ] {
            let why = allowed_net(bad).unwrap_err();
            assert!(why.contains(says), "{bad}: {why}");
        }
        assert_eq!(net("169.254.0.0/16").unwrap().prefix_len(), 16);
        assert_eq!(allowed_net("10.0.0.1").unwrap().prefix_len(), 32);
    }
}
