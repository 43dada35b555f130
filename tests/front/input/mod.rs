//! Bad input, each with its exit code and its words: what was asked, what happened, what to do.

mod attributes;
mod names;
mod origins;
mod places;
mod reach;
mod sizes;
mod user;

pub(crate) use self::reach::names;
