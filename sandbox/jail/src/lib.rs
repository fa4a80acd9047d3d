//! What is applied to start a job, and the static program that applies it and watches.
//!
//! | module | is about |
//! |---|---|
//! | [`plan`] | everything that is applied, as data |
//! | [`outcome`] | how a job ended, and why one never ran |
//! | [`watcher`] | the process beside each job, outside: launch, deadline, output, end |
//! | `inside` | the job's first process: its root, what it gives up, its program |
//! | [`protocol`], [`channel`] | what these and a supervisor tell each other |
//! | [`cgroup`] | control groups of both versions: limits, kill, events |
//! | [`quota`] | how much may be written below a directory |
//! | [`landlock`] | what the file system refuses beyond permissions |
//! | [`seccomp`] | which system calls may be made: installs what others compiled |
//! | [`device_filter`] | which device nodes a group may open |
//! | `syscalls` | the only `unsafe`: one checked wrapper a system call |

pub mod cgroup;
pub mod channel;
pub mod device_filter;
mod inside;
pub mod landlock;
pub mod outcome;
pub mod plan;
pub mod protocol;
pub mod quota;
pub mod seccomp;
mod step;
mod syscalls;
pub mod watcher;

pub use step::chain;

/// FNV-1a: a name for what has no secrets and no enemies.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
