//! Tests of control groups: pure ones, ones over made-up trees, and ones on this host.

mod counting;
pub(super) mod fake;
mod layout;
mod live;
mod plans;
mod refusals;
mod tree_groups;
mod trees;
