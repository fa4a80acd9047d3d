//! GPUs as things that are had: what is there, how it does, whose it is, and whether it came back.
//!
//! Computing on them is not here (`gradus_kernels::device`). Everything is asked of NVIDIA's management library, which
//! is loaded at run time: a machine without it has a reason ([`NvmlAbsent`]), not a failure.
//!
//! | module | is about |
//! |---|---|
//! | [`nvml`] | loading the library, and what its calls can answer |
//! | [`inventory`] | one look at all GPUs |
//! | [`support`] | whether a GPU and its driver can run this build's kernels |
//! | [`events`] | Xid errors as they happen |
//! | [`xid`] | what an Xid means for the GPU |
//! | [`health`] | inventory and events to a verdict: ready, degraded, unusable |
//! | [`management`] | what the sandbox asks, answered through the library |
//! | [`state`] | the directory in which gradus processes meet |
//! | [`lease`] | a GPU for one gradus process at a time, and whether it was given back clean |
//! | [`quarantine`] | GPUs that were not, after evaluations or jobs |
//! | [`watch`] | memory over time, and its peak |

pub mod events;
pub mod health;
pub mod inventory;
pub mod lease;
pub mod management;
pub mod nvml;
pub mod state;
pub mod support;
pub mod watch;
pub mod xid;

pub use gradus_sandbox::gpu::quarantine;
pub use health::{Health, Verdict, assess};
pub use inventory::{Gpu, Inventory};
pub use lease::{Lease, LeaseError, Request};
pub use nvml::{Nvml, NvmlAbsent, ReadError};
pub use state::StateDir;
pub use watch::{Watch, WatchEvent};

#[cfg(test)]
mod tests;
