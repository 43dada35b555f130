//! Logging: one line per event on stderr, as text for people or JSON for collectors.
//!
//! Invariant: what reaches a log has gone through a type that redacts itself; nothing is logged as it came.

use std::str::FromStr;

use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Human-readable lines
    Text,
    /// One JSON object per line, for log collectors
    Json,
}

/// How much is logged: a level, and others for single modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level(String);

impl Level {
    /// The names of the levels, the quietest first.
    pub const NAMES: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

    /// One of [`Level::NAMES`].
    pub fn named(name: &'static str) -> Self {
        Self(name.to_owned())
    }
}

/// A level, or several of `MODULE=LEVEL` with commas between them. A word that is no level would be taken for the name of
/// a module, and nothing would be logged.
impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_level = |name: &str| Self::NAMES.contains(&&*name.to_ascii_lowercase());
        let is_module = |name: &str| {
            let mut all = name.bytes();
            !name.is_empty() && all.all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
        };
        let is_right = |word: &str| match word.split_once('=') {
            Some((module, level)) => is_module(module) && is_level(level),
            None => is_level(word),
        };
        if !text.split(',').all(is_right) {
            return Err(format!(
                "not a log level; use {}, or MODULE=LEVEL, separated by commas",
                Self::NAMES.join(", ")
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Starts logging. A second start in one process is ignored.
pub fn start(format: Format, level: &Level) -> Result<(), String> {
    let filter = Targets::from_str(&level.0).map_err(|e| format!("the log level: {e}"))?;
    let filter = filter.and(filter_fn(|event| !is_foreign(event.target())));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let started = match format {
        Format::Text => {
            let lines = lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            registry().with(lines.with_filter(filter)).try_init()
        }
        Format::Json => registry().with(lines.json().with_filter(filter)).try_init(),
    };
    drop(started);
    Ok(())
}

/// What libraries say of their own holds URLs, headers and names as they are: it is never logged, whatever is asked for.
fn is_foreign(target: &str) -> bool {
    target.split("::").next() != Some(env!("CARGO_CRATE_NAME"))
}
