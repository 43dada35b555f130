//! The origin does on the wire what it says, as seen by a client that believes nothing.
//!
//! An origin that does not misbehave would make every test green that stands on it.

mod client;
mod combine;
mod connection;
mod ends;
mod frame;
mod honest;
mod instead;
mod model;
mod range;

use super::{Behaviour, Object, Origin, RetryAfter, Spell, Times, Validator};

use Behaviour as B;

const PATH: &str = "/v2/sample.war";

/// Bytes in which no two places look alike.
fn sample(size: u64) -> Vec<u8> {
    (0..size)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect()
}

/// An origin with a thousand bytes that meet these.
fn origin(spells: Vec<Spell>) -> Origin {
    with_sample(Origin::start(), spells)
}

fn tls_origin(spells: Vec<Spell>) -> Origin {
    with_sample(Origin::start_tls(), spells)
}

fn with_sample(origin: Origin, spells: Vec<Spell>) -> Origin {
    origin.put(PATH, Object::new(sample(1000)));
    origin.behave(PATH, spells);
    origin
}
