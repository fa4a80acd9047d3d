//! Runs untrusted programs so that they reach nothing they were not given, use no more than they were granted, and leave nothing behind.
//!
//! | module | is about |
//! |---|---|
//! | [`seccomp`] | which system calls a job may make |

pub mod seccomp;
