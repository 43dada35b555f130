use rustix::mount::{MountFlags, unmount};
use crate::artifact::VolumePath;
use reqwest::Url; //~ only source may name reqwest
