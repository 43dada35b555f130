//! docs/reference.md says what the code says: attributes, commands and the chart's values.
//!
//! `WAR_VOL_WRITE=1` writes it anew.

mod values;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use clap::{Arg, Command};
use war_vol::source::Credentials;
use war_vol::volume::attributes::ATTRIBUTES;

pub(super) use self::values::values;
use super::root;

const REFERENCE: &str = "docs/reference.md";

#[test]
fn the_reference_is_what_the_code_says() {
    let right = document();
    let path = root().join(REFERENCE);
    if std::env::var_os("WAR_VOL_WRITE").is_some() {
        fs::write(&path, &right).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == right,
        "{REFERENCE} is out of date; regenerate it with \
         WAR_VOL_WRITE=1 cargo test --test front -- docs::reference"
    );
}

fn document() -> String {
    let mut text = "\
# Reference

Every volume attribute, every command with its flags, and every value of the chart. This page is generated from the
source. How to use them is in [volumes.md](volumes.md), [cache.md](cache.md) and [install.md](install.md).

- [Attributes](#attributes), [parameters](#parameters-of-a-storageclass) and [keys of a Secret](#keys-of-a-secret)
- [Commands](#commands)
- [Values of the chart](#values-of-the-chart)

## Attributes

Set them as `volumeAttributes` of an inline volume, or as `parameters` of a StorageClass. Values are strings, so quote
numbers. Unknown attributes are rejected by name.

| attribute | meaning |
|---|---|
"
    .to_owned();
    for (name, meaning) in ATTRIBUTES {
        row(&mut text, &[&tick(name), meaning]);
    }
    text += "
## Parameters of a StorageClass

A StorageClass also accepts Kubernetes' own parameters. These two name the Secret with the credentials; its keys are listed
below. To give each claim its own Secret, use the placeholders: external-provisioner fills them in.

| parameter | meaning |
|---|---|
| `csi.storage.k8s.io/node-publish-secret-name` | name of the Secret; may contain `${pvc.name}` and `${pvc.namespace}` |
| `csi.storage.k8s.io/node-publish-secret-namespace` | its namespace; may contain `${pvc.namespace}` |

## Keys of a Secret

The Secret is the one that a pod names with `nodePublishSecretRef`, or that a StorageClass names. It holds a token, or a
user name and a password, and optionally headers. Any other key is rejected.

| key | meaning |
|---|---|
";
    for key in Credentials::KEYS {
        row(&mut text, &[&tick(key), secret(key)]);
    }
    let header = [
        "`header.NAME`",
        "sent as the header NAME, to the URL's own origin only; not `Host`, `Range`, `If-…` or others that the driver sets",
    ];
    row(&mut text, &header);
    text += "
## Commands

Each flag can also be set by the environment variable beside it; the flag wins. `war-vol help COMMAND` prints the same.
";
    let mut grammar = war_vol::cli::grammar();
    grammar.build();
    commands(&mut text, &grammar, "war-vol");
    for group in GROUPS {
        write!(text, "\n### {}\n\n", group.title).unwrap();
        table(&mut text, group.of(&grammar));
    }
    text += "
### Exit codes

```text
";
    text += grammar.get_after_help().unwrap().to_string().trim_end();
    text += "
```

## Values of the chart

Set them with `helm install … --set NAME=VALUE`, or in a file with `--values`. The chart validates all values before it
installs anything. `null` removes a default; the default of the program or of Kubernetes then applies.

| value | type | default | meaning |
|---|---|---|---|
";
    for value in values() {
        let default = tick(&value.default);
        let cells = [&*tick(&value.name), &value.kind, &default, &value.meaning];
        row(&mut text, &cells);
    }
    text
}

/// Flags that several commands share, shown once.
struct Group {
    /// Their heading in the help.
    heading: &'static str,
    title: &'static str,
    words: &'static str,
}

const GROUPS: [Group; 2] = [
    Group {
        heading: "Store",
        title: "Store flags",
        words: "[store flags](#store-flags)",
    },
    Group {
        heading: "Downloading",
        title: "Download flags",
        words: "[download flags](#download-flags)",
    },
];

impl Group {
    /// They are those of `serve`, which has all groups.
    fn of<'a>(&self, grammar: &'a Command) -> Vec<&'a Arg> {
        let serve = grammar.find_subcommand("serve").unwrap();
        let all = serve.get_arguments();
        all.filter(|a| a.get_help_heading() == Some(self.heading))
            .collect()
    }

    fn ids(&self) -> BTreeSet<String> {
        let grammar = war_vol::cli::grammar();
        let ids = self.of(&grammar).into_iter();
        ids.map(|a| a.get_id().to_string()).collect()
    }
}

fn commands(text: &mut String, command: &Command, name: &str) {
    let about = command.get_about().unwrap().to_string();
    write!(text, "\n### {name}\n\n{}.\n", about.trim_end_matches('.')).unwrap();
    let is_top = name == "war-vol";
    let mut own: Vec<&Arg> = command
        .get_arguments()
        .filter(|a| !a.is_hide_set() && !["help", "version"].contains(&a.get_id().as_str()))
        .filter(|a| is_top || !a.is_global_set())
        .collect();
    let inner: Vec<&Command> = command
        .get_subcommands()
        .filter(|c| c.get_name() != "help" && !c.is_hide_set())
        .collect();
    if is_top {
        *text += "\nAll commands accept these flags:\n";
    } else if inner.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        write!(text, "\n```text\n{usage}\n```\n").unwrap();
    }
    let mut shared = Vec::new();
    for group in GROUPS {
        let ids = group.ids();
        let has = own.iter().filter(|a| ids.contains(a.get_id().as_str()));
        // What has only some of them has those in its own table: the shared one would promise the others, too.
        if has.count() == ids.len() {
            shared.push(group.words);
            own.retain(|a| !ids.contains(a.get_id().as_str()));
        }
    }
    if !own.is_empty() {
        *text += "\n";
        table(text, own);
    }
    if !shared.is_empty() {
        write!(text, "\nAlso the {}.\n", shared.join(" and ")).unwrap();
    }
    for command in inner {
        commands(text, command, &format!("{name} {}", command.get_name()));
    }
}

