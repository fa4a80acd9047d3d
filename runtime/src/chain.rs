//! The chain, as commands see it: nodes that agree, and a subnet that they agree on.
//!
//! | module | is about |
//! |---|---|
//! | [`subnet`] | a pinned block to the [`Snapshot`](gradus_tasks::subnet::Snapshot) that weights are computed over |

pub mod subnet;
