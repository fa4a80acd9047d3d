//! Runs another program to its end: within a time limit, with bounded output, and with nothing of it left over.
//!
//! ```text
//! Command ─► its own process group ─► input, then its end ─► … ─► its leader ends, or a limit does it ─► the rest is killed, all of it reaped
//!                                                └► output, up to a limit
//! ```
//!
//! | module | is about |
//! |---|---|
//! | `run` | what a program is given, what may be had of it, and how it ended |
//! | `group` | a process group that ends with its owner |
//! | `output` | pipes that are read to their end, and how much of them is kept |
//!
//! No shell, no judgement of what an end means, and no sandbox: who leaves the process group on purpose is not followed, and not
//! waited for. Programs of strangers are run by `gradus-sandbox` instead.

#![forbid(unsafe_code)]

mod group;
mod output;
mod run;

pub use output::{Capture, Excess};
pub use run::{End, Ended, Run, RunError};

#[cfg(test)]
mod tests;
