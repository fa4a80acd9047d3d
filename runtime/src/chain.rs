//! The chain, as commands see it: nodes that agree, and a subnet that they agree on.
//!
//! | module | is about |
//! |---|---|
//! | [`connect`] | arguments to connected nodes |
//! | [`subnet`] | a pinned block to the [`Snapshot`](gradus_tasks::subnet::Snapshot) that weights are computed over |
//! | [`health`] | all that keeps weights from landing, check by check |

pub mod connect;
pub mod health;
pub mod subnet;
