//! Where bytes come from.
//!
//! Owns the one question that is asked of an origin, "give me this object from here on", and the words of the
//! answer. What an artifact's source is, [`Factory`] knows: a source only says which requests over HTTP bring the
//! object, and one engine, in [`http`], sends them all. So redirects, address rules, resume and time limits exist once.
//!
//! Invariant: what a [`Source`] hands out is what the origin sent, byte for byte and in order, from the offset that
//! the answer names. Whether these are the *right* bytes is not decided here but where they are hashed.
//! A source sends credentials to the origin that they were given for and to no other.

mod credentials;
mod error;
mod factory;
pub mod http;
mod kind;

pub use self::credentials::{Credentials, Wrong};
pub use self::error::Error;
pub use self::factory::{Factory, Source};
pub use self::kind::{Kind, Retry};
use crate::artifact::{ArtifactUrl, Facts, Revision, Validator};
use bytes::Bytes;
use futures_util::stream::BoxStream;

/// What every source comes down to: a request over HTTP that brings the object, from any byte on.
struct HttpRequest {
    url: ArtifactUrl,
    /// Sign each request to the URL's own origin, and no other one.
    credentials: Credentials,
}

/// From where on an object is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// The whole object.
    Beginning,
    /// What comes after the bytes that are there already; the whole object if it is not in the state given any more
    /// (`If-Range`, RFC 9110 §13.1.5, and what the part itself says). The answer says which it is.
    At {
        /// How many bytes are there.
        offset: u64,
        /// The state of the object that they are of; without one any part will do, because a checksum proves the whole.
        of: Option<Revision>,
    },
    /// The whole object, but only if it is not the one that this validator came with.
    IfChanged(Validator),
}

/// Who has answered at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responder {
    /// The origin of the URL that was asked for.
    Origin,
    /// Another one, to which it has redirected.
    Another,
}

/// What an origin answers.
pub enum Answer {
    /// The object is the one that the validator named.
    Unchanged(Responder),
    /// The object, or the rest of it.
    Object(Object),
}

/// An object on its way.
pub struct Object {
    /// Who sends it.
    pub by: Responder,
    /// What the origin says about the whole object.
    pub facts: Facts,
    /// The position of the body's first byte in the object.
    pub offset: u64,
    /// The bytes, in order. It ends with an error where the origin breaks off early.
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}
