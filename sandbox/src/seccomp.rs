//! Which system calls a job may make.
//!
//! A policy is data (`seccomp/trainer.toml`, and `seccomp/gpu.toml` for jobs with GPUs; a reason beside every rule); this module reads it strictly and compiles it to the program
//! that the jail installs. It installs nothing itself.
//!
//! | module | is about |
//! |---|---|
//! | [`policy`] | what a policy says, checked when it is read |
//! | [`numbers`] | names of system calls and their numbers |
//! | [`compile`], `tree` | a policy as a program of the kernel's filter machine |
//! | [`describe`] | a policy as text, for those who want to read before they run |

pub mod compile;
pub mod describe;
pub mod numbers;
pub mod policy;
mod tree;

pub use compile::{Architecture, CompilePolicyError, Filters};
pub use describe::{Description, Effect};
pub use policy::{BUILD, GPU, LoadPolicyError, Policy, TRAINER};
pub use tree::TooLong;

#[cfg(test)]
mod tests;
