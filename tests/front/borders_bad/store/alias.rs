use crate as c; //~ crate is the crate's root
use crate::{self as whole}; //~ crate is the crate's root
use crate::*; //~ crate is the crate's root
use super::super as root; //~ super::super is the crate's root
use super::super::*; //~ super::super is the crate's root
use war_vol as library; //~ war_vol is the crate's root
use {crate as grouped, std::io}; //~ crate is the crate's root
extern crate self as me; //~ extern crate hides
#[path = "../source/http.rs"] //~ #[path] hides
mod http;
#[cfg_attr(unix, path = "../mount/linux.rs")] //~ #[path] hides
mod linux;

use super::*;
use super as store;
pub(crate) fn fine() {}
