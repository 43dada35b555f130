//! What a proxy means that does not connect, and what to do about it.

use std::fmt;

use crate::source::Kind;

/// Why a SOCKS proxy does not connect (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It wants a login, or another one.
    Login,
    /// A rule of its own.
    Rule,
    /// It takes no address of that kind.
    Address,
    /// It cannot get there; in its words.
    Unreachable(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login => f.write_str(
                "it requires a user and password, or other ones; set them in that variable as \
                 socks5h://USER:PASSWORD@…",
            ),
            Self::Rule => f.write_str(
                "its rules forbid it; allow it there, or add the host to NO_PROXY",
            ),
            Self::Address => f.write_str(
                "it does not support this type of address (IPv6, or a name); try socks5h instead of socks5, or vice \
                 versa",
            ),
            Self::Unreachable(why) => {
                write!(f, "{why}; check that the server is up and reachable from the proxy")
            }
        }
    }
}

impl Refusal {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Login => Kind::ProxyUnauthenticated,
            Self::Rule | Self::Address => Kind::Blocked,
            Self::Unreachable(_) => Kind::Unreachable,
        }
    }
}

/// A status of which another try may be rid.
pub(super) fn passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429) || status >= 500
}

/// A proxy that does not find the origin says nothing about the artifact, and one that sends elsewhere (a page that
/// wants a login) is not followed.
pub(super) fn kind(status: u16) -> Kind {
    match status {
        407 => Kind::ProxyUnauthenticated,
        s if passing(s) => Kind::Busy(None),
        _ => Kind::Blocked,
    }
}

pub(super) fn advice(status: u16, offers: &[String]) -> String {
    let basic = |o: &String| o.eq_ignore_ascii_case("basic");
    match status {
        407 if offers.is_empty() || offers.iter().any(basic) => {
            " (proxy authentication required); set the user and password in that variable as http://USER:PASSWORD@…, \
             or correct them"
                .to_owned()
        }
        407 => format!(
            " (proxy authentication required); it offers {}, but only Basic is supported: enable Basic, or let this \
             node through without a login",
            offers.join(", ")
        ),
        s if passing(s) => {
            "; the proxy has a problem or cannot reach the server, retrying later"
                .to_owned()
        }
        _ => "; allow it on the proxy, or add the host to NO_PROXY".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    #[test]
    fn a_proxys_status_maps_to_the_fault_that_somebody_acts_on() {
        for (status, expected) in [
            (302, Fault::Denied),
            (400, Fault::Denied),
            (403, Fault::Denied),
            (404, Fault::Denied),
            (407, Fault::Unauthenticated),
            (429, Fault::Unavailable),
            (503, Fault::Unavailable),
        ] {
            assert_eq!(kind(status).fault(), expected, "{status}");
        }
    }

    #[test]
    fn basic_is_asked_for_where_it_is_offered_and_no_other_way_is_promised() {
        let advice = |offers: &[&str]| {
            let offers: Vec<String> = offers.iter().map(|o| (*o).to_owned()).collect();
            advice(407, &offers)
        };
        for offers in [&[][..], &["basic"], &["NTLM", "Basic"]] {
            assert!(
                advice(offers).contains("http://USER:PASSWORD@"),
                "{offers:?}"
            );
        }
        assert!(advice(&["NTLM", "Digest"]).contains("it offers NTLM, Digest, but only Basic"));
    }
}
