use nix::mount::{MsFlags, umount2};
use rustix::mount::unmount;
use crate::artifact::Place;
use reqwest::Url; //~ only source may name reqwest
