//! What can go wrong around jobs.

use std::io;

use gradus_jail::cgroup;
use gradus_jail::outcome::LaunchError;

use crate::scratch::ScratchError;
use crate::seccomp::CompilePolicyError;
use crate::state::StateError;

/// What can go wrong around jobs. How a job itself ends is not an error: see [`Ended`](gradus_jail::protocol::Ended).
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// About the state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The program never ran.
    #[error("job {name:?} was not started")]
    Launch {
        /// which
        name: String,
        /// why
        source: LaunchError,
    },
    /// It asks for what no host could give.
    #[error("job {name:?}: {what}")]
    Job {
        /// which
        name: String,
        /// what, and what is expected
        what: String,
    },
    /// Its limits are none that any host can keep.
    #[error("job {name:?}: its limits cannot be kept")]
    Limits {
        /// which
        name: String,
        /// why
        source: cgroup::CgroupError,
    },
    /// Its limits are none that this host can keep.
    #[error(
        "job {name:?}: this host cannot keep {}\nhelp: `gradus sandbox doctor` says what is missing; with --best-effort the job runs without",
        shortfalls.iter().map(|one| format!("{} ({})", one.limit, one.why)).collect::<Vec<_>>().join(", ")
    )]
    Shortfall {
        /// which
        name: String,
        /// what, and why
        shortfalls: Vec<cgroup::Shortfall>,
    },
    /// It is to run as somebody who does not exist inside.
    #[error(
        "job {name:?}: user {uid} and group {gid} are asked for, but a job that is not started by root has user and group 0 alone\nhelp: leave out --user, or run as root"
    )]
    OneId {
        /// which
        name: String,
        /// who
        uid: u32,
        /// its group
        gid: u32,
    },
    /// There is no place for its writes.
    #[error("job {name:?}: no place for what it writes")]
    Scratch {
        /// which
        name: String,
        /// why
        source: ScratchError,
    },
    /// The watcher cannot be talked to.
    #[error("job {name:?}: its watcher does not answer as expected")]
    Watcher {
        /// which
        name: String,
        /// why
        source: io::Error,
    },
    /// It still runs.
    #[error("job {0:?} has not ended\nhelp: `gradus sandbox kill {0}` ends it")]
    Runs(String),
    /// It does not run, and another job was to share its network.
    #[error(
        "job {0:?} does not run, and its network was to be shared\nhelp: start it first; `gradus sandbox ps` lists what runs"
    )]
    RunsNot(String),
    /// Something of it is there that could not be ended or removed.
    #[error(
        "job {name:?}: something of it is left: {what}\nhelp: its name and ids stay taken; `gradus sandbox gc` tries again"
    )]
    Left {
        /// which
        name: String,
        /// what, and why
        what: String,
    },
    /// There are no filters of system calls for this processor.
    #[error("no filters of system calls")]
    Policy(#[source] CompilePolicyError),
    /// A part of the sandbox cannot be made.
    #[error("{what}")]
    Host {
        /// what
        what: String,
        /// why
        source: io::Error,
    },
}
