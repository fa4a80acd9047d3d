//! What the crate promises, seen from outside: registries and git servers that are real, and such that lie, stall and lure.

mod download;
mod git;
mod registry;
mod tls;
