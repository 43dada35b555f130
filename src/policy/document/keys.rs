//! The keys of the policy file, and the words that are values. `deploy/policy.schema.json` has the same ones.

pub(super) const DOCUMENT: &[&str] = &["preset", "contact", "rules", "claims"];

/// Of a rule for claims.
pub(super) const CLAIM: &[&str] = &[
    "storageClasses",
    "name",
    "namespaces",
    "namespaceLabels",
    "serviceAccounts",
    "allow",
    "deny",
    "require",
    "maxSize",
    "cacheSize",
    "credentials",
];

/// Of a rule for inline volumes and the command line, which have no StorageClass.
pub(super) const RULE: &[&str] = CLAIM.split_at(1).1;

pub(super) const ALLOW: &[&str] = &["urls", "plainHTTP", "addresses", "denyAddresses"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::{Document, Preset, Proof};
    use super::*;

    fn schema() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/policy.schema.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        words.into_iter().collect()
    }

    #[test]
    fn the_schema_has_the_keys_and_words_of_the_parser() {
        let schema = schema();
        for (place, keys) in [
            ("", DOCUMENT),
            ("/definitions/rule", RULE),
            ("/definitions/claim", CLAIM),
            ("/definitions/allow", ALLOW),
        ] {
            let object = schema.pointer(place).unwrap();
            let properties = object["properties"].as_object().unwrap();
            let named = set(properties.keys().map(String::as_str));
            assert_eq!(named, set(keys.iter().copied()), "{place}");
            assert_eq!(object["additionalProperties"], false, "{place}");
        }
        let words = |place: &str| {
            let words = schema.pointer(place).unwrap()["enum"].as_array().unwrap();
            set(words.iter().map(|word| word.as_str().unwrap()))
        };
        assert_eq!(
            words("/properties/preset"),
            set(Preset::WORDS.map(|(w, _)| w))
        );
        assert_eq!(
            words("/definitions/require"),
            set(Proof::WORDS.map(|(w, _)| w))
        );
        let default = Preset::default().name();
        assert_eq!(schema["properties"]["preset"]["default"], default);
    }

    /// A key that nobody reads would be taken and mean nothing.
    #[test]
    fn each_key_means_something() {
        let wrong = "{ x: [] }"; // no value of any key
        for (around, keys) in [
            ("@: $", DOCUMENT),
            ("rules: [{ name: a, @: $ }]", RULE),
            ("claims: [{ name: a, @: $ }]", CLAIM),
            ("rules: [{ name: a, allow: { @: $ } }]", ALLOW),
        ] {
            for key in keys.iter().filter(|key| **key != "name") {
                let text = around.replace('@', key).replace('$', wrong);
                let error = Document::parse(text.as_bytes()).unwrap_err().to_string();
                assert!(error.contains(key), "{text}: {error}");
            }
        }
    }
}
