//! What only jobs that are bundles ask for. All of it lowers what a job may do, or changes what only the job sees.

use serde::{Deserialize, Serialize};

/// What only jobs that are bundles ask for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bundled {
    /// the domain of its host name, of the Network Information Service
    pub domainname: Option<String>,
    /// other groups of its program, inside
    pub groups: Vec<u32>,
    /// how soon it is ended for lack of memory, in place of 1000
    pub oom_score_adj: Option<i32>,
    /// settings of its own network, below `/proc/sys`: path and value
    pub sysctls: Vec<(String, String)>,
    /// how its program is given processors
    pub scheduling: Option<Scheduling>,
    /// how its program is given disks: class and level, as of `ioprio_set`
    pub io_priority: Option<(u16, u16)>,
    /// where its memory is
    pub memory_policy: Option<MemoryPolicy>,
    /// whether it believes to run on a machine of 32 bits
    pub linux32: bool,
    /// its clocks' offsets, in a namespace of its own for them
    pub clocks: Option<Clocks>,
    /// places inside from which nothing is run
    pub no_exec: Vec<String>,
    /// programs that its program's process runs first, one after the other, as the same user with the same rights; each has to succeed
    pub before: Vec<Before>,
}

/// How a program is given processors. None of it is before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduling {
    /// as of `sched_setscheduler`: 0, 3 (batch) or 5 (idle)
    pub policy: i32,
    /// from 0, the higher the less
    pub nice: i32,
}

/// Where a program's memory is, of the memory that it could have anyhow; as of `set_mempolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryPolicy {
    /// which, with its flags
    pub mode: i32,
    /// a bit for each node
    pub nodes: u64,
}

/// Offsets of clocks, seconds and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clocks {
    /// of `CLOCK_MONOTONIC`
    pub monotonic: (i64, u32),
    /// of `CLOCK_BOOTTIME`
    pub boottime: (i64, u32),
}

/// A program that is run before a job's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// its path inside, absolute
    pub path: String,
    /// its name and arguments
    pub argv: Vec<String>,
    /// `NAME=value`
    pub env: Vec<String>,
    /// what it reads
    pub input: String,
    /// milliseconds until it is ended
    pub timeout_ms: Option<u64>,
}
