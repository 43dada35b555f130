#![doc = include_str!("map.md")]

pub mod acquire;
pub mod artifact;
pub mod fault;
pub mod policy;
pub mod source;
pub mod store;
