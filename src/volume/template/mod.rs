//! Values that are filled in when a volume is published, and again whenever it is looked at: `${secret['version']}`.
//!
//! Owns the syntax: `${name}`, `${name['key']}`, `${…:-default}`, and `$${` for a `${` that is meant as it stands.
//! Pure: text and values in, text out. Who may change while a volume is shown is known by each [`Variable`].
//!
//! Invariant: a value is data. It never holds a `/`, and in a URL it is percent-encoded, so that it ends no segment, begins
//! no query and names no host.

mod values;
mod variable;

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use self::values::Values;
pub use self::variable::{Field, Fixed, Source, Variable};

/// What of a value stands in a URL as it is (RFC 3986 §2.3, unreserved); all else is percent-encoded.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The longest value, in bytes: that of a DNS name, and four times that of a label.
const LONGEST: usize = 253;

/// A template that cannot be read or filled in. Never holds a value: some come from Secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A `${` without a `}`.
    #[error("{0} is not closed; end it with }}, or write $${{ for a literal ${{")]
    Open(String),
    /// No variable has this name.
    #[error("unknown variable {0}; use {known}", known = variable::KNOWN)]
    Unknown(String),
    /// Nobody tells what objects say.
    #[error(
        "{0} needs access to the API server, which this installation does not have; set node.upgrade.enabled: true in the \
         chart, or use ${{secret['key']}}"
    )]
    NotWatched(Variable),
    /// The volume belongs to no claim.
    #[error("{0} works only in volumes of claims; use the labels and annotations of the pod")]
    NoClaim(Variable),
    /// It has no value.
    #[error("{0} has no value ({why}); set it, or write a default: ${{…:-default}}", why = .0.why_unset())]
    Unset(Variable),
    /// Its value cannot be part of a name.
    #[error("the value of {variable} {why}")]
    Value {
        /// Whose.
        variable: Variable,
        /// What is wrong with it, and what is allowed.
        why: &'static str,
    },
    /// Nobody publishes this volume again, or says for which pod it is.
    #[error(
        "{0} works only in volumes that kubelet mounts through CSI, because nothing else mounts a volume again when a \
         value changes; write the value itself"
    )]
    NoPod(Variable),
}

/// A text with variables in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable {
        variable: Variable,
        default: Option<String>,
    },
}

/// Where a template stands, and so how values are written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// In a URL: percent-encoded.
    Url,
    /// Anywhere else: as they are.
    Text,
}

impl Template {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = &from[2..];
                continue;
            }
            literal.push_str(before);
            let (inside, after) = from[2..]
                .split_once('}')
                .ok_or_else(|| Error::Open(variable::shown(&from[2..])))?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::of(inside)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// The text with the values of now.
    pub fn fill(&self, values: &Values<'_>, within: Within) -> Result<String, Error> {
        let value = |variable: &Variable, default: Option<&str>| {
            let value = values.get(variable)?.filter(|value| !value.is_empty());
            let value = match (&value, default) {
                (Some(value), _) => value,
                (None, Some(default)) => default,
                (None, None) => return Err(Error::Unset(variable.clone())),
            };
            check(value).map_err(|why| Error::Value {
                variable: variable.clone(),
                why,
            })?;
            Ok(match within {
                Within::Url => utf8_percent_encode(value, IN_URL).to_string(),
                Within::Text => value.to_owned(),
            })
        };
        let filled = self.0.iter().map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Variable { variable, default } => value(variable, default.as_deref()),
        });
        filled.collect()
    }

    /// The text with a stand-in for each variable: to check what does not depend on them.
    pub fn with(&self, stand_in: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable { .. } => stand_in.to_owned(),
        };
        self.0.iter().map(part).collect()
    }

    /// What stands before the first variable; the whole text where there is none.
    pub fn head(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            Some(Part::Variable { .. }) | None => "",
        }
    }

    /// Whether there is no variable in it.
    pub fn is_literal(&self) -> bool {
        self.variables().next().is_none()
    }

    /// The variables in it, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Variable { variable, .. } => Some(variable),
        })
    }

    /// The variables behind the first place where a text stands, in one part of it.
    pub fn variables_after<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Variable> {
        let is_it =
            move |part: &&Part| matches!(part, Part::Text(literal) if literal.contains(text));
        let rest = self.0.iter().skip_while(move |part| !is_it(part));
        rest.filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Variable { variable, .. } => Some(variable),
        })
    }
}

impl Part {
    fn of(inside: &str) -> Result<Self, Error> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (inside, None),
        };
        Ok(Self::Variable {
            variable: Variable::parse(name)?,
            default,
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace("${", "$${")),
            Part::Variable {
                variable,
                default: None,
            } => write!(f, "{variable}"),
            Part::Variable {
                variable,
                default: Some(default),
            } => {
                write!(f, "${{{}:-{default}}}", variable.name())
            }
        })
    }
}

