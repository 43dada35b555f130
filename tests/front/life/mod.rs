//! Volumes come and go: many at once, twice, too early, too late, and against each other.

pub(crate) mod ends;
mod laws;
mod races;
mod roots;
mod together;
