//! Tests of control groups: pure ones, ones over made-up trees, and ones on this host.

mod counting;
pub(super) mod fake;
mod layout;
mod plans;
mod trees;
