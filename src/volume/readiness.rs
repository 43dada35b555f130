//! Whether pods are Ready, as far as volumes need it: new content is judged by that.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::policy::Pod;

/// Whether a pod is Ready (the condition of its status).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is.
    Ready,
    /// It is not.
    Unready {
        /// Since when, in seconds since 1970.
        since: u64,
        /// Why, in the words of its status.
        why: String,
    },
    /// It is gone, or about to be.
    Ending,
}

/// What is known of a pod, or why nothing is.
pub type Answer = Pin<Box<dyn Future<Output = Result<Readiness, String>> + Send>>;

/// Whoever knows it.
pub trait AskPods: fmt::Debug + Send + Sync {
    /// Asks for a pod of this node.
    fn readiness(&self, pod: &Pod) -> Answer;
}
