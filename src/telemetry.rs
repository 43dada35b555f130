//! Logging: one line per event on stderr, as text for people or JSON for collectors.
//!
//! Invariant: what reaches a log has gone through a type that redacts itself; nothing is logged as it came.

use std::str::FromStr;

use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// Starts logging. A second start in one process is ignored.
pub fn start(format: Format, level: &str) -> Result<(), String> {
    let filter =
        EnvFilter::from_str(level).map_err(|e| format!("the log level \"{level}\": {e}"))?;
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
