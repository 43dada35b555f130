//! What the driver asks the API server, where it was told to: whether its node may have pods, what pods and claims say of
//! themselves, and which class a volume has. And what it tells pods: events of their volumes.
//!
//! Nodes may be made with a taint that keeps pods away until the driver is there. Owns when that taint is removed, the
//! three requests that it takes, and what the node says of itself on the way.
//!
//! Invariants: the taint goes only while the driver is ready and after the node's CSINode has listed it; nothing else
//! of the node is touched, whoever changes it at the same time; nobody else waits for the API server, and a driver that
//! cannot reach it serves volumes as any other. A token is never printed, and goes to no proxy. kube's client is made in
//! one place, on connections of our own.
//!
//! Left out on purpose: a watch of the Node. It would hold a connection open on every node for something that happens once
//! in the node's life; looks that become rare cost less, and see what was lost, too.

mod account;
mod api;
mod class;
mod client;
mod error;
mod events;
mod gate;
mod node;
mod pods;
mod startup;
mod taint;
mod watch;
mod watched;

pub use self::account::Account;
pub use self::client::Names;
pub use self::error::Error;
pub use self::events::{Events, Note};
pub use self::node::NodeInfo;
pub use self::pods::PodReadiness;
pub use self::startup::Startup;
pub use self::taint::Key;
pub use self::watch::{Metadata, Seen, Watcher};
