//! The name servers of resolv.conf(5), asked as glibc asks them.
//!
//! In their order, each with its time, all of them as often as the file says; a server that says no is believed, one
//! that does not answer or is in trouble is not. The library below would ask two at once and believe the faster, and
//! give all of them together the time of one.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::system_conf::parse_resolv_conf;

/// What glibc has where a file has none, or is not there at all.
const NO_SERVER: &[u8] = b"\nnameserver 127.0.0.1\n";

/// glibc's bounds (RES_MAXNDOTS, RES_MAXRETRANS, RES_MAXRETRY, MAXNS).
const MOST_DOTS: usize = 15;
const LONGEST: Duration = Duration::from_secs(30);
const MOST_ATTEMPTS: usize = 5;
const MOST_SERVERS: usize = 3;

/// Name servers and how they are asked.
pub(super) struct Dns {
    servers: Vec<Server>,
    search: Vec<String>,
    dots: usize,
    attempts: usize,
    timeout: Duration,
    /// The file names a server.
    named: bool,
}

struct Server {
    addr: IpAddr,
    resolver: TokioResolver,
}

/// What became of one name.
enum Asked {
    Found(Vec<IpAddr>),
    /// A server says that there is none.
    None,
    /// No server could say, and at least one said that it cannot.
    Trouble(String),
    /// No server said anything.
    Silence(String),
}

impl Dns {
    /// Reads the text of resolv.conf.
    pub(super) fn of(text: &[u8]) -> Result<Self, String> {
        let wrong = |e: NetError| format!("/etc/resolv.conf cannot be used: {e}");
        let (config, options, named) = match parse_resolv_conf(text) {
            Ok((config, options)) => (config, options, true),
            Err(_) => {
                let text = [text, NO_SERVER].concat();
                let (config, options) = parse_resolv_conf(text).map_err(wrong)?;
                (config, options, false)
            }
        };
        let timeout = options.timeout.clamp(Duration::from_secs(1), LONGEST);
        let servers = config.name_servers().iter().take(MOST_SERVERS);
        let servers = servers.map(|server| Server::new(server, timeout, options.edns0));
        let search = match (config.search(), config.domain()) {
            ([], Some(domain)) => vec![domain.to_string()],
            (search, _) => search.iter().map(ToString::to_string).collect(),
        };
        Ok(Self {
            servers: servers.collect::<Result<_, _>>().map_err(wrong)?,
            search,
            dots: options.ndots.min(MOST_DOTS),
            attempts: options.attempts.clamp(1, MOST_ATTEMPTS),
            timeout,
            named,
        })
    }

