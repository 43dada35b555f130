//! Names to addresses, of which the forbidden ones are never seen by the client.
//!
//! In Rust all the way, because the released program is linked statically and a static C library cannot load the
//! system's own resolver. What that one would find is found here: the hosts file first, always, and only then the
//! name servers. Left out on purpose: modules of nsswitch.conf other than `files` and `dns`, which are shared objects.

mod dns;
mod hosts;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::{fmt, fs, vec};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::Mutex;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};

use self::dns::Dns;
use crate::artifact::{AddressRule, Blocked};

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// A name that gives no address to connect to.
#[derive(Clone, Debug)]
pub(super) enum Refused {
    /// All its addresses are forbidden; this is the first.
    Unreachable { addr: IpAddr, why: Blocked },
    /// It has none.
    Unknown { why: String },
}

/// On its way through the client; whoever takes it out there says it in words.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { addr, .. } => write!(f, "{addr} is blocked"),
            Self::Unknown { why } => f.write_str(why),
        }
    }
}

impl std::error::Error for Refused {}

/// Addresses for a name.
pub(super) type Names = BoxCloneSyncService<Name, vec::IntoIter<SocketAddr>, BoxError>;

/// A resolver that applies an [`AddressRule`] to every address it finds.
#[derive(Clone)]
pub(super) struct Filtered {
    address_rule: AddressRule,
    dns: Arc<Mutex<Option<Known>>>,
}

/// Name servers, and the text that named them: whatever resolv.conf says now counts.
struct Known {
    text: Option<Vec<u8>>,
    dns: Arc<Dns>,
}

impl Filtered {
    pub(super) fn new(address_rule: AddressRule) -> Self {
        Self {
            address_rule,
            dns: Arc::default(),
        }
    }

    /// The addresses of a name that may be asked: at least one.
    pub(super) async fn find(&self, name: &str) -> Result<Vec<IpAddr>, Refused> {
        let found = self
            .look_up(name)
            .await
            .map_err(|why| Refused::Unknown { why })?;
        filter(&self.address_rule, found)
    }

    /// For whoever makes connections, and puts the port in. An error is a [`Refused`].
    pub(super) fn service(self) -> Names {
        Names::new(service_fn(move |name: Name| {
            let this = self.clone();
            async move {
                let found = this.find(name.as_str()).await?;
                let sockets: Vec<_> = found.into_iter().map(|a| SocketAddr::new(a, 0)).collect();
                Ok(sockets.into_iter())
            }
        }))
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        // Whoever reads the files holds the lock meanwhile: on a disk that hangs, all look-ups together cost a runtime one
        // of its blocking threads.
        let known = Arc::clone(&self.dns).lock_owned().await;
        let (found, text, mut known) = {
            let name = name.to_owned();
            let read = tokio::task::spawn_blocking(move || {
                let found = hosts::look_up(HOSTS, &name);
                (found, fs::read(RESOLV_CONF).ok(), known)
            });
            read.await
                .map_err(|_| "the lookup was interrupted".to_owned())?
        };
        if !found.is_empty() {
            return Ok(found);
        }
        if is_localhost(name) {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let dns = match &*known {
            Some(known) if known.text == text => Arc::clone(&known.dns),
            Some(_) | None => {
                let dns = Arc::new(Dns::of(text.as_deref().unwrap_or_default())?);
                *known = Some(Known {
                    text,
                    dns: Arc::clone(&dns),
                });
                dns
            }
        };
        drop(known);
        dns.look_up(name).await
    }
}

/// The loopback's own name and all below it, of which no name server has to be asked (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn filter(address_rule: &AddressRule, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Refused> {
    let (mut allowed, mut first) = (Vec::new(), None);
    for addr in found {
        match address_rule.allows_addr(addr) {
            Ok(()) => allowed.push(addr),
            Err(why) => {
                first.get_or_insert(Refused::Unreachable { addr, why });
            }
        }
    }
    match first {
        _ if !allowed.is_empty() => Ok(allowed),
        Some(refused) => Err(refused),
        None => Err(Refused::Unknown {
            why: "it has no address".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_addresses_are_never_handed_on() {
        let addrs = |list: &[&str]| {
            list.iter()
                .map(|a| a.parse().unwrap())
                .collect::<Vec<IpAddr>>()
        };
        let bad = filter(
            &AddressRule::default(),
            addrs(&["169.254.169.254", "fe80::1"]),
        );
        assert!(matches!(bad, Err(Refused::Unreachable { .. })));
        let mixed = filter(
            &AddressRule::default(),
            addrs(&["169.254.169.254", "127.0.0.1"]),
        )
        .unwrap();
        assert_eq!(mixed, addrs(&["127.0.0.1"]));
        assert!(matches!(
            filter(&AddressRule::default(), vec![]),
            Err(Refused::Unknown { .. })
        ));
    }

    #[test]
    fn only_the_loopbacks_own_names_are_its() {
        for name in ["localhost", "LocalHost.", "a.localhost"] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.test", "alocalhost", "local"] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}
