//! Servers on loopback for tests, which do what a test tells them to. Part of no program.
//!
//! | module | is about |
//! |---|---|
//! | [`server`] | HTTP, with or without TLS |
//! | [`front`] | TLS before a server that speaks none |
//! | [`tls`] | certificates that are right and wrong, and a client |
//! | [`registry`] | an image made here, and a registry that has it |
//! | [`distribution`] | a registry that others made |
//! | [`git`] | a repository that git made, served by git's own program |

#![forbid(unsafe_code)]

pub mod distribution;
pub mod front;
pub mod git;
pub mod registry;
pub mod server;
pub mod tls;
