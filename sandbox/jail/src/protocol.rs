//! What the processes of a launch tell each other, and what a supervisor asks of a watcher.

use serde::{Deserialize, Serialize};

use crate::landlock::Held;
use crate::outcome::{LaunchError, Outcome, Usage};
use crate::plan::Process;

/// A supervisor to the watcher that it has started: here is your job. Its directory comes along, the file whose lock says that the watcher
/// lives, which takes what it says of itself, and the file with the seccomp programs ([`crate::watcher::write_filters`]).
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {}

/// A supervisor to its watcher, after [`Begin`]: the filter of the job's devices, which comes along where the plan has rules for them and a
/// group of version 2. The kernel checks it when it is made, which takes as long as the job's mounts: here while the watcher does those.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {}

/// The watcher to the job's first process: the user ids are set, and these are the mounts of the host, in this order. None of them where the
/// plan's identity is one id: that process opens them itself then.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Go {
    /// how many layers
    pub(crate) layers: usize,
    /// whether a scratch follows
    pub(crate) scratch: bool,
    /// which mounts of the plan follow
    pub(crate) mounts: Vec<usize>,
    /// how many devices
    pub(crate) devices: usize,
}

/// The watcher to the job's first process: its groups and the filter of its devices are there; the ways into groups of version 1 come along.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Enter {
    /// how many groups
    pub(crate) groups: usize,
}

/// The job's first process to the watcher.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromInside {
    /// everything is applied; what is named here comes with it, in this order
    Ready {
        /// how many directories that are handed over when the job has ended
        handed_over: usize,
        /// the listening socket of the proxy's port
        proxy: bool,
    },
    /// the program runs, and this is what landlock holds; its process comes along, and where its filter asks, that
    Started(Option<Held>),
    /// everything is applied, and the program waits to be started; this is what landlock holds
    Waits(Option<Held>),
    /// it does not
    Failed(LaunchError),
    /// the program has ended
    Ended(Status),
    /// one that was run beside it has
    EndedBeside {
        /// which ([`Beside::id`])
        id: u64,
        /// how
        status: Status,
    },
}

/// The watcher to the job's first process, and that to its program's, where the plan has it wait: it is started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Open;

/// The watcher to the job's first process: run this beside the program. Its standard streams come along.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Beside {
    /// the watcher's number for it
    pub(crate) id: u64,
    /// what is run, as the job's user 0 whatever this says
    pub(crate) process: Process,
}

/// How the job's program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// with this exit code
    Exited(i32),
    /// by this signal
    Signalled(i32),
}

/// The watcher to whoever started it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Report {
    /// the program runs; the listening socket of the proxy's port comes with it, if the plan has one
    Started(Identity),
    /// everything is applied, and the program waits to be started, as its plan says
    Held(Identity),
    /// nothing of the job is left but its outputs
    Ended(Ended),
}

/// Which processes a job is, so that nobody else's are taken for it, and what keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// the watcher
    pub watcher: i32,
    /// when that was started, in clock ticks since the boot
    #[serde(default)]
    pub watcher_start_ticks: u64,
    /// the job's first process, as the host sees it
    pub init: i32,
    /// when that was started, in clock ticks since the boot
    pub init_start_ticks: u64,
    /// since which boot of the host these numbers mean anything ([`crate::watcher::boot_id`])
    #[serde(default)]
    pub boot_id: String,
    /// what landlock holds; none where the plan is without
    pub landlock: Option<Held>,
}

/// The end of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// how
    pub outcome: Outcome,
    /// what it used
    pub usage: Usage,
    /// what did not go as it should when the rest was removed; empty as a rule
    pub left: Vec<String>,
}

/// A supervisor to a watcher, over the socket in the job's directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// end the job
    Kill {
        /// as what
        reason: KillReason,
        /// milliseconds between SIGTERM and the end; 0 for at once
        grace_ms: u64,
    },
    /// start the program that waits; answered when it runs, or cannot be run
    Start,
    /// send this signal to the program
    Signal {
        /// its number
        signal: i32,
    },
    /// run this beside the program of a bundle, whose user is 0, with what that has given up given up; its standard streams come along.
    /// Answered when it has ended
    Beside {
        /// what is run
        process: Process,
    },
    /// stop all of its processes where they are
    Pause,
    /// let them go on
    Resume,
    /// say when it has ended
    Wait,
    /// its outputs' directory and what it wrote to its root, as its plan has them, when it has ended
    Outputs,
    /// its outputs are taken: the watcher can go
    Release,
}

/// Why a supervisor ends a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillReason {
    /// somebody asked
    Cancelled,
    /// it took too much of a GPU's memory
    GpuMemory,
}

impl From<KillReason> for Outcome {
    fn from(reason: KillReason) -> Outcome {
        match reason {
            KillReason::Cancelled => Outcome::Cancelled,
            KillReason::GpuMemory => Outcome::GpuMemory,
        }
    }
}

/// A watcher's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// understood
    Done,
    /// the job has ended; what is handed over comes along where it was asked for and there is some
    Ended(Ended),
    /// what was run beside its program has ended
    EndedBeside {
        /// how
        status: Status,
    },
    /// it still runs
    Running,
    /// a request that this watcher does not know
    Refused {
        /// why
        what: String,
    },
}
