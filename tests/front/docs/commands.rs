//! What a document shows can be typed: commands of war-vol, and values of its chart.

use super::{Block, blocks, code, texts};
use crate::docs::reference::values;

#[test]
fn the_commands_that_a_document_shows_are_taken() {
    let mut shown = 0;
    for (file, text) in texts() {
        for line in blocks(&text).iter().flat_map(typed) {
            let Some(words) = ours(&line) else { continue };
            match war_vol::cli::grammar().try_get_matches_from(words) {
                Err(e) if e.use_stderr() => panic!("{file}: {line}\n{e}"),
                Ok(_) | Err(_) => shown += 1,
            }
        }
    }
    assert!(shown > 5, "{shown}");
}

#[test]
fn the_values_that_a_document_names_are_values_of_the_chart() {
    let values: Vec<String> = values().into_iter().map(|v| v.name).collect();
    let is_known = |name: &str| {
        values.iter().any(|v| {
            let below =
                |a: &str, b: &str| a.strip_prefix(b).is_some_and(|r| r.starts_with(['.', '[']));
            v == name || below(name, v) || below(v, name)
        })
    };
    let mut named = 0;
    for (file, text) in texts() {
        for line in blocks(&text).iter().flat_map(typed) {
            for name in set(&line) {
                assert!(is_known(&name), "{file}: there is no value {name}: {line}");
                named += 1;
            }
        }
        for span in code(&text) {
            let (head, rest) = span.split_once('.').unwrap_or_default();
            let is_path = rest.chars().all(|c| c.is_ascii_alphabetic() || c == '.');
            if ["node", "controller", "image"].contains(&head) && is_path && rest != "sh" {
                assert!(is_known(&span), "{file}: there is no value {span}");
                named += 1;
            }
        }
    }
    assert!(named > 5, "{named}");
}

#[test]
fn a_command_is_found_behind_prompts_and_kubectl() {
    let text = "```console\n# war-vol cache ls  # all\nout war-vol x\n```\n\n```sh\nkubectl exec x -- \\\n  war-vol volumes | head\nmake\n```\n";
    let lines: Vec<String> = blocks(text).iter().flat_map(typed).collect();
    let found: Vec<Vec<String>> = lines.iter().filter_map(|l| ours(l)).collect();
    assert_eq!(
        found,
        [vec!["war-vol", "cache", "ls"], vec!["war-vol", "volumes"]]
    );
}

/// The command lines of a block: of a console those behind a prompt, of a script all.
fn typed(block: &Block) -> Vec<String> {
    let text = block.lines.join("\n").replace("\\\n", " ");
    let lines = text.lines();
    match &*block.language {
        "sh" => lines
            .filter(|l| !l.trim_start().starts_with('#'))
            .map(str::to_owned)
            .collect(),
        "console" => lines
            .filter_map(|l| l.strip_prefix("# ").or(l.strip_prefix("$ ")))
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// The words from `war-vol` on, up to where the shell takes over again.
fn ours(line: &str) -> Option<Vec<String>> {
    let ends = ["|", ">", "<", "#", "&&", "||", "2>", ";"];
    let words: Vec<&str> = line
        .split_whitespace()
        .take_while(|w| !ends.contains(w))
        .collect();
    let is_command = |i: &usize| {
        let before = i.checked_sub(1).map(|b| words[b]);
        words[*i] == "war-vol" && before.is_none_or(|b| ["--", "sudo", "exec"].contains(&b))
    };
    let from = (0..words.len()).find(is_command)?;
    let words = words[from..].iter();
    Some(
        words
            .map(|w| w.trim_matches(['\'', '"']).to_owned())
            .collect(),
    )
}

/// The names that a call of helm sets.
fn set(line: &str) -> Vec<String> {
    if !line.split_whitespace().any(|w| w == "helm") {
        return Vec::new();
    }
    let text = line.replace("--set=", "--set ");
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| ["--set", "--set-string", "--set-json", "--set-file"].contains(&pair[0]))
        .flat_map(|pair| {
            let all = pair[1].trim_matches(['\'', '"']);
            // Of several behind one --set; what is behind a comma and no assignment belongs to the value before.
            all.split(',').filter_map(|one| one.split_once('='))
        })
        .map(|(name, _)| name.replace("\\.", "."))
        .collect()
}
