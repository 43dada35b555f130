//! Archives, as far as they are looked into.
//!
//! So far only whether a zip can be read at all: what replaces an application that runs must be one. What is in it is
//! read by whoever unpacks it.

pub mod zip;
