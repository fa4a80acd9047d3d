//! What is applied to start a job, and the static program that applies it and watches.
//!
//! | module | is about |
//! |---|---|
//! | [`plan`] | everything that is applied, as data |
//! | [`outcome`] | how a job ended, and why one never ran |
//! | [`cgroup`] | control groups of both versions: limits, kill, events |
//! | [`landlock`] | what the file system refuses beyond permissions |
//! | [`seccomp`] | which system calls may be made: installs what others compiled |
//! | [`device_filter`] | which device nodes a group may open |
//! | `syscalls` | the only `unsafe`: one checked wrapper a system call |

pub mod cgroup;
pub mod device_filter;
pub mod landlock;
pub mod outcome;
pub mod plan;
pub mod seccomp;
mod syscalls;
