//! Which taint, and how it alone is removed.

use std::fmt;
use std::str::FromStr;

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation, RemoveOperation, TestOperation};
use serde_json::Value;

use super::Error;

/// The key of the taint that stands for a driver that is not there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match wrong(text) {
            None => Ok(Self(text.to_owned())),
            Some(why) => Err(Error::Key {
                key: crate::artifact::shown(text),
                why,
            }),
        }
    }
}

/// The prefix of the taints that the cluster autoscaler takes for passing ones, whatever the name after it.
const AUTOSCALERS: &str = "startup-taint.cluster-autoscaler.kubernetes.io";

/// What is wrong with a key: a qualified name, with a prefix so that it is somebody's, and not that of Kubernetes.
fn wrong(text: &str) -> Option<&'static str> {
    let Some((prefix, name)) = text.split_once('/') else {
        return Some("it has no prefix");
    };
    let ends = |part: &str| {
        let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        end(part.bytes().next()) && end(part.bytes().last())
    };
    let label = |part: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        ends(part) && part.bytes().all(plain)
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.contains([':', '=']) {
        return Some("omit value and effect: the key stands for all its taints");
    }
    if prefix.len() > 253 || !prefix.split('.').all(label) {
        return Some("its prefix is not a DNS name");
    }
    if name.len() > 63 || !ends(name) || !name.bytes().all(plain) {
        return Some("its name is not valid in a key");
    }
    let within = |domain: &str| {
        let rest = prefix.strip_suffix(domain);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let reserved = within("kubernetes.io") || within("k8s.io");
    (reserved && prefix != AUTOSCALERS).then_some("it is reserved for Kubernetes")
}

impl Key {
    /// The JSON patch (RFC 6902) that removes every taint of this key, whatever its effect; none if there is none.
    ///
    /// Each is removed only if it is still the one that was seen, and the last one first, so that the places of the
    /// others stay. What somebody else does to the other taints meanwhile stays, or makes the whole patch fail.
    pub(super) fn removed_from(&self, taints: &[Value]) -> Option<Patch> {
        let ours = taints.iter().enumerate().rev();
        let ours = ours.filter(|(_, taint)| taint.get("key").is_some_and(|key| *key == self.0));
        let operations: Vec<PatchOperation> = ours
            .flat_map(|(at, taint)| {
                let path = PointerBuf::from_tokens(["spec", "taints", &at.to_string()]);
                let value = taint.clone();
                [
                    PatchOperation::Test(TestOperation {
                        path: path.clone(),
                        value,
                    }),
                    PatchOperation::Remove(RemoveOperation { path }),
                ]
            })
            .collect();
        (!operations.is_empty()).then_some(Patch(operations))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> Key {
        "war-vol.example.com/agent-not-ready".parse().unwrap()
    }

    #[test]
    fn each_taint_of_the_key_is_removed_the_last_first_and_no_other_is_named() {
        let ours = |effect: &str| json!({ "key": key().0, "effect": effect, "timeAdded": "now" });
        let other = json!({ "key": "example.com/other", "effect": "NoSchedule" });
        let longer = json!({ "key": format!("{}-2", key().0), "effect": "NoSchedule" });
        let taints = [ours("NoExecute"), other.clone(), longer, ours("NoSchedule")];
        let patch = key().removed_from(&taints).unwrap();
        assert_eq!(
            serde_json::to_value(patch).unwrap(),
            json!([
                { "op": "test", "path": "/spec/taints/3", "value": ours("NoSchedule") },
                { "op": "remove", "path": "/spec/taints/3" },
                { "op": "test", "path": "/spec/taints/0", "value": ours("NoExecute") },
                { "op": "remove", "path": "/spec/taints/0" },
            ])
        );
        assert_eq!(key().removed_from(&[other, json!("odd")]), None);
        assert_eq!(key().removed_from(&[]), None);
    }

    #[test]
    fn only_a_key_that_can_be_the_drivers_own_is_taken() {
        let said = |text: &str| text.parse::<Key>().unwrap_err().to_string();
        let long = format!("example.com/{}", "x".repeat(64));
        for (text, part) in [
            ("", "no prefix"),
            ("agent-not-ready", "no prefix"),
            (
                "example.com/agent-not-ready:NoSchedule",
                "omit value and effect",
            ),
            (
                "example.com/agent-not-ready=:NoSchedule",
                "omit value and effect",
            ),
            ("example.com/", "its name is not valid"),
            (&long, "its name is not valid"),
            ("example.com/a/b", "its name is not valid"),
            ("Example.com/a", "not a DNS name"),
            ("/a", "not a DNS name"),
            ("node.kubernetes.io/not-ready", "reserved for Kubernetes"),
            ("k8s.io/a", "reserved for Kubernetes"),
        ] {
            assert!(said(text).contains(part), "{text}: {}", said(text));
        }
        for text in [
            "war-vol.geektime.org/agent-not-ready",
            "mykubernetes.io/A_b.c",
            "startup-taint.cluster-autoscaler.kubernetes.io/war-vol",
        ] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
    }
}
