//! Connections: to an origin, or to a proxy and through it to an origin.
//!
//! Owns who is connected, and who is named where that fails. A client that does this by itself hides which of the two
//! answered, and with what. Every address is judged by the [`AddressRule`], a proxy's too; behind a proxy that resolves names
//! itself only the URL is.

mod socks;
mod stream;
mod trouble;
mod tunnel;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_socks::TargetAddr;
use tower_service::Service;
use url::{Host, Url};

use self::stream::{Connection, Stream};
pub(super) use self::trouble::{Trouble, Who};
use super::cause::{self, find};
use super::proxy::{Kind, Proxies, Proxy};
use super::resolver::{Filtered, Refused};
use super::tls::{Seen, Trust};
use crate::artifact::AddressRule;

/// How long the way to an origin may be silent before the system asks whether it is still there, and how long it then
/// may owe an answer.
const KEEPALIVE: Duration = Duration::from_secs(15);
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Makes the connections of one client.
#[derive(Clone)]
pub(super) struct Connector(Arc<Inner>);

struct Inner {
    tcp: HttpConnector<Filtered>,
    names: Filtered,
    address_rule: AddressRule,
    proxies: Arc<Proxies>,
    trust: Arc<Trust>,
    to_origins: Arc<ClientConfig>,
    connect_timeout: Duration,
}

/// One connection that is being made, and when it has to be there.
struct Way<'a> {
    inner: &'a Inner,
    deadline: Instant,
}

impl Connector {
    /// `to_origins` is who we are to an origin, and whom we believe; `connect_timeout` is how long a connection may take, from
    /// the name to the end of the handshakes.
    pub(super) fn new(
        address_rule: AddressRule,
        proxies: Arc<Proxies>,
        (trust, to_origins): (Arc<Trust>, Arc<ClientConfig>),
        connect_timeout: Duration,
    ) -> Self {
        let names = Filtered::new(address_rule.clone());
        let mut tcp = HttpConnector::new_with_resolver(names.clone());
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(3));
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Self(Arc::new(Inner {
            tcp,
            names,
            address_rule,
            proxies,
            trust,
            to_origins,
            connect_timeout,
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, Trouble>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let way = Way {
                deadline: Instant::now() + inner.connect_timeout,
                inner: &inner,
            };
            match Url::parse(&to.to_string()) {
                Ok(url) => way.to(&url).await,
                Err(_) => Err(Trouble::connect(&Who::Origin, "its URL has no host")),
            }
        })
    }
}

