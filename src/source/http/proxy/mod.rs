//! Which proxy a request goes through, as the environment says.
//!
//! Owns the reading of the variables: they are read once, where the factory of clients is made, and no library looks
//! at them. One that cannot be used is an error, because a request that goes past its proxy in silence is worse than
//! none. No text of this module holds a variable's value: there may be a password in it.

mod except;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::PROXY_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use self::except::Except;
use crate::artifact::AddressRule;
use crate::source::http::Error;

/// The variables, for each scheme in the order in which they count: curl's, and as with Go and others `HTTP_PROXY`
/// in capitals too. curl leaves that one out because a CGI program gets it from whoever asks; this is none.
const HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPT: [&str; 2] = ["no_proxy", "NO_PROXY"];

const ALLOWED: &str = "use [http://|https://|socks5://|socks5h://][USER:PASSWORD@]HOST[:PORT]";

/// The proxies in force.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    except: Except,
    /// What was read, for the trust context: whoever changes a proxy changes whose bytes are believed, as it sees and may
    /// change what comes over plain http.
    pub(super) identity: Vec<u8>,
}

/// One proxy.
pub(super) struct Proxy {
    /// How it is spoken to.
    pub(super) kind: Kind,
    /// Its host, as a URL has it.
    pub(super) host: String,
    pub(super) port: u16,
    login: Option<Login>,
    /// Which variable names it.
    variable: &'static str,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// HTTP.
    Http,
    /// HTTP in TLS.
    Https,
    /// SOCKS 5 (RFC 1928), with addresses: names are resolved here.
    Socks5,
    /// SOCKS 5 with names: the proxy resolves them.
    Socks5h,
}

/// User and password.
type Login = (SecretString, SecretString);

impl Proxies {
    /// Reads the variables by `get`. One that is empty is not set.
    pub(super) fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let get = |name: &&'static str| {
            let value = get(name).filter(|v| !v.is_empty())?;
            Some((*name, value))
        };
        let mut identity = Vec::new();
        for name in HTTP.iter().chain(&HTTPS).chain(&EXCEPT) {
            identity.extend(
                get(name)
                    .map(|(_, v)| v.into_encoded_bytes())
                    .unwrap_or_default(),
            );
            identity.push(0);
        }
        let proxy = |names: &[&'static str]| {
            let set = names.iter().find_map(&get);
            set.map(|(name, value)| Proxy::parse(name, &value).map(Arc::new))
                .transpose()
        };
        let except = match EXCEPT.iter().find_map(&get) {
            None => Except::default(),
            Some((name, value)) => {
                let (except, idle) = Except::parse(&value.to_string_lossy());
                if !idle.is_empty() {
                    tracing::warn!(entries = ?idle, "{name}: these entries, counted from 1, match no host");
                }
                except
            }
        };
        Ok(Self {
            http: proxy(&HTTP)?,
            https: proxy(&HTTPS)?,
            except,
            identity,
        })
    }

    /// The proxy that this URL is asked through.
    pub(super) fn of(&self, url: &Url) -> Option<&Arc<Proxy>> {
        let proxy = match url.scheme() {
            "http" => self.http.as_ref(),
            "https" => self.https.as_ref(),
            _ => None,
        }?;
        (!self.except.covers(url)).then_some(proxy)
    }
}

/// What is in force, without anything secret.
impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.http, &self.https) {
            (None, None) => return f.write_str("none"),
            (Some(http), Some(https)) => write!(f, "http: {http:?}, https: {https:?}"),
            (Some(http), None) => write!(f, "http: {http:?}"),
            (None, Some(https)) => write!(f, "https: {https:?}"),
        }?;
        write!(f, ", except: {}", self.except)
    }
}

