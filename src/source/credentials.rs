//! What proves to an origin who asks.

use std::collections::BTreeMap;

use reqwest::RequestBuilder;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// What a key begins with that names a header of its own.
const HEADER: &str = "header.";

/// The longest header that is taken, name and value, in bytes: origins refuse longer ones.
const LONGEST_HEADER: usize = 8 << 10;

/// Headers that say something about the connection or the request itself, which is not a user's to say: the host
/// (RFC 9110 §7.2), hop-by-hop fields (§7.6.1), framing (RFC 9112 §6), and what a resume is made of (RFC 9110 §13, §14).
/// With `if-` begins every condition.
const REFUSED: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Credentials for one origin. They cannot be printed: `Debug` shows the kind only.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    login: Login,
    /// Other headers, by their names in lower case.
    headers: BTreeMap<String, SecretString>,
}

#[derive(Clone, Debug, Default)]
enum Login {
    /// None was given.
    #[default]
    None,
    /// A bearer token (RFC 6750), from the key `token`.
    Bearer(SecretString),
    /// A user and a password (RFC 7617), from the keys `username` and `password`.
    Basic {
        username: SecretString,
        password: SecretString,
    },
}

/// What is wrong with keys, without a word of what they hold; whoever knows where they are from adds that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(String);

impl Credentials {
    /// The keys that a secret may hold, beside those of headers.
    pub const KEYS: [&str; 3] = ["token", "username", "password"];

    /// The key of a header of this name.
    pub fn key_of_header(name: &str) -> String {
        format!("{HEADER}{}", name.to_ascii_lowercase())
    }

    /// Whether a key is one of these.
    pub fn is_key(key: &str) -> bool {
        Self::KEYS.contains(&key) || key.starts_with(HEADER)
    }

    /// Reads keys. Any other key is refused by name: a secret that is not used as its owner believes is a secret in the
    /// wrong place.
    pub fn read(mut keys: BTreeMap<String, SecretString>) -> Result<Self, Wrong> {
        let wrong = |why: &str| Wrong(why.to_owned());
        let token = keys.remove("token");
        let username = keys.remove("username");
        let password = keys.remove("password");
        let mut headers = BTreeMap::new();
        for (key, value) in keys {
            let Some(name) = key.strip_prefix(HEADER) else {
                return Err(Wrong(format!("unknown key {}", shown(&key))));
            };
            let name = checked(name, &value)?;
            if headers.insert(name.clone(), value).is_some() {
                return Err(Wrong(format!("the header {} is given twice", shown(&name))));
            }
        }
        let login = match (token, username, password) {
            (None, None, None) => Login::None,
            (Some(token), None, None) => Login::Bearer(token),
            (None, Some(username), Some(password)) => Login::Basic { username, password },
            (Some(_), _, _) => {
                return Err(wrong("both a token and a username or password are given"));
            }
            (None, Some(_), None) => return Err(wrong("a username is given without a password")),
            (None, None, Some(_)) => return Err(wrong("a password is given without a username")),
        };
        login.check()?;
        if headers.contains_key("authorization") && !matches!(login, Login::None) {
            return Err(wrong(
                "both the header \"authorization\" and a token or username are given",
            ));
        }
        Ok(Self { login, headers })
    }

    /// Adds them to a request.
    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        let request = match &self.login {
            Login::None => request,
            Login::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Login::Basic { username, password } => {
                request.basic_auth(username.expose_secret(), Some(password.expose_secret()))
            }
        };
        self.headers.iter().fold(request, |request, (name, value)| {
            // Checked when it was read.
            let Ok(mut value) = HeaderValue::from_bytes(value.expose_secret().as_bytes()) else {
                return request;
            };
            value.set_sensitive(true);
            request.header(name, value)
        })
    }

    /// The secret parts in a fixed order, for the trust context and for nothing else.
    pub(crate) fn parts(&self) -> Vec<&[u8]> {
        let mut parts: Vec<&[u8]> = match &self.login {
            Login::None => vec![b"none"],
            Login::Bearer(token) => vec![b"bearer", token.expose_secret().as_bytes()],
            Login::Basic { username, password } => {
                vec![
                    b"basic",
                    username.expose_secret().as_bytes(),
                    password.expose_secret().as_bytes(),
                ]
            }
        };
        for (name, value) in &self.headers {
            parts.extend([b"header", name.as_bytes(), value.expose_secret().as_bytes()]);
        }
        parts
    }
}

impl Login {
    fn check(&self) -> Result<(), Wrong> {
        let wrong = |why: &str| Err(Wrong(why.to_owned()));
        if let Self::Bearer(token) = self {
            let token = token.expose_secret();
            if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return wrong(
                    "the token is empty, or contains white space or other bytes that a header cannot contain (often a \
                     line break at its end)",
                );
            }
        }
        if let Self::Basic { username, .. } = self
            && username.expose_secret().contains(':')
        {
            return wrong("the username contains a colon, which RFC 7617 forbids");
        }
        Ok(())
    }
}