fn table(text: &mut String, arguments: Vec<&Arg>) {
    *text += "| flag | environment | default | meaning |\n|---|---|---|---|\n";
    for arg in arguments {
        flag(text, arg);
    }
}

fn flag(text: &mut String, arg: &Arg) {
    let value = arg.get_value_names().unwrap_or_default();
    let value = value.first().map_or("", |v| v.as_str());
    let name = match (arg.get_short(), arg.get_long()) {
        (_, None) => format!("`{value}`"),
        (short, Some(long)) => {
            let short = short.map_or_else(String::new, |s| format!("`-{s}`, "));
            let takes = arg.get_action().takes_values();
            let value = if takes {
                format!(" {value}")
            } else {
                String::new()
            };
            format!("{short}`--{long}{value}`")
        }
    };
    let env = arg.get_env().map_or("", |e| e.to_str().unwrap());
    let help = arg.get_help().unwrap().to_string();
    let (help, written) = match help.split_once(" [default: ") {
        Some((help, default)) => (help, default.trim_end_matches(']')),
        None => (&*help, ""),
    };
    let set: Vec<&str> = arg
        .get_default_values()
        .iter()
        .filter_map(|v| v.to_str())
        .collect();
    let takes = arg.get_action().takes_values();
    let default = match (set.first(), written) {
        (Some(value), "") if takes => tick(value),
        (Some(_) | None, words) => words.to_owned(),
    };
    let mut meaning = format!("{}.", help.trim_end_matches('.'));
    let possible = arg.get_possible_values();
    if takes && !possible.is_empty() {
        let words: Vec<String> = possible
            .iter()
            .map(|p| match p.get_help() {
                Some(help) => format!("{} ({help})", tick(p.get_name())),
                None => tick(p.get_name()),
            })
            .collect();
        write!(meaning, " One of {}.", words.join(", ")).unwrap();
    }
    row(text, &[&name, &tick(env), &default, &meaning]);
}

fn secret(key: &str) -> &'static str {
    match key {
        "token" => "sent as `Authorization: Bearer …`",
        "username" => "sent with `password` as `Authorization: Basic …`",
        "password" => "belongs to `username`",
        other => panic!("no word for the key {other}"),
    }
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|c| cell(c)).collect();
    writeln!(text, "| {} |", cells.join(" | ")).unwrap();
}

/// What would end a cell, or pass for a tag of HTML outside of code.
fn cell(words: &str) -> String {
    let parts: Vec<String> = words
        .split('`')
        .enumerate()
        .map(|(i, part)| {
            let part = part.replace('|', "\\|");
            if i % 2 == 0 {
                part.replace('<', "\\<")
            } else {
                part
            }
        })
        .collect();
    parts.join("`")
}

fn tick(word: &str) -> String {
    if word.is_empty() {
        String::new()
    } else {
        format!("`{word}`")
    }
}
