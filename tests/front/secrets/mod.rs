//! FAULTS 44: canaries in every place where a secret may be, at every step at which a command may fail, with all that
//! can be logged. None sings.

pub(crate) mod cage;
mod steps;
mod words;
