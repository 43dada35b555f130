//! What proves to an origin who asks.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::Error;

/// Credentials for one origin. They cannot be printed: `Debug` shows the kind only.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// None were given.
    #[default]
    None,
    /// A bearer token (RFC 6750), from the key `token`.
    Bearer(SecretString),
    /// A user and a password (RFC 7617), from the keys `username` and `password`.
    Basic {
        /// The user.
        username: SecretString,
        /// The password.
        password: SecretString,
    },
}

impl Credentials {
    /// The keys that a secret may hold.
    pub const KEYS: [&str; 3] = ["token", "username", "password"];

    /// Reads a secret's keys. Any other key is refused by name: a secret that is not used as its owner believes is
    /// a secret in the wrong place.
    pub fn from_keys(mut keys: BTreeMap<String, SecretString>) -> Result<Self, Error> {
        let token = keys.remove("token");
        let username = keys.remove("username");
        let password = keys.remove("password");
        if let Some(unknown) = keys.into_keys().next() {
            return Err(Error::secret(format!(
                "the key \"{}\" of the secret is not known",
                unknown
                    .chars()
                    .take(40)
                    .flat_map(char::escape_debug)
                    .collect::<String>()
            )));
        }
        let this = match (token, username, password) {
            (None, None, None) => Self::None,
            (Some(token), None, None) => Self::Bearer(token),
            (None, Some(username), Some(password)) => Self::Basic { username, password },
            (Some(_), _, _) => {
                return Err(Error::secret(
                    "the secret has a token and a username or password",
                ));
            }
            (None, Some(_), None) => {
                return Err(Error::secret("the secret has a username and no password"));
            }
            (None, None, Some(_)) => {
                return Err(Error::secret("the secret has a password and no username"));
            }
        };
        this.check()?;
        Ok(this)
    }

    fn check(&self) -> Result<(), Error> {
        if let Self::Bearer(token) = self {
            let token = token.expose_secret();
            if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(Error::secret(
                    "the token in the secret is empty or holds white space or other bytes that no header may hold \
                     (often a line break at its end)",
                ));
            }
        }
        if let Self::Basic { username, .. } = self
            && username.expose_secret().contains(':')
        {
            return Err(Error::secret(
                "the username in the secret holds a colon (RFC 7617 forbids it)",
            ));
        }
        Ok(())
    }

    /// The secret parts in a fixed order, for the trust context and for nothing else.
    pub(crate) fn parts(&self) -> Vec<&[u8]> {
        match self {
            Self::None => vec![b"none"],
            Self::Bearer(token) => vec![b"bearer", token.expose_secret().as_bytes()],
            Self::Basic { username, password } => {
                vec![
                    b"basic",
                    username.expose_secret().as_bytes(),
                    password.expose_secret().as_bytes(),
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Credentials, Error> {
        Credentials::from_keys(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).into()))
                .collect(),
        )
    }

    #[test]
    fn only_known_keys_are_taken() {
        assert!(matches!(of(&[]), Ok(Credentials::None)));
        assert!(matches!(of(&[("token", "t")]), Ok(Credentials::Bearer(_))));
        assert!(matches!(
            of(&[("username", "u"), ("password", "")]),
            Ok(Credentials::Basic { .. })
        ));
        for (bad, says) in [
            (
                vec![("Token", "canary")],
                "\"Token\" of the secret is not known",
            ),
            (vec![("header.Host", "canary")], "\"header.Host\""),
            (
                vec![("token", "canary"), ("username", "u")],
                "a token and a username",
            ),
            (vec![("username", "canary")], "no password"),
            (vec![("password", "canary")], "no username"),
            (vec![("token", "canary\n")], "line break"),
            (vec![("token", "")], "empty"),
            (vec![("username", "can:ary"), ("password", "")], "colon"),
        ] {
            let text = of(&bad).unwrap_err().to_string();
            assert!(text.contains(says) && !text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn credentials_cannot_be_printed() {
        let text = format!(
            "{:?}",
            of(&[("username", "canary"), ("password", "canary")]).unwrap()
        );
        assert!(!text.contains("canary"), "{text}");
    }
}