    /// The addresses of a name.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        // A server that was silent once is not waited for again with the next domain.
        let mut first = 0;
        let mut trouble = None;
        for candidate in self.candidates(name) {
            match self.ask(&candidate, &mut first).await {
                Asked::Found(found) => return Ok(found),
                Asked::None => {}
                // A search domain can be in trouble, or unknown to the server, which says nothing of the next name.
                // glibc goes on in this way after SERVFAIL (`res_search`).
                Asked::Trouble(why) => {
                    trouble.get_or_insert(
                        match candidate.trim_end_matches('.') == name.trim_end_matches('.') {
                            true => why,
                            false => format!("{why} (asked for {candidate})"),
                        },
                    );
                }
                Asked::Silence(why) if self.named => return Err(why),
                Asked::Silence(_) => {
                    return Err(
                        "it is not in /etc/hosts, and /etc/resolv.conf lists no name server"
                            .to_owned(),
                    );
                }
            }
        }
        Err(trouble.unwrap_or_else(|| "it has no address".to_owned()))
    }

    /// The names that are asked for, in order, each with its dot at the end.
    fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let searched = self.search.iter().map(|domain| {
            let domain = domain.trim_matches('.');
            match domain.is_empty() {
                true => format!("{name}."),
                false => format!("{name}.{domain}."),
            }
        });
        let itself = std::iter::once(format!("{name}."));
        let mut all: Vec<String> = match name.matches('.').count() >= self.dots {
            true => itself.chain(searched).collect(),
            false => searched.chain(itself).collect(),
        };
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|name| seen.insert(name.clone()));
        all
    }

    async fn ask(&self, name: &str, first: &mut usize) -> Asked {
        let (mut failed, mut answered) = (Vec::new(), false);
        for _ in 0..self.attempts {
            failed.clear();
            let servers = self.servers.iter().enumerate().cycle();
            for (index, server) in servers.skip(*first).take(self.servers.len()) {
                match self.both_kinds(server, name).await {
                    Ok(found) => {
                        *first = index;
                        return match found.is_empty() {
                            true => Asked::None,
                            false => Asked::Found(found),
                        };
                    }
                    Err(error) => {
                        answered |= matches!(error, NetError::Dns(DnsError::ResponseCode(_)));
                        let why = self.why(&error);
                        failed.push(format!("the name server {} {why}", server.addr));
                    }
                }
            }
        }
        let why = failed.join(", ");
        match answered {
            true => Asked::Trouble(why),
            false => Asked::Silence(why),
        }
    }

    /// Asks one server for A and AAAA at once, as two questions: the library's own question for both tells of two
    /// failures only one, and so takes "no AAAA" for "no address" where the answer for A is an error.
    ///
    /// Addresses of one kind will do although the other question failed, as for glibc (`send_dg` in
    /// resolv/res_send.c). Nothing is found only if the server says so of both kinds. There glibc 2.36 believes a no
    /// for one kind beside an error for the other: a name with A alone would be unknown because a server is in trouble.
    async fn both_kinds(&self, server: &Server, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let (v4, v6) = tokio::join!(
            self.one_kind(server, name, RecordType::A),
            self.one_kind(server, name, RecordType::AAAA),
        );
        match (v4, v6) {
            (Ok(v4), Ok(v6)) => Ok([v6, v4].concat()),
            (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
            (Err(why), _) | (_, Err(why)) => Err(why),
        }
    }

    /// None where the server says that there is none.
    async fn one_kind(
        &self,
        server: &Server,
        name: &str,
        kind: RecordType,
    ) -> Result<Vec<IpAddr>, NetError> {
        // The library keeps to the time as a rule; a rule of ours does not depend on that.
        let asked = tokio::time::timeout(self.timeout, server.resolver.lookup(name, kind));
        match asked.await.unwrap_or(Err(NetError::Timeout)) {
            Ok(found) => {
                let addresses = found.answers().iter().filter_map(|r| r.data.ip_addr());
                Ok(addresses.collect())
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "of the library's many errors most cannot come here, and all mean the same"
    )]
    fn why(&self, error: &NetError) -> String {
        match error {
            NetError::Timeout | NetError::NoConnections | NetError::Busy => {
                let time = humantime::format_duration(self.timeout);
                format!("did not answer within {time}")
            }
            NetError::Dns(DnsError::ResponseCode(code)) => format!("answered \"{code}\""),
            NetError::Io(error) => format!("cannot be queried ({error})"),
            _ => "sent an invalid response".to_owned(),
        }
    }
}

impl Server {
    fn new(config: &NameServerConfig, timeout: Duration, edns: bool) -> Result<Self, NetError> {
        let addr = config.ip;
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![config.clone()]);
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider);
        let options: &mut ResolverOpts = builder.options_mut();
        options.timeout = timeout;
        options.edns0 = edns;
        // How often is counted here.
        options.attempts = 0;
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self {
            addr,
            resolver: builder.build()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Dns {
        Dns::of(text.as_bytes()).unwrap()
    }

    fn servers(dns: &Dns) -> Vec<String> {
        dns.servers.iter().map(|s| s.addr.to_string()).collect()
    }

    #[tokio::test]
    async fn resolv_conf_is_read_as_glibc_reads_it() {
        let dns = of(
            "# a comment\n; another\nnameserver 10.0.0.1\nnameserver fd00::1 # third\n\
                      nameserver 10.0.0.3\nnameserver 10.0.0.4\nsearch a.test b.test\n\
                      options ndots:5 timeout:2 attempts:3 rotate trust-ad\n",
        );
        assert_eq!(servers(&dns), ["10.0.0.1", "fd00::1", "10.0.0.3"]);
        assert_eq!((dns.dots, dns.attempts), (5, 3));
        assert_eq!(dns.timeout, Duration::from_secs(2));
        let asked = ["x.y.a.test.", "x.y.b.test.", "x.y."];
        assert_eq!(dns.candidates("x.y"), asked);
        assert_eq!(dns.candidates("x.y."), ["x.y."]);
        let dns =
            of("nameserver 10.0.0.1\nsearch a.test .\noptions timeout:99 attempts:99 ndots:99");
        assert_eq!((dns.dots, dns.attempts), (15, 5));
        assert_eq!(dns.timeout, Duration::from_secs(30));
        let dns = of("nameserver 10.0.0.1\nsearch a.test\noptions timeout:0 attempts:0");
        assert_eq!((dns.attempts, dns.timeout), (1, Duration::from_secs(1)));
        assert_eq!(dns.candidates("x.y"), ["x.y.", "x.y.a.test."]);
        assert_eq!(dns.candidates("x"), ["x.a.test.", "x."]);
    }

    #[tokio::test]
    async fn a_file_without_a_server_means_this_machine_and_never_a_server_of_the_librarys() {
        for text in ["", "# nothing\n", "search a.test\noptions ndots:3"] {
            assert_eq!(servers(&of(text)), ["127.0.0.1"], "{text}");
        }
    }
}
