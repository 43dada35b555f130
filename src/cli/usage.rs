//! What is said to whoever typed no command, or a wrong one.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{Error, ErrorKind};
use serde_json::json;

use super::args::{Cli, Output};
use super::exit;
use crate::fault::{self, Fault};

/// Ends a command line that is none: help and version on stdout and with 0, everything else on stderr and with 2.
pub(super) fn end(error: &Error, arguments: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        eprint!("{}", short_help(arguments));
    } else {
        let _ = error.print();
    }
    if output(arguments) == Output::Json {
        let data = json!({ "fault": Fault::Invalid.name(), "message": message(error) });
        // A reader that has seen enough is no error.
        let _ = writeln!(std::io::stdout(), "{}", json!({ "error": data }));
    }
    exit::exit(Fault::Invalid)
}

/// Of the commands that there are, a line each; the whole of it is asked for.
fn short_help(arguments: &[OsString]) -> String {
    let mut command = Cli::grammar();
    let mut inner = String::new();
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(found) = command.find_subcommand(word) {
            command = found.clone();
            inner = format!("{inner} {word}");
        }
    }
    let rest = match &*inner {
        "" => " COMMAND",
        inner => inner,
    };
    let hint = format!("All flags and exit codes: war-vol help{rest}");
    let usage = format!("war-vol{inner} [OPTIONS] <COMMAND>");
    command
        .disable_help_subcommand(true)
        .mut_subcommands(|one| {
            let about = one.get_about().map(ToString::to_string).unwrap_or_default();
            let first = about.split(". ").next().unwrap_or_default().to_owned();
            one.about(first)
        })
        .override_usage(usage)
        .help_template(format!(
            "{{about}}\n{{usage-heading}} {{usage}}\n\n{{subcommands}}\n\n{hint}\n"
        ))
        .after_help("")
        .render_help()
        .to_string()
}

/// What is wrong, in one line; what is behind it (usage, a hint at the help) is for people.
fn message(error: &Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "no command given; run war-vol help for a list".to_owned();
    }
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ");
    let what = text.split("\nUsage:").next().unwrap_or(text);
    let what = what.split("\nFor more information").next().unwrap_or(what);
    let words: Vec<&str> = what.split_whitespace().collect();
    fault::line(&words.join(" "))
}

/// How results were to be printed, as far as that can be told of a line that cannot be read.
fn output(arguments: &[OsString]) -> Output {
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    let mut found = Output::Text;
    while let Some(word) = words.next() {
        let value = match word {
            "--" => break,
            "--output" => words.next(),
            _ => word.strip_prefix("--output="),
        };
        if value == Some("json") {
            found = Output::Json;
        }
    }
    found
}
