pub use crate::mount::Mounter; //~ acquire may not name mount
pub(crate) use crate::volume as vessel; //~ acquire may not name volume
pub use crate::store as cellar;
