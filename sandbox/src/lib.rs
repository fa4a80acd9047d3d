//! Runs untrusted programs so that they reach nothing they were not given, use no more than they were granted, and leave nothing behind.
//!
//! ```text
//! Job ──► plan: every mount, id, limit and rule as data ──► watcher (a static program, one for each job) ──► the job
//!                                                               │ journal, output, control socket: in the job's directory
//! Sandbox ◄─────────────────────────────────────────────────────┘ also after a restart
//! ```
//!
//! | module | is about |
//! |---|---|
//! | [`bundle`] | jobs that wait to be started, with what only bundles ask for |
//! | [`doctor`] | what this host offers, found by running a job |
//! | `disks` | which disks it uses |
//! | [`guarantees`] | which promises hold for a job |
//! | [`gpu`] | GPUs for jobs: found, granted, watched, taken back |
//! | `host` | what the host offers for it |
//! | [`job`] | what is asked for |
//! | [`plan`] | what is applied for it on this host; pure |
//! | [`seccomp`] | which system calls a job may make |
//! | [`refused`] | which system calls a job was refused |
//! | [`state`] | the directory of all jobs: names, user ids, journals |
//! | [`scratch`] | where a job's writes go |
//! | [`sandbox`] | starts jobs, finds them again, ends them, removes them |
//! | [`outputs`] | what a job has written, taken when it has ended |
//! | [`store`] | files by the digest of their content |
//! | [`logs`] | what a job has printed, read back and shown |
//! | [`private`] | directories that are this user's alone |
//! | `program` | the watcher's program and how it is started |
//! | `turn` | one process at a time |

#![forbid(unsafe_code)]

pub mod bundle;
mod disks;
pub mod doctor;
pub mod gpu;
pub mod guarantees;
mod host;
pub mod job;
pub mod logs;
pub mod outputs;
pub mod plan;
pub mod private;
mod program;
pub mod refused;
pub mod sandbox;
pub mod scratch;
pub mod seccomp;
pub mod state;
pub mod store;
mod turn;

pub use gradus_jail::{outcome, protocol};
