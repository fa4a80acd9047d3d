//! GPUs for jobs: found by their names, granted to one job at a time, watched, and taken back only as they were given.
//!
//! ```text
//! --gpu UUID ─► find: the driver's files ─► take: a hold ─► plan: nodes, rules, libraries ─► the job
//!                                             │                                               ▲ memory, who else is there
//!                                             └──────────────────────► keep: one keeper a job ┘
//!                                                       after the end: back at its baseline ─► free, else ─► quarantine
//! ```
//!
//! Nothing here loads a library of NVIDIA's: what the management library says comes through [`Nvml`]. Every path of the driver is below a
//! root that is a parameter, so all of it can be tried with files and without a GPU.
//!
//! | module | is about |
//! |---|---|
//! | [`told`] | what the management library says |
//! | [`proc`] | the driver's files below `/proc`, read |
//! | [`driver`] | version, libraries, device numbers of the driver that is loaded |
//! | [`find`] | from a UUID to device nodes |
//! | [`grant`] | what a job with GPUs is given, as parts of its plan; pure |
//! | [`holds`] | who has which GPU, and which ones are in quarantine; one directory for all who share the GPUs |
//! | [`keeper`] | from a job's start until its GPUs are back |
//! | [`notes`] | what a keeper has seen, for the job's record |
//! | [`doctor`] | what a host has for it |
//! | [`quarantine`] | GPUs that did not come back |

pub mod doctor;
pub mod driver;
mod error;
pub mod find;
pub mod grant;
pub mod holds;
pub mod keeper;
pub mod notes;
pub mod proc;
pub mod quarantine;
pub mod told;

pub use error::GpuError;
pub use grant::Granted;
pub use holds::{Grant, Holds};
pub use told::{Nvml, NvmlError};

/// A GPU or an instance of one that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// its UUID, or how only one of those begins
    pub uuid: String,
    /// memory of it that the job may take, bytes; none for all
    pub memory_bytes: Option<u64>,
}

#[cfg(test)]
mod tests;
