//! How a run ends, and what it says meanwhile.

/// Anything that goes wrong ends the run: there is nobody to recover for.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Outcome<T = ()> = Result<T, Error>;

/// What happens, for whoever watches.
pub(crate) fn say(words: impl std::fmt::Display) {
    eprintln!("figures: {words}");
}
