//! How a job ended.
//!
//! Decided from what the kernel says alone (the status of the first process, counters of the control groups, the deadline), never
//! from what a job printed.

use serde::{Deserialize, Serialize};

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// it ended by itself
    Exited {
        /// its exit code
        code: i32,
    },
    /// a signal that nobody here sent ended it
    Signalled {
        /// the signal's number
        signal: i32,
    },
    /// it needed more memory than it was granted
    OutOfMemory,
    /// its time was over; what it had written still counts
    Deadline,
    /// it filled its disk, and then failed
    DiskFull,
    /// it printed more than it may
    LogFlood,
    /// it took more memory of a GPU than it was granted
    GpuMemory,
    /// somebody asked for its end
    Cancelled,
    /// it never ran
    LaunchFailed {
        /// why
        error: LaunchError,
    },
    /// its watcher died; what was left was ended and removed
    Lost,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Exited { code } => write!(f, "exit code {code}"),
            Outcome::Signalled { signal } => write!(f, "signal {signal}"),
            Outcome::OutOfMemory => f.write_str("out of memory"),
            Outcome::Deadline => f.write_str("its time was over"),
            Outcome::DiskFull => f.write_str("its disk was full"),
            Outcome::LogFlood => f.write_str("it printed more than it may"),
            Outcome::GpuMemory => f.write_str("too much GPU memory"),
            Outcome::Cancelled => f.write_str("cancelled"),
            Outcome::LaunchFailed { error } => write!(f, "not started: {error}"),
            Outcome::Lost => f.write_str("lost with its watcher"),
        }
    }
}

/// Why a job never ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{stage}: {what}{}", errno_text(*.errno))]
pub struct LaunchError {
    /// the step
    pub stage: Stage,
    /// the kernel's answer; 0 where it was not asked
    pub errno: i32,
    /// which thing, what was expected and found, and what to do
    pub what: String,
}

impl LaunchError {
    /// Whether what was to be run is the reason, and not this host.
    pub fn is_submissions(&self) -> bool {
        matches!(self.stage, Stage::WorkingDirectory | Stage::Exec)
    }
}

fn errno_text(errno: i32) -> String {
    match errno {
        0 => String::new(),
        errno => format!(" ({})", std::io::Error::from_raw_os_error(errno)),
    }
}

/// The steps of a launch, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// the plan is read
    Plan,
    /// the watcher itself is started
    Watcher,
    /// control groups
    Cgroup,
    /// where the job's writes go
    Scratch,
    /// namespaces
    Namespaces,
    /// user and group ids
    Identity,
    /// layers and root
    Root,
    /// a mount inside
    Mount,
    /// devices
    Devices,
    /// network
    Network,
    /// limits, capabilities, landlock, seccomp
    Restrict,
    /// the directory in which the program begins; the submission's fault
    WorkingDirectory,
    /// the program itself; the submission's fault
    Exec,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stage::Plan => "plan",
            Stage::Watcher => "watcher",
            Stage::Cgroup => "control groups",
            Stage::Scratch => "scratch",
            Stage::Namespaces => "namespaces",
            Stage::Identity => "user ids",
            Stage::Root => "root",
            Stage::Mount => "mount",
            Stage::Devices => "devices",
            Stage::Network => "network",
            Stage::Restrict => "restrictions",
            Stage::WorkingDirectory => "working directory",
            Stage::Exec => "program",
        })
    }
}

/// What a job used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// milliseconds from the start of its program to its end
    pub wall_ms: u64,
    /// microseconds of all processors; absent without control groups
    pub cpu_us: Option<u64>,
    /// the most memory at one time, bytes
    pub memory_peak_bytes: Option<u64>,
    /// how often a process could not be started for their number
    pub pids_refused: Option<u64>,
    /// bytes that it printed
    pub log_bytes: u64,
}