/// A value is one piece of a path at most. An empty one only where the default says so.
fn check(value: &str) -> Result<(), &'static str> {
    if value.len() > LONGEST {
        Err("is longer than 253 bytes")
    } else if value.contains('/') {
        Err("contains a /; give it one segment of the path")
    } else if value.contains("..") || value == "." {
        Err("is . or contains .., which lead elsewhere; use a version or a name")
    } else if value.contains(char::is_control) {
        Err("contains a control character, perhaps a line feed at its end; remove it")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;
    use crate::policy::Pod;
    use crate::volume::Claim;
    use crate::volume::interests::Facts;
    use crate::volume::objects::Metadata;

    fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretString> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), SecretString::from(*value));
        pairs.iter().map(pair).collect()
    }

    fn filled(text: &str, pairs: &[(&str, &str)], within: Within) -> Result<String, Error> {
        let (secrets, pod) = (secrets(pairs), pod());
        let claim = Claim {
            namespace: "shop".to_owned(),
            name: "data".to_owned(),
        };
        let values = Values {
            pod: Some(&pod),
            node: "n1",
            secrets: &secrets,
            claim: Some(&claim),
            facts: &facts(),
            swap: 7,
        };
        Template::parse(text)?.fill(&values, within)
    }

    fn pod() -> Pod {
        Pod {
            namespace: "shop".to_owned(),
            name: "web-0".to_owned(),
            uid: "0f6".to_owned(),
            service_account: "runner".to_owned(),
        }
    }

    fn facts() -> Facts {
        let said = Arc::new(Metadata {
            uid: "0f6".to_owned(),
            labels: BTreeMap::from([("app/v".to_owned(), "v1".to_owned())]),
            annotations: BTreeMap::from([("a".to_owned(), "noted".to_owned())]),
            class: None,
        });
        Facts {
            pod: Some(Arc::clone(&said)),
            claim: Some(said),
            volume: None,
        }
    }

    #[test]
    fn values_stand_where_their_variables_were() {
        for (text, expected) in [
            ("v2/sample.war", "v2/sample.war"),
            ("${secret['v']}", "2.1"),
            ("a${secret['v']}b${pod.name}", "a2.1bweb-0"),
            (
                "${pod.namespace}-${pod.uid}-${pod.serviceAccount}-${node.name}",
                "shop-0f6-runner-n1",
            ),
            ("${pod.labels['app/v']}${pod.annotations['a']}", "v1noted"),
            ("${pvc.labels['app/v']}${pvc.annotations['a']}", "v1noted"),
            ("${pvc.namespace}/${pvc.name}", "shop/data"),
            ("${secret['none']:-1.0}", "1.0"),
            ("${secret['empty']:-1.0}", "1.0"),
            ("${secret['none']:-}", ""),
            ("ROOT##${swap}.war", "ROOT##00000007.war"),
            ("$${secret['v']} costs $5", "${secret['v']} costs $5"),
            ("$", "$"),
            ("", ""),
        ] {
            let pairs = [("v", "2.1"), ("empty", "")];
            assert_eq!(
                filled(text, &pairs, Within::Text).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn in_a_url_a_value_is_data() {
        let url = |value| filled("/${secret['v']}/x", &[("v", value)], Within::Url).unwrap();
        assert_eq!(url("1.0+b1"), "/1.0%2Bb1/x");
        assert_eq!(url("a b?c#d%e&f=g"), "/a%20b%3Fc%23d%25e%26f%3Dg/x");
        assert_eq!(url("@example.com:80"), "/%40example.com%3A80/x");
    }

    #[test]
    fn what_cannot_be_read_or_filled_in_is_refused_and_no_value_is_shown() {
        let long = "canary".repeat(50);
        for (text, value, says) in [
            ("${secret['v']", "1", "is not closed"),
            (
                "${secret['v'/a?sig=canary",
                "1",
                "${secret['v' is not closed",
            ),
            ("${v?sig=canary}", "1", "unknown variable ${v}"),
            ("${}", "1", "unknown variable ${}"),
            ("${pod.ip}", "1", "unknown variable ${pod.ip}"),
            ("${secret[v]}", "1", "unknown variable"),
            ("${pod.labels['w']}", "1", "the pod has no such label"),
            (
                "${pvc.annotations['w']}",
                "1",
                "the claim has no such annotation",
            ),
            ("${secret['']}", "1", "unknown variable"),
            ("${secret['w']}", "1", "${secret['w']} has no value"),
            ("${secret['v']}", "", "has no value"),
            ("${secret['v']}", "canary/1", "contains a /"),
            ("${secret['v']}", "canary..", "contains .."),
            ("${secret['v']}", ".", "is ."),
            ("${secret['v']}", "canary\n", "control character"),
            ("${secret['v']}", &long, "longer than 253 bytes"),
            ("${secret['w']:-a/b}", "", "contains a /"),
        ] {
            let error = filled(text, &[("v", value)], Within::Url)
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn what_follows_a_text_is_found() {
        let template = Template::parse("${pod.name}##${swap}~${secret['v']}.war").unwrap();
        let names: Vec<_> = template.variables_after("##").map(Variable::name).collect();
        assert_eq!(names, ["swap", "secret['v']"]);
        assert_eq!(template.with("x"), "x##x~x.war");
    }

    proptest! {
        #[test]
        fn no_value_changes_the_host_or_leaves_its_segment(value in ".*") {
            let secrets = secrets(&[("v", &value)]);
            let pod = pod();
            let (facts, pods) = (Facts::default(), Some(&pod));
            let values = Values { pod: pods, node: "n1", secrets: &secrets, claim: None, facts: &facts, swap: 1 };
            let template = Template::parse("https://example.com/a/${secret['v']}/b.war").unwrap();
            if let Ok(text) = template.fill(&values, Within::Url) {
                let url = url::Url::parse(&text).unwrap();
                prop_assert_eq!(url.host_str(), Some("example.com"));
                prop_assert_eq!(url.path_segments().unwrap().count(), 3);
                prop_assert!(url.path().starts_with("/a/") && url.path().ends_with("/b.war"));
                prop_assert!(url.query().is_none() && url.fragment().is_none() && url.port().is_none());
            }
        }

        #[test]
        fn what_is_shown_reads_as_the_same(text in "(\\$\\{pod.name(:-x)?\\}|\\$|\\{|\\}|a|\\$\\$\\{)*") {
            if let Ok(template) = Template::parse(&text) {
                prop_assert_eq!(Template::parse(&template.to_string()), Ok(template));
            }
        }
    }
}
