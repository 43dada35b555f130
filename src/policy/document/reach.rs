//! What a granted request may reach.

use std::net::IpAddr;

use serde_json::{Value, json};
use url::{Host, Url};

use super::addresses::{Addresses, Blocked};
use super::preset::Preset;
use super::refusal::{Cited, Refusal, Why, redacted};
use super::url_pattern::{Fit, UrlPattern};
use crate::artifact::AddressRule;

/// The URLs and addresses that a request may reach: for each redirect the same as for the first request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub(super) cited: Cited,
    /// Where there are none, any URL.
    pub(super) urls: Option<Vec<UrlPattern>>,
    pub(super) plain_http: bool,
    pub(super) addresses: Addresses,
}

impl Reach {
    /// Whether a URL may be asked, as far as the URL alone tells: its scheme, host, port and path, and its address where the
    /// host is one.
    pub fn allows_url(&self, url: &Url) -> Result<(), Refusal> {
        if AddressRule::default().allows_url(url).is_err() {
            let place = url.host_str().unwrap_or_default().to_owned();
            return Err(self.refusal(Why::Always { place }));
        }
        if !self.plain_http && url.scheme() == "http" {
            let url = redacted(url);
            return Err(self.refusal(Why::PlainHttp { url }));
        }
        self.allows_place(url)?;
        match url.host() {
            Some(Host::Ipv4(addr)) => self.allows_addr(addr.into()),
            Some(Host::Ipv6(addr)) => self.allows_addr(addr.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    fn allows_place(&self, url: &Url) -> Result<(), Refusal> {
        let refused = |why: fn(String) -> Why| Err(self.refusal(why(redacted(url))));
        let Some(urls) = &self.urls else {
            return match self.addresses.preset {
                Preset::Internal | Preset::Open => Ok(()),
                Preset::Listed => refused(|url| Why::NoUrls { url }),
            };
        };
        match urls.iter().map(|pattern| pattern.fit(url)).max() {
            Some(Fit::Yes) => Ok(()),
            Some(Fit::Ambiguous) => refused(|url| Why::Ambiguous { url }),
            Some(Fit::No) | None => refused(|url| Why::NotListed { url }),
        }
    }

    /// Whether a connection to this address is allowed: to be asked of the one that it is really made to.
    pub fn allows_addr(&self, addr: IpAddr) -> Result<(), Refusal> {
        let why = match self.addresses.check(addr) {
            Ok(()) => return Ok(()),
            Err(Blocked::Always) => Why::Always {
                place: addr.to_string(),
            },
            Err(Blocked::Denied(net)) => Why::DeniedNetwork { addr, net },
            Err(Blocked::Preset(what)) => Why::PresetAddress { addr, what },
        };
        Err(self.refusal(why))
    }

    /// What tells it from others, as far as the policy says: neither the rule's name and place, nor which addresses the
    /// nodes happen to have.
    pub(super) fn identity(&self) -> Value {
        let sorted = |texts: Vec<String>| {
            let mut texts = texts;
            texts.sort();
            texts.dedup();
            texts
        };
        let of = &self.addresses;
        let nets = |nets: &[ipnet::IpNet]| sorted(nets.iter().map(ToString::to_string).collect());
        let urls = self.urls.as_ref();
        json!([
            of.preset.name(),
            urls.map(|urls| sorted(urls.iter().map(ToString::to_string).collect())),
            self.plain_http,
            nets(&of.allowed),
            nets(&of.denied),
        ])
    }

    pub(super) fn refusal(&self, why: Why) -> Refusal {
        Refusal {
            cited: self.cited.clone(),
            why,
        }
    }
}
