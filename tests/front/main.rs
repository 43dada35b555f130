//! The tests that come through the front door, and those that hold the laws of the tree.
#![cfg(test)]

mod api_server;
mod attacks;
mod borders;
mod chart;
mod container;
mod crash;
mod disk;
mod docs;
mod driver;
mod engine;
mod flexvolume;
mod input;
mod life;
mod metrics;
mod monitoring;
mod network;
mod node;
mod origin;
mod pod;
mod proxy;
mod real_war;
mod resolver;
mod sandbox;
mod sanity;
mod secrets;
mod settings;
mod supply;
mod tls;
mod tokens;
mod tools;
mod universe;
mod volumes;
