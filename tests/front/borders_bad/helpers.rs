//! The module is an offence, whatever is in it. //~ helpers is not in the table of borders
use crate::store::Blob;
