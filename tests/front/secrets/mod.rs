//! Canaries in every place where a secret may be, at every step at which a command may fail, with all that can be
//! logged (docs/design/faults.md, 44). None sings.

pub(crate) mod cage;
mod steps;
mod words;