impl Proxy {
    fn parse(variable: &'static str, value: &OsString) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Setup(format!("{variable}: {why}; {ALLOWED}"));
        let value = value
            .to_str()
            .ok_or_else(|| wrong("it is not UTF-8 text"))?;
        if value
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '\\')
        {
            return Err(wrong(
                "it contains white space, a control character or a backslash (often a line break at its end; \
                 percent-encode it in a user or password)",
            ));
        }
        let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "http" => Kind::Http,
            "https" => Kind::Https,
            "socks5" => Kind::Socks5,
            "socks5h" => Kind::Socks5h,
            "socks" | "socks4" | "socks4a" => {
                return Err(wrong("SOCKS 4 is not supported, only SOCKS 5 is"));
            }
            _ => return Err(wrong("unknown proxy scheme")),
        };
        let parse = |scheme: &str| Url::parse(&format!("{scheme}://{rest}"));
        // A parser drops the port that is its scheme's own: hence both.
        let (Ok(url), Ok(other)) = (parse("http"), parse("https")) else {
            return Err(wrong("it is not a URL"));
        };
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(
                "something follows the port (in a password write / as %2F, ? as %3F and # as %23)",
            ));
        }
        if AddressRule::default().allows_url(&url).is_err() {
            return Err(wrong(
                "it is a link-local or metadata address, which is always blocked",
            ));
        }
        Ok(Self {
            kind,
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port().or(other.port()).unwrap_or(kind.usual_port()),
            login: kind.login(&url).map_err(wrong)?,
            variable,
        })
    }

    /// The value of `Proxy-Authorization` (RFC 7617), where a user is given.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let (user, password) = self.login()?;
        let pair = format!("{user}:{password}");
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// User and password, where a user is given.
    pub(super) fn login(&self) -> Option<(&str, &str)> {
        let (user, password) = self.login.as_ref()?;
        Some((user.expose_secret(), password.expose_secret()))
    }
}

/// Who is meant in a message, and which setting is.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.host, self.port, self.variable)
    }
}

/// What is in force, without the login.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.login.as_ref().map_or("", |_| " with a login");
        write!(
            f,
            "{}://{}:{}{login} ({})",
            self.kind.scheme(),
            self.host,
            self.port,
            self.variable
        )
    }
}

impl Kind {
    fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    /// The port of a URL that names none. curl takes 1080 for all of them but https.
    fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }

    fn login(self, url: &Url) -> Result<Option<Login>, &'static str> {
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(|t| t.into_owned())
                .map_err(|_| "its user or password is not UTF-8 text")
        };
        let user = decoded(url.username())?;
        let password = decoded(url.password().unwrap_or_default())?;
        if user.is_empty() && password.is_empty() {
            return Ok(None);
        }
        match self {
            Self::Http | Self::Https if user.contains(':') => {
                return Err("its user contains a colon, which RFC 7617 forbids");
            }
            Self::Socks5 | Self::Socks5h
                if ![user.len(), password.len()]
                    .iter()
                    .all(|n| (1..=255).contains(n)) =>
            {
                return Err(
                    "its user or password is empty or longer than 255 bytes, which RFC 1929 forbids",
                );
            }
            Self::Http | Self::Https | Self::Socks5 | Self::Socks5h => {}
        }
        Ok(Some((user.into(), password.into())))
    }
}

/// The ways to log in that a proxy offers: the names alone, what follows them is its own text.
pub(super) fn offers(headers: &HeaderMap) -> Vec<String> {
    let fields = headers.get_all(PROXY_AUTHENTICATE).into_iter();
    names(fields.filter_map(|v| v.to_str().ok()))
}

/// The first word of each field, where it can be the name of a scheme (RFC 9110 §11.1).
pub(super) fn names<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = fields
        .filter_map(|field| field.split_whitespace().next())
        .filter(|name| name.len() <= 20 && name.bytes().all(|b| b.is_ascii_alphanumeric()))
        .map(str::to_owned)
        .collect();
    names.dedup();
    names.truncate(5);
    names
}

#[cfg(test)]
mod tests;
