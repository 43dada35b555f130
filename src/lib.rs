#![doc = include_str!("map.md")]
#![cfg_attr(
    test,
    expect(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a failed assumption of a test is a failed test"
    )
)]

pub mod acquire;
pub mod artifact;
pub mod fault;
pub mod policy;
pub mod source;
pub mod store;
