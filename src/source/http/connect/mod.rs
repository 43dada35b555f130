//! Connections: to an origin, or to a proxy and through it to an origin.
//!
//! Owns who is connected, and who is named where that fails. A client that does this by itself hides which of the two
//! answered, and with what. Every address is judged by the [`AddressRule`], and a proxy's by the default one: the
//! administrator has set it, and no policy for volumes is about it. Behind a proxy that resolves names itself only the URL is
//! judged.

mod socks;
mod stream;
mod tunnel;
mod who;

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryFutureExt;
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
use tower::util::BoxCloneSyncService;
use tower::{Service, service_fn};
use url::{Host, Url};

use self::stream::{Connection, Stream};
use self::who::{Who, broken};
use super::cause::{self, find};
use super::error::{Failure, host_of};
use super::proxy::{Kind, Proxies, Proxy};
use super::resolver::{Filtered, Names, Refused};
use super::tls::{Seen, Trust};
use crate::artifact::AddressRule;

/// How long the way to an origin may be silent before the system asks whether it is still there, and how long it then
/// may owe an answer.
const KEEPALIVE: Duration = Duration::from_secs(15);
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Makes the connections of one client.
pub(super) type Connector = BoxCloneSyncService<Uri, Connection, Failure>;

struct Inner {
    origins: Dialer,
    to_proxies: Dialer,
    names: Filtered,
    proxies: Arc<Proxies>,
    trust: Arc<Trust>,
    to_origins: Arc<ClientConfig>,
    connect_timeout: Duration,
}

/// Connects to what its rule allows.
struct Dialer {
    tcp: HttpConnector<Names>,
    address_rule: AddressRule,
}

impl Dialer {
    fn new(names: Names, address_rule: AddressRule, connect_timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(names);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(3));
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Self { tcp, address_rule }
    }
}

/// One connection that is being made, and when it has to be there.
struct Way<'a> {
    inner: &'a Inner,
    deadline: Instant,
}

/// `to_origins` is who we are to an origin, and whom we believe; `connect_timeout` is how long a connection may take, from
/// the name to the end of the handshakes.
pub(super) fn connector(
    address_rule: AddressRule,
    proxies: Arc<Proxies>,
    (trust, to_origins): (Arc<Trust>, Arc<ClientConfig>),
    connect_timeout: Duration,
) -> Connector {
    let names = Filtered::new(address_rule.clone());
    let of_proxies = Filtered::new(AddressRule::default()).service();
    let inner = Arc::new(Inner {
        origins: Dialer::new(names.clone().service(), address_rule, connect_timeout),
        to_proxies: Dialer::new(of_proxies, AddressRule::default(), connect_timeout),
        names,
        proxies,
        trust,
        to_origins,
        connect_timeout,
    });
    Connector::new(service_fn(move |to: Uri| {
        let inner = Arc::clone(&inner);
        async move { Way::new(&inner).to(&to).await }
    }))
}

impl<'a> Way<'a> {
    fn new(inner: &'a Inner) -> Self {
        Self {
            deadline: Instant::now() + inner.connect_timeout,
            inner,
        }
    }

