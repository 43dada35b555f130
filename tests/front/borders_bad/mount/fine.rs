use rustix::mount::{MountFlags, unmount};
use crate::artifact::Place;
use reqwest::Url; //~ only source may name reqwest