impl Way<'_> {
    async fn to(&self, url: &Url) -> Result<Connection, Trouble> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let stream: Stream = match self.inner.proxies.of(url) {
            None => Box::new(self.tcp(&Who::Origin, host, port).await?),
            Some(proxy) => match proxy.kind() {
                Kind::Http | Kind::Https => {
                    let to_proxy = self.to_proxy(proxy).await?;
                    if url.scheme() == "http" {
                        return Ok(Connection::new(to_proxy, true));
                    }
                    self.tunnel(proxy, to_proxy, host, port).await?
                }
                Kind::Socks5 => Box::new(self.socks_by_address(proxy, url, port).await?),
                Kind::Socks5h => {
                    let target = match url.host() {
                        Some(Host::Domain(name)) => TargetAddr::Domain(name.into(), port),
                        Some(Host::Ipv4(v4)) => TargetAddr::Ip((v4, port).into()),
                        Some(Host::Ipv6(v6)) => TargetAddr::Ip((v6, port).into()),
                        None => {
                            return Err(Trouble::connect(&Who::Origin, "its URL has no host"));
                        }
                    };
                    Box::new(self.socks(proxy, target).await?)
                }
            },
        };
        if url.scheme() == "http" {
            return Ok(Connection::new(stream, false));
        }
        let config = &self.inner.to_origins;
        let secured = self.tls(&Who::Origin, stream, host, config).await?;
        Ok(Connection::new(Box::new(secured), false))
    }

    async fn tcp(&self, who: &Who, host: &str, port: u16) -> Result<TcpStream, Trouble> {
        // No resolver sees an address that is written as a number.
        if let Ok(addr) = bare(host).parse::<IpAddr>() {
            self.judge(who, addr)?;
        }
        let to = Uri::builder()
            .scheme("http")
            .authority(format!("{host}:{port}"))
            .path_and_query("/")
            .build()
            .map_err(|_| Trouble::connect(who, "the host is neither a name nor an address"))?;
        let connected = self.inner.tcp.clone().call(to);
        let stream = match timeout_at(self.deadline, connected).await {
            Ok(Ok(stream)) => stream.into_inner(),
            Ok(Err(error)) => {
                return Err(match find::<Refused>(&error) {
                    Some(refused) => Trouble::Name {
                        who: who.clone(),
                        refused: refused.clone(),
                    },
                    None => Trouble::connect(who, cause::text(&error)),
                });
            }
            Err(_) => return Err(self.slow(who, "no connection")),
        };
        // The belt to the resolver's braces.
        let peer = stream
            .peer_addr()
            .map_err(|e| Trouble::connect(who, e.to_string()))?;
        self.judge(who, peer.ip())?;
        Ok(stream)
    }

    fn judge(&self, who: &Who, addr: IpAddr) -> Result<(), Trouble> {
        match self.inner.address_rule.allows_addr(addr) {
            true => Ok(()),
            false => Err(Trouble::Forbidden {
                who: who.clone(),
                addr,
            }),
        }
    }

    async fn to_proxy(&self, proxy: &Arc<Proxy>) -> Result<Stream, Trouble> {
        let who = Who::Proxy(Arc::clone(proxy));
        let tcp = self.tcp(&who, proxy.host(), proxy.port()).await?;
        if proxy.kind() != Kind::Https {
            return Ok(Box::new(tcp));
        }
        let config = &self.inner.trust.to_proxies;
        Ok(Box::new(self.tls(&who, tcp, proxy.host(), config).await?))
    }

    async fn tunnel(
        &self,
        proxy: &Arc<Proxy>,
        mut stream: Stream,
        host: &str,
        port: u16,
    ) -> Result<Stream, Trouble> {
        let asked = format!("CONNECT {host}:{port}");
        match timeout_at(self.deadline, tunnel::open(&mut stream, proxy, host, port)).await {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(tunnel::Failed::Answer { status, offers })) => Err(Trouble::Answer {
                proxy: Arc::clone(proxy),
                asked,
                status,
                offers,
            }),
            Ok(Err(tunnel::Failed::Broken(why))) => Err(Trouble::broken(proxy, why)),
            Err(_) => {
                let time = humantime::format_duration(self.inner.connect_timeout);
                Err(Trouble::broken(
                    proxy,
                    format!("did not answer {asked} within {time}"),
                ))
            }
        }
    }

    /// SOCKS with addresses: names are resolved, and judged, here.
    async fn socks_by_address(
        &self,
        proxy: &Arc<Proxy>,
        url: &Url,
        port: u16,
    ) -> Result<TcpStream, Trouble> {
        let addresses: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(v4)) => vec![v4.into()],
            Some(Host::Ipv6(v6)) => vec![v6.into()],
            Some(Host::Domain(name)) => {
                match timeout_at(self.deadline, self.inner.names.find(name)).await {
                    Ok(Ok(found)) => found,
                    Ok(Err(refused)) => {
                        let who = Who::Origin;
                        return Err(Trouble::Name { who, refused });
                    }
                    Err(_) => return Err(self.slow(&Who::Origin, "its name was not resolved")),
                }
            }
            None => Vec::new(),
        };
        let mut last = Trouble::connect(&Who::Origin, "it has no address");
        for addr in addresses {
            self.judge(&Who::Origin, addr)?;
            match self.socks(proxy, TargetAddr::Ip((addr, port).into())).await {
                Ok(stream) => return Ok(stream),
                Err(trouble) => last = trouble,
            }
        }
        Err(last)
    }

    async fn socks(
        &self,
        proxy: &Arc<Proxy>,
        target: TargetAddr<'_>,
    ) -> Result<TcpStream, Trouble> {
        let who = Who::Proxy(Arc::clone(proxy));
        let tcp = self.tcp(&who, proxy.host(), proxy.port()).await?;
        match timeout_at(self.deadline, socks::open(tcp, proxy, target)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(socks::Failed::Refused(why))) => Err(Trouble::Socks {
                proxy: Arc::clone(proxy),
                why,
            }),
            Ok(Err(socks::Failed::Broken(why))) => Err(Trouble::broken(proxy, why)),
            Err(_) => {
                let time = humantime::format_duration(self.inner.connect_timeout);
                Err(Trouble::broken(
                    proxy,
                    format!("did not answer within {time}"),
                ))
            }
        }
    }

    async fn tls<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        who: &Who,
        io: T,
        host: &str,
        config: &Arc<ClientConfig>,
    ) -> Result<TlsStream<T>, Trouble> {
        let name = ServerName::try_from(bare(host).to_owned())
            .map_err(|_| Trouble::tls(who, "no certificate can be issued for that name"))?;
        let seen = Seen::default();
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, io);
        match timeout_at(self.deadline, seen.during(handshake)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(match find::<rustls::Error>(&error) {
                Some(tls) => Trouble::tls(who, self.inner.trust.words(tls, &seen, bare(host))),
                None => Trouble::connect(
                    who,
                    format!(
                        "the connection was closed during the TLS handshake ({error}); the port may not speak TLS"
                    ),
                ),
            }),
            Err(_) => Err(self.slow(who, "the TLS handshake did not finish")),
        }
    }

    fn slow(&self, who: &Who, what: &str) -> Trouble {
        let time = humantime::format_duration(self.inner.connect_timeout);
        Trouble::connect(who, format!("{what} within {time}"))
    }
}

/// An address of version 6 without its brackets; anything else as it is.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
}