    async fn to(&self, to: &Uri) -> Result<Connection, Failure> {
        let url = Url::parse(&to.to_string()).ok();
        let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host()?))) else {
            return Err(Who::Origin(&to.to_string()).unreachable("its URL has no host"));
        };
        let origin = host_of(url);
        let who = Who::Origin(&origin);
        let name = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let stream: Stream = match self.inner.proxies.of(url) {
            None => Box::new(self.tcp(who, name, port).await?),
            Some(proxy) => match proxy.kind {
                Kind::Http | Kind::Https => {
                    let to_proxy = self.to_proxy(proxy).await?;
                    if url.scheme() == "http" {
                        return Ok(Connection::new(to_proxy, true));
                    }
                    self.tunnel(proxy, to_proxy, name, port).await?
                }
                Kind::Socks5 => Box::new(self.socks_by_address(proxy, who, host, port).await?),
                Kind::Socks5h => {
                    let target = match host {
                        Host::Domain(name) => TargetAddr::Domain(name.into(), port),
                        Host::Ipv4(v4) => TargetAddr::Ip((v4, port).into()),
                        Host::Ipv6(v6) => TargetAddr::Ip((v6, port).into()),
                    };
                    Box::new(self.socks(proxy, who, target).await?)
                }
            },
        };
        if url.scheme() == "http" {
            return Ok(Connection::new(stream, false));
        }
        let config = &self.inner.to_origins;
        let secured = self.tls(who, stream, name, config).await?;
        Ok(Connection::new(Box::new(secured), false))
    }

    async fn tcp(&self, who: Who<'_>, host: &str, port: u16) -> Result<TcpStream, Failure> {
        // No resolver sees an address that is written as a number.
        if let Ok(addr) = bare(host).parse::<IpAddr>() {
            self.judge(who, addr)?;
        }
        let to = Uri::builder()
            .scheme("http")
            .authority(format!("{host}:{port}"))
            .path_and_query("/")
            .build()
            .map_err(|_| who.unreachable("the host is neither a name nor an address"))?;
        let connected = self.dialer(who).tcp.clone().call(to);
        let connected = connected.map_err(|error| match find::<Refused>(&error) {
            Some(refused) => who.unresolved(refused),
            None => who.unreachable(cause::text(&error)),
        });
        let late = |time| who.unreachable(format!("no connection within {time}"));
        let stream = self.in_time(connected, late).await?.into_inner();
        let peer = stream.peer_addr();
        let peer = peer.map_err(|e| who.unreachable(e.to_string()))?;
        // The belt to the resolver's braces.
        self.judge(who, peer.ip())?;
        Ok(stream)
    }

    fn judge(&self, who: Who<'_>, addr: IpAddr) -> Result<(), Failure> {
        let allowed = self.dialer(who).address_rule.allows_addr(addr);
        allowed.map_err(|why| who.blocked(addr, why))
    }

    fn dialer(&self, who: Who<'_>) -> &Dialer {
        match who {
            Who::Origin(_) => &self.inner.origins,
            Who::Proxy(_) => &self.inner.to_proxies,
        }
    }

    async fn to_proxy(&self, proxy: &Proxy) -> Result<Stream, Failure> {
        let who = Who::Proxy(proxy);
        let tcp = self.tcp(who, &proxy.host, proxy.port).await?;
        if proxy.kind != Kind::Https {
            return Ok(Box::new(tcp));
        }
        let config = &self.inner.trust.to_proxies;
        Ok(Box::new(self.tls(who, tcp, &proxy.host, config).await?))
    }

    async fn tunnel(
        &self,
        proxy: &Proxy,
        mut stream: Stream,
        host: &str,
        port: u16,
    ) -> Result<Stream, Failure> {
        let to = format!("{host}:{port}");
        let opened = tunnel::open(&mut stream, proxy, &to);
        let late = |time| broken(proxy, format!("did not answer CONNECT {to} within {time}"));
        self.in_time(opened, late).await?;
        Ok(stream)
    }

    /// SOCKS with addresses: names are resolved, and judged, here.
    async fn socks_by_address(
        &self,
        proxy: &Proxy,
        who: Who<'_>,
        host: Host<&str>,
        port: u16,
    ) -> Result<TcpStream, Failure> {
        let addresses: Vec<IpAddr> = match host {
            Host::Ipv4(v4) => vec![v4.into()],
            Host::Ipv6(v6) => vec![v6.into()],
            Host::Domain(name) => {
                let found = self.inner.names.find(name);
                let found = found.map_err(|refused| who.unresolved(&refused));
                let late =
                    |time| who.unreachable(format!("its name was not resolved within {time}"));
                self.in_time(found, late).await?
            }
        };
        let mut last = who.unreachable("it has no address");
        for addr in addresses {
            self.judge(who, addr)?;
            let target = TargetAddr::Ip((addr, port).into());
            match self.socks(proxy, who, target).await {
                Ok(stream) => return Ok(stream),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    async fn socks(
        &self,
        proxy: &Proxy,
        who: Who<'_>,
        target: TargetAddr<'_>,
    ) -> Result<TcpStream, Failure> {
        let tcp = self.tcp(Who::Proxy(proxy), &proxy.host, proxy.port).await?;
        let late = |time| broken(proxy, format!("did not answer within {time}"));
        self.in_time(socks::open(tcp, proxy, who, target), late)
            .await
    }

    async fn tls<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        who: Who<'_>,
        io: T,
        host: &str,
        config: &Arc<ClientConfig>,
    ) -> Result<TlsStream<T>, Failure> {
        let name = ServerName::try_from(bare(host).to_owned())
            .map_err(|_| who.untrusted("no certificate can be issued for that name"))?;
        let seen = Seen::default();
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, io);
        let secured = seen.during(handshake).map_err(|error| match find::<rustls::Error>(&error) {
            Some(tls) => who.untrusted(self.inner.trust.words(tls, &seen, bare(host))),
            None => who.unreachable(format!(
                "the connection was closed during the TLS handshake ({error}); the port may not speak TLS"
            )),
        });
        let late =
            |time| who.unreachable(format!("the TLS handshake did not finish within {time}"));
        self.in_time(secured, late).await
    }

    /// What a step comes to, or what it means that the time is up before it does.
    async fn in_time<T>(
        &self,
        step: impl Future<Output = Result<T, Failure>>,
        late: impl FnOnce(humantime::FormattedDuration) -> Failure,
    ) -> Result<T, Failure> {
        let done = timeout_at(self.deadline, step).await;
        done.unwrap_or_else(|_| Err(late(humantime::format_duration(self.inner.connect_timeout))))
    }
}

/// An address of version 6 without its brackets; anything else as it is.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
}
