//! The tests that come through the front door, and those that hold the laws of the tree.
#![cfg(test)]

mod borders;
mod disk;
mod docs;
mod engine;
mod life;
mod network;
mod node;
mod origin;
mod proxy;
mod sandbox;
mod tokens;
mod universe;
mod volumes;
