//! The values of the chart: defaults and comments from values.yaml, types from the schema.

use serde_json::Value as Json;

use super::super::read;

/// A value that can be set, as the document shows it.
pub(crate) struct Value {
    /// As after `--set`.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) default: String,
    pub(crate) meaning: String,
}

/// What has the name and the meaning that it has in Kubernetes' own objects.
const KUBERNETES: [&str; 12] = [
    "affinity",
    "dnsConfig",
    "hostAliases",
    "imagePullSecrets",
    "nodeSelector",
    "podAnnotations",
    "podLabels",
    "priorityClassName",
    "pullPolicy",
    "resources",
    "tolerations",
    "topologySpreadConstraints",
];

/// All of them, in the order of values.yaml.
pub(crate) fn values() -> Vec<Value> {
    let schema: Json =
        serde_json::from_str(&read("deploy/charts/war-vol/values.schema.json")).unwrap();
    let text = read("deploy/charts/war-vol/values.yaml");
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    section(&lines, &schema, &schema, ("", ""), &mut found);
    found
}

/// The keys of one mapping, and below them: what the schema gives properties is a mapping, all else a value.
fn section(
    lines: &[&str],
    root: &Json,
    schema: &Json,
    (path, above): (&str, &str),
    found: &mut Vec<Value>,
) {
    let mut described: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    let mut comment = String::new();
    let mut rest = lines;
    while let Some((line, after)) = rest.split_first() {
        rest = after;
        let text = line.trim_start();
        if let Some(words) = text.strip_prefix('#') {
            comment += words;
            continue;
        }
        if text.is_empty() {
            comment.clear();
            continue;
        }
        // The items of a list may stand as far left as its key.
        let item = |l: &str| indent(l) == indent(line) && l.trim_start().starts_with("- ");
        let inside = |l: &&&str| indent(l) > indent(line) || l.trim().is_empty() || item(l);
        let below: Vec<&str> = after.iter().take_while(inside).copied().collect();
        rest = &after[below.len()..];
        let (key, value) = text
            .split_once(':')
            .unwrap_or_else(|| panic!("no key: {line}"));
        let name = format!("{path}{key}");
        let known = &schema["properties"][key];
        assert!(known.is_object(), "the schema does not know {name}");
        described.retain(|k| *k != key);
        let known = resolved(root, known);
        let own = std::mem::take(&mut comment).trim().to_owned();
        let meaning = if own.is_empty() {
            above.to_owned()
        } else {
            own
        };
        if known["properties"].is_object() {
            section(&below, root, known, (&format!("{name}."), &meaning), found);
        } else {
            found.push(Value {
                kind: kind(known),
                default: default(value.trim(), &below),
                meaning: meant(&name, key, meaning),
                name,
            });
        }
    }
    described.retain(|k| *k != "global");
    assert!(
        described.is_empty(),
        "values.yaml lacks {described:?} of the schema, below \"{path}\""
    );
}

fn meant(name: &str, key: &str, meaning: String) -> String {
    match () {
        () if !meaning.is_empty() => meaning,
        () if KUBERNETES.contains(&key) => "As in Kubernetes.".to_owned(),
        () => panic!("{name} has no comment in values.yaml"),
    }
}

/// A mapping or a list of several lines is shown in one.
fn default(value: &str, below: &[&str]) -> String {
    let lines: Vec<&str> = below
        .iter()
        .map(|l| l.trim())
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .collect();
    match lines.first() {
        None => value.to_owned(),
        Some(first) if first.starts_with("- ") => {
            let items: Vec<&str> = lines.iter().map(|l| l.trim_start_matches("- ")).collect();
            format!("[{}]", items.join(", "))
        }
        Some(_) => format!("{{ {} }}", lines.join(", ")),
    }
}

/// That each may be dropped by `null` is said once, for all.
fn kind(schema: &Json) -> String {
    if let Some(allowed) = schema["enum"].as_array() {
        let words: Vec<String> = allowed
            .iter()
            .filter(|w| !w.is_null() && w.as_str() != Some(""))
            .map(|w| w.as_str().map_or_else(|| w.to_string(), str::to_owned))
            .collect();
        return words.join(", ");
    }
    let kind = &schema["type"];
    let name = match (kind.as_str(), kind.as_array()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(names)) => {
            let names = names.iter().filter_map(Json::as_str);
            let names: Vec<&str> = names.filter(|name| *name != "null").collect();
            names.join(" or ")
        }
        (None, None) => panic!("a value of no type: {schema}"),
    };
    match (&schema["minimum"], &schema["maximum"]) {
        (Json::Number(least), Json::Number(most)) => format!("{name}, {least} to {most}"),
        (Json::Number(least), _) => format!("{name}, at least {least}"),
        _ => name,
    }
}

fn resolved<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    schema["$ref"].as_str().map_or(schema, |place| {
        root.pointer(place.trim_start_matches('#')).unwrap()
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
