//! What an artifact is called in a Maven repository, and where it is there.
//!
//! Owns the coordinates ([`Coordinates`]), what a repository says of their versions ([`Metadata`]), the way from there
//! to the URL of a file ([`Resolution`]), and the checksums beside that file ([`sidecar()`]). LATEST, RELEASE and
//! snapshots mean what they mean to Maven's own resolver.
//!
//! Invariant: no value of these types is ever invalid, and none performs I/O: whoever has a connection fetches what
//! [`Step`] names. What a repository says is hostile until it is checked: a version of its metadata is one part of a path.
//!
//! Left out: ranges of versions, a search for the highest version, and several repositories for one artifact.

mod coordinates;
mod layout;
mod metadata;
mod reference;
mod resolution;
mod sidecar;
mod version;

pub use self::coordinates::Coordinates;
pub use self::layout::join;
pub use self::metadata::{LONGEST as LONGEST_METADATA, Metadata};
pub use self::reference::Reference;
pub use self::resolution::{Answer, Resolution, Resolved, Step};
pub use self::sidecar::{sidecar, sidecar_urls};
pub use self::version::Version;