/// The name of a header in lower case, if it may be set and its value is one.
fn checked(name: &str, value: &SecretString) -> Result<String, Wrong> {
    let wrong = |why: &str| Err(Wrong(format!("the header {} {why}", shown(name))));
    let lower = name.to_ascii_lowercase();
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return wrong("has an invalid name");
    }
    if REFUSED.contains(&&*lower) || lower.starts_with("if-") {
        return wrong("is set by war-vol itself");
    }
    let value = value.expose_secret();
    if value.is_empty() {
        return wrong("has no value");
    }
    if name.len() + value.len() > LONGEST_HEADER {
        return wrong("is longer than 8 KiB");
    }
    if HeaderValue::from_bytes(value.as_bytes()).is_err() {
        return wrong(
            "has a value with bytes that a header cannot contain (often a line break at its end)",
        );
    }
    Ok(lower)
}

fn shown(key: &str) -> String {
    let key: String = key.chars().take(40).flat_map(char::escape_debug).collect();
    format!("\"{key}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Credentials, Wrong> {
        Credentials::read(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).into()))
                .collect(),
        )
    }

    #[test]
    fn only_known_keys_are_taken() {
        let login = |pairs: &[(&str, &str)]| of(pairs).unwrap().login;
        assert!(matches!(login(&[]), Login::None));
        assert!(matches!(login(&[("token", "t")]), Login::Bearer(_)));
        assert!(matches!(
            login(&[("username", "u"), ("password", "")]),
            Login::Basic { .. }
        ));
        for (bad, says) in [
            (vec![("Token", "canary")], "unknown key \"Token\""),
            (vec![("header", "canary")], "unknown key \"header\""),
            (
                vec![("token", "canary"), ("username", "u")],
                "both a token and a username",
            ),
            (vec![("username", "canary")], "without a password"),
            (vec![("password", "canary")], "without a username"),
            (vec![("token", "canary\n")], "line break"),
            (vec![("token", "")], "empty"),
            (vec![("username", "can:ary"), ("password", "")], "colon"),
            (
                vec![("header.Authorization", "canary"), ("token", "t")],
                "\"authorization\" and a token",
            ),
        ] {
            let text = of(&bad).unwrap_err().to_string();
            assert!(text.contains(says) && !text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn a_header_that_is_not_the_users_to_set_is_refused_by_name() {
        for name in
            REFUSED
                .into_iter()
                .chain(["Host", "RANGE", "If-Range", "if-none-match", "If-Anything"])
        {
            let text = of(&[(&format!("header.{name}"), "canary")]).unwrap_err();
            let text = text.to_string();
            assert!(
                text.contains(name) && text.contains("set by war-vol itself"),
                "{text}"
            );
            assert!(!text.contains("canary"), "{text}");
        }
        for (name, value, says) in [
            ("", "canary", "an invalid name"),
            ("X Y", "canary", "an invalid name"),
            ("X\n", "canary", "an invalid name"),
            ("X", "", "no value"),
            ("X", "canary\n", "line break"),
            ("X", "canary\r\nRange: bytes=0-1", "line break"),
        ] {
            let text = of(&[(&format!("header.{name}"), value)]).unwrap_err();
            let text = text.to_string();
            assert!(text.contains(says) && !text.contains("canary"), "{text}");
        }
        let long = "canary".repeat(2000);
        let text = of(&[("header.X", &long)]).unwrap_err().to_string();
        assert!(text.contains("8 KiB") && text.len() < 300, "{text}");
        let twice = of(&[("header.X-A", "1"), ("header.x-a", "2")]).unwrap_err();
        assert!(twice.to_string().contains("given twice"), "{twice}");
    }

    /// Who shows other headers is somebody else (docs/design/laws.md, law 7).
    #[test]
    fn every_header_is_a_part_of_the_trust_context() {
        let parts = |pairs: &[(&str, &str)]| -> Vec<Vec<u8>> {
            let of = of(pairs).unwrap();
            of.parts().into_iter().map(<[u8]>::to_vec).collect()
        };
        let all = [
            parts(&[]),
            parts(&[("header.a", "b")]),
            parts(&[("header.a", "c")]),
            parts(&[("header.b", "b")]),
            parts(&[("header.a", "b"), ("header.b", "b")]),
            parts(&[("header.a", "b"), ("token", "t")]),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(parts(&[("header.A", "b")]), parts(&[("header.a", "b")]));
    }

    #[test]
    fn credentials_cannot_be_printed() {
        for pairs in [
            &[("username", "canary"), ("password", "canary")][..],
            &[("token", "canary"), ("header.x", "canary")],
        ] {
            let text = format!("{:?}", of(pairs).unwrap());
            assert!(!text.contains("canary"), "{text}");
        }
    }
}
