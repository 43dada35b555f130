pub mod store;
pub mod volume;

pub use store::Blob; //~ lib may not name store (store::Blob)
pub use self::volume::Volumes; //~ lib may not name volume
