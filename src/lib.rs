#![doc = include_str!("map.md")]

pub mod acquire;
pub mod app;
pub mod artifact;
pub mod cli;
pub mod config;
pub mod csi;
pub mod fault;
pub mod metrics;
pub mod mount;
pub mod ops;
pub mod policy;
pub mod socket;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod volume;
