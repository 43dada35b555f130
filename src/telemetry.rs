//! Logging: one line per event on stderr, as text for people or JSON for collectors.
//!
//! Invariant: what reaches a log has gone through a type that redacts itself; nothing is logged as it came.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;

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
    // The HTTP client's own events hold URLs as they are: they are never logged, at any level.
    let filter = [
        "hyper_util=off",
        "hyper=off",
        "reqwest=off",
        "hickory_resolver=off",
        "hickory_proto=off",
        "rustls=off",
    ]
    .into_iter()
    .filter_map(|directive| directive.parse().ok())
    .fold(filter, EnvFilter::add_directive);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        Format::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        Format::Json => lines.json().try_init(),
    };
    drop(started);
    Ok(())
}
