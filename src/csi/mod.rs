//! The Container Storage Interface (v1.12.0), as kubelet and external-provisioner speak it.
//!
//! Owns what a call means: which requests can be taken (`convert.rs`), how long one waits (`deadline.rs`), which code an
//! error has (`status.rs`), how kubelet learns of it (`registration`). Who may call is [`socket`]'s. What a volume is,
//! and how it comes and goes, is [`volume`](crate::volume)'s.
//!
//! Invariants: a request is never printed, because it carries secrets; no final code reaches a volume that was
//! published before (docs/design/laws.md, law 1); a call that waits counts against no limit. What kubelet makes of the
//! answers is in docs/design/kubelet.md.

mod caller;
mod controller;
mod convert;
mod deadline;
mod error;
mod identity;
mod no_node;
mod node;
mod registration;
mod serve;
mod status;

#[expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/, where the meaning of each field is written"
)]
pub mod proto {
    //! What goes over the wire.
    tonic::include_proto!("csi.v1");
}

#[expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/, where the meaning of each field is written"
)]
pub mod pluginregistration {
    //! What goes over the wire between kubelet and the one who registers.
    tonic::include_proto!("pluginregistration");
}

pub use self::controller::Controller;
pub use self::error::Error;
pub use self::identity::Identity;
pub use self::node::Node;
pub use self::registration::{Registered, Registration};
pub use self::serve::{Services, serve};
pub use crate::socket::Endpoint;

use crate::socket;

/// What a call of gRPC comes to.
type Answer<T> = Result<tonic::Response<T>, tonic::Status>;
