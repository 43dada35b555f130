//! Names of objects, with wildcards.

use std::str::FromStr;

use crate::artifact::shown;

/// The longest name of an object in Kubernetes, in bytes.
const LONGEST: usize = 253;

/// A pattern for names: `*` stands for any number of characters, also none, `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Glob(String);

impl Glob {
    /// The one that every name fits.
    pub(super) fn any() -> Self {
        Self("*".to_owned())
    }

    /// Whether a name fits, all of it.
    pub(super) fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where the last star was, and what it has swallowed so far: to go back further than to that is never needed.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match (pattern.get(p), star) {
                (Some(b'*'), _) => {
                    star = Some((p, n));
                    p += 1;
                }
                (Some(b), _) if *b == b'?' || *b == name[n] => {
                    p += 1;
                    n += 1;
                }
                (_, Some((at, swallowed))) => {
                    star = Some((at, swallowed + 1));
                    p = at + 1;
                    n = swallowed + 1;
                }
                (_, None) => return false,
            }
        }
        pattern[p..].iter().all(|b| *b == b'*')
    }

    /// Whether every name fits, so also one that is not known.
    pub(super) fn matches_all(&self) -> bool {
        self.0.bytes().all(|b| b == b'*')
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.*?".contains(c);
        if text.is_empty() {
            return Err("is empty; use * for any name".to_owned());
        }
        if text.len() > LONGEST {
            return Err(format!(
                "has more than {LONGEST} characters, as no name has"
            ));
        }
        if !text.chars().all(is_allowed) {
            return Err(format!(
                "{}: no name can match, because names have only lower-case letters, digits, - and .; wildcards are * and ?",
                shown(text)
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (glob, name, fits) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a", "ab", false),
            ("a", "ba", false),
            ("team-*", "team-a", true),
            ("team-*", "team-", true),
            ("team-*", "team", false),
            ("*-prod", "a-prod", true),
            ("*-prod", "a-prod-b", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("?", "", false),
            ("?", "a", true),
            ("a?", "a", false),
            ("*", "", true),
            ("**", "x", true),
            ("*?", "", false),
        ] {
            let parsed: Glob = glob.parse().unwrap();
            assert_eq!(parsed.matches(name), fits, "{glob} and {name}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let glob: Glob = format!("{}c", "a*".repeat(120)).parse().unwrap();
        assert!(!glob.matches(&format!("{}b", "a".repeat(253))));
    }

    #[test]
    fn what_no_name_can_match_is_rejected() {
        for (bad, says) in [
            ("", "use * for any name"),
            ("Team", "lower-case"),
            ("a b", "lower-case"),
            ("[ab]", "wildcards are * and ?"),
            ("system:serviceaccount:a:b", "no name can match"),
            (&"a".repeat(254), "253"),
        ] {
            let why = bad.parse::<Glob>().unwrap_err();
            assert!(why.contains(says), "{bad}: {why}");
        }
    }
}
