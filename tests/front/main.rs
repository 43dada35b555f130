//! The tests that come through the front door, and those that hold the laws of the tree.
#![cfg(test)]
#![expect(clippy::disallowed_types, reason = "a test may wait for its own locks")]

mod api_server;
mod attacks;
mod borders;
mod chart;
mod circles;
mod container;
mod crash;
mod disk;
mod docs;
mod driver;
mod engine;
mod fetch;
mod flexvolume;
mod framing;
mod heads;
mod input;
mod life;
mod locks;
mod metrics;
mod monitoring;
mod network;
mod nginx;
mod node;
mod objects;
mod origin;
mod pod;
mod proxy;
mod raw;
mod real_war;
mod release;
mod resolver;
mod resume;
mod sandbox;
mod sanity;
mod secrets;
mod settings;
mod signed;
mod stuck;
mod supply;
mod tls;
mod tokens;
mod tools;
mod universe;
mod volumes;
