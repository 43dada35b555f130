//! How a command says what it has to say: data on stdout, words on stderr.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::{Cli, Command, Fetch, Output};
use super::exit;
use crate::app::{self, Error};
use crate::fault::{self, Reader};

/// How and where a command speaks.
#[derive(Clone, Copy)]
pub(super) struct Voice {
    pub(super) output: Output,
    /// Who reads its errors.
    pub(super) reader: Reader,
    /// Results go to stderr, because stdout is the artifact's.
    on_stderr: bool,
    /// Errors and results alone.
    pub(super) quiet: bool,
}

impl Voice {
    /// As it was typed.
    pub(super) fn of(cli: &Cli) -> Self {
        let (reader, on_stderr) = if let Command::Fetch(args) = &cli.command {
            (Reader::Fetch, takes_stdout(args))
        } else {
            (Reader::Mount, false)
        };
        Self {
            output: cli.output,
            reader,
            on_stderr,
            quiet: cli.quiet,
        }
    }

    /// What is good to know and no result.
    pub(super) fn remark(self, words: &str) {
        if !self.quiet {
            eprintln!("{}", fault::line(&words));
        }
    }

    /// For whoever has to wait for another process.
    pub(super) fn says_it_waits(self) -> impl FnOnce(&str) {
        move |locked: &str| self.remark(&format!("{locked}; waiting for it to finish"))
    }

    /// The last word of a command.
    pub(super) fn say(self, report: Result<Report, Error>) -> ExitCode {
        match report {
            Ok(report) => {
                match self.output {
                    Output::Text => self.result(&report.text),
                    Output::Json => self.result(&report.data.to_string()),
                }
                report.code
            }
            Err(error) => {
                let line = self.failure(&error);
                if self.output == Output::Json {
                    self.result(&json!({ "error": of(&error, &line) }).to_string());
                }
                exit::exit(error.fault())
            }
        }
    }

    /// An error, on stderr; gives its words.
    pub(super) fn failure(self, error: &Error) -> String {
        let line = self.reader.line(error);
        eprintln!("war-vol: {line}");
        line
    }

    /// A result, for people or programs.
    pub(super) fn result(self, text: &str) {
        if self.on_stderr && !text.is_empty() {
            eprintln!("{text}");
        } else if !text.is_empty() {
            // A reader that has seen enough (`| head`) is no error.
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }
}

/// An error for programs.
pub(super) fn of(error: &Error, line: &str) -> Value {
    json!({ "fault": error.fault().name(), "message": line })
}

/// What a command has to say.
pub(super) struct Report {
    /// For people, on stdout.
    pub(super) text: String,
    /// For programs, on stdout.
    pub(super) data: Value,
    /// How it ended.
    pub(super) code: ExitCode,
}

impl Report {
    pub(super) fn done(text: impl Into<String>, data: Value) -> Self {
        Self {
            text: text.into(),
            data,
            code: ExitCode::SUCCESS,
        }
    }
}

/// Whether standard output is the artifact's, so that everything else goes to standard error.
fn takes_stdout(args: &Fetch) -> bool {
    args.file.as_deref().is_some_and(app::is_stdout)
}
