//! Names to addresses, of which the forbidden ones are never seen by the client.
//!
//! In Rust all the way, because the released program is linked statically and a static C library cannot load the
//! system's own resolver.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::OnceCell;

use crate::artifact::Reach;

/// A name that gives no address to connect to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{name} is at {addr}")]
    Unreachable { name: String, addr: IpAddr },
    #[error("{name}: {why}")]
    Unknown { name: String, why: String },
}

/// A resolver that applies a [`Reach`] to every address it finds.
pub(super) struct Filtered {
    reach: Reach,
    resolver: Arc<OnceCell<TokioResolver>>,
}

impl Filtered {
    pub(super) fn new(reach: Reach) -> Self {
        Self {
            reach,
            resolver: Arc::default(),
        }
    }
}

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, cell) = (self.reach.clone(), Arc::clone(&self.resolver));
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = look_up(&cell, &name)
                .await
                .map_err(|why| Refused::Unknown {
                    name: name.clone(),
                    why,
                })?;
            Ok(Box::new(filter(&reach, &name, found)?.into_iter()) as Addrs)
        })
    }
}

/// Reads the system's configuration at the first name: an address written as a number needs none.
async fn look_up(cell: &OnceCell<TokioResolver>, name: &str) -> Result<Vec<IpAddr>, String> {
    let resolver = cell
        .get_or_try_init(|| async {
            TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build)
        })
        .await
        .map_err(|e| format!("cannot read the system's resolver configuration: {e}"))?;
    let found = resolver.lookup_ip(name).await.map_err(|e| {
        if e.is_no_records_found() {
            "it has no address".to_owned()
        } else {
            e.to_string()
        }
    })?;
    Ok(found.iter().collect())
}

fn filter(reach: &Reach, name: &str, found: Vec<IpAddr>) -> Result<Vec<SocketAddr>, Refused> {
    let first = found.first().copied();
    let allowed: Vec<_> = found
        .into_iter()
        .filter(|addr| reach.allows_addr(*addr))
        .map(|addr| SocketAddr::new(addr, 0))
        .collect();
    match first {
        None => Err(Refused::Unknown {
            name: name.to_owned(),
            why: "it has no address".into(),
        }),
        Some(addr) if allowed.is_empty() => Err(Refused::Unreachable {
            name: name.to_owned(),
            addr,
        }),
        Some(_) => Ok(allowed),
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
            &Reach,
            "evil.example.com",
            addrs(&["169.254.169.254", "fe80::1"]),
        );
        assert!(matches!(bad, Err(Refused::Unreachable { .. })));
        let mixed = filter(
            &Reach,
            "evil.example.com",
            addrs(&["169.254.169.254", "127.0.0.1"]),
        )
        .unwrap();
        assert_eq!(mixed, ["127.0.0.1:0".parse().unwrap()]);
        assert!(matches!(
            filter(&Reach, "none.example.com", vec![]),
            Err(Refused::Unknown { .. })
        ));
    }
}
