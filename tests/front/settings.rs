//! Settings from the environment.

use std::collections::BTreeSet;

use clap::Command as Grammar;

use crate::origin::{Object, Origin};
use crate::sandbox::{Ran, Sandbox};

/// The variables of a command and of those below it.
fn variables(command: &Grammar) -> BTreeSet<String> {
    let own = command
        .get_arguments()
        .filter_map(|a| Some(a.get_env()?.to_str()?.to_owned()));
    let below = command.get_subcommands().flat_map(variables);
    own.chain(below).collect()
}

/// What a command that changes nothing says, with this variable as it is given or not set at all.
fn ran(
    sandbox: &Sandbox,
    arguments: &[&str],
    variable: &str,
    value: Option<&str>,
) -> (i32, String, String) {
    let mut command = sandbox.war_vol();
    command.args(arguments).env_remove(variable);
    if let Some(value) = value {
        command.env(variable, value);
    }
    let Ran {
        code,
        stdout,
        stderr,
    } = Ran::of(command.output().unwrap());
    (code, stdout, stderr)
}

#[test]
fn an_empty_variable_is_not_set_whatever_it_is_for() {
    let sandbox = Sandbox::new();
    let grammar = war_vol::cli::grammar();
    let all = variables(&grammar);
    assert!(all.len() > 20, "{all:?}");
    let origin = Origin::start();
    origin.put("/a.war", Object::new(b"bytes".to_vec()));
    let url = origin.url("/a.war");
    let commands: [&[&str]; 2] = [
        &["serve", "--check", "--mode", "controller"],
        &["fetch", &url, "-o", "out"],
    ];
    for variable in &all {
        // Those of the program as a whole are of every command.
        let takes = |name: &&str| {
            let command = grammar.find_subcommand(name).unwrap();
            variables(command).contains(variable)
                || grammar
                    .get_arguments()
                    .any(|a| a.get_env().is_some_and(|e| e == variable.as_str()))
        };
        let fitting: Vec<_> = commands.iter().filter(|c| takes(&c[0])).collect();
        assert!(!fitting.is_empty(), "no command here takes {variable}");
        for arguments in fitting {
            let unset = ran(&sandbox, arguments, variable, None);
            assert_eq!(
                ran(&sandbox, arguments, variable, Some("")),
                unset,
                "{variable} {arguments:?}"
            );
        }
    }
    // The mode is typed above, and so its variable was not read.
    let serve = ["serve", "--check"];
    let (code, _, said) = ran(&sandbox, &serve, "WAR_VOL_MODE", Some(""));
    assert_eq!((code, said.contains("--mode")), (2, true), "{said}");
    // It is heeded where it is set.
    let (code, ..) = ran(&sandbox, &serve, "WAR_VOL_MODE", Some("controller"));
    assert_eq!(code, 0);
    let (code, ..) = ran(&sandbox, commands[1], "WAR_VOL_MAX_SIZE", Some("1"));
    assert_eq!(code, 7);
}

#[test]
fn empty_credentials_are_none() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(b"bytes".to_vec()));
    let mut command = sandbox.war_vol();
    command.args(["fetch", &origin.url("/a.war"), "-o", "out"]);
    for name in ["WAR_VOL_TOKEN", "WAR_VOL_USERNAME", "WAR_VOL_PASSWORD"] {
        command.env(name, "");
    }
    Ran::of(command.output().unwrap()).must(0);
    for seen in origin.log() {
        assert!(
            !seen.headers.iter().any(|(n, _)| n == "authorization"),
            "{:?}",
            seen.headers
        );
    }
}
