//! What goes wrong with control groups, and what to do.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::outcome::{LaunchError, Stage};

/// An operation on control groups that failed. Except for [`CgroupError::Invalid`], which is a mistake of the caller, it is the host's
/// fault and never the job's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CgroupError {
    /// limits or a plan that no host could keep
    #[error("{what}")]
    Invalid {
        /// which value, and what is allowed
        what: String,
    },
    /// a group could not be made
    #[error("cannot make the group {}", .dir.display())]
    Make {
        /// its directory
        dir: PathBuf,
        /// the kernel's answer
        #[source]
        errno: Errno,
    },
    /// a group or one of its files could not be opened
    #[error("cannot open {}", .path.display())]
    Open {
        /// which
        path: PathBuf,
        /// the kernel's answer
        #[source]
        errno: Errno,
    },
    /// a value was not taken
    #[error("cannot write {value:?} to {}", .file.display())]
    Write {
        /// the file
        file: PathBuf,
        /// the value
        value: String,
        /// the kernel's answer
        #[source]
        errno: Errno,
    },
    /// a file could not be read
    #[error("cannot read {}", .file.display())]
    Read {
        /// the file
        file: PathBuf,
        /// the kernel's answer
        #[source]
        errno: Errno,
    },
    /// a file says something else than expected
    #[error("{} should have {expected}, but has {found:?}", .file.display())]
    Unexpected {
        /// the file
        file: PathBuf,
        /// what was looked for
        expected: &'static str,
        /// the beginning of what it has
        found: String,
    },
    /// a group could not be removed
    #[error("cannot remove the group {}", .dir.display())]
    Remove {
        /// its directory
        dir: PathBuf,
        /// the kernel's answer
        #[source]
        errno: Errno,
    },
    /// processes are left after the time that was granted
    #[error("{} still has processes after {waited_ms} ms", .dir.display())]
    Populated {
        /// the group's directory
        dir: PathBuf,
        /// how long it was waited for
        waited_ms: u64,
    },
    /// processes still run after the time that was granted
    #[error("{} is not frozen after {waited_ms} ms", .dir.display())]
    NotFrozen {
        /// the group's directory
        dir: PathBuf,
        /// how long it was waited for
        waited_ms: u64,
    },
    /// a process could not be killed
    #[error("cannot kill process {pid} of {}", .dir.display())]
    Signal {
        /// its id
        pid: i32,
        /// the group's directory
        dir: PathBuf,
        /// the kernel's answer
        #[source]
        errno: Errno,
    },
    /// a group that should be killed has the calling process in it
    #[error("this process is itself in {}", .dir.display())]
    Inside {
        /// the group's directory
        dir: PathBuf,
    },
    /// a recorded path is not that of a group of this name
    #[error("{} is not a control group of {name:?}: {why}", .path.display())]
    Foreign {
        /// the path
        path: PathBuf,
        /// the name that was expected
        name: String,
        /// what is wrong with it
        why: &'static str,
    },
    /// the kernel gave no descriptor to wait on
    #[error("cannot watch {}", .path.display())]
    Watch {
        /// what was to be watched
        path: PathBuf,
        /// the kernel's answer
        #[source]
        errno: Errno,
    },
    /// an operation failed, and so did undoing it
    #[error("{first}, and what was made before could not be removed: {undo}")]
    Undo {
        /// why the operation failed
        #[source]
        first: Box<CgroupError>,
        /// why undoing it failed
        undo: Box<CgroupError>,
    },
}

impl CgroupError {
    /// The kernel's answer, where it was asked.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            CgroupError::Make { errno, .. }
            | CgroupError::Open { errno, .. }
            | CgroupError::Write { errno, .. }
            | CgroupError::Read { errno, .. }
            | CgroupError::Remove { errno, .. }
            | CgroupError::Signal { errno, .. }
            | CgroupError::Watch { errno, .. } => Some(*errno),
            CgroupError::Undo { first, .. } => first.errno(),
            CgroupError::Invalid { .. }
            | CgroupError::Unexpected { .. }
            | CgroupError::Populated { .. }
            | CgroupError::NotFrozen { .. }
            | CgroupError::Inside { .. }
            | CgroupError::Foreign { .. } => None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            CgroupError::Invalid { .. } => "correct the job's limits",
            CgroupError::Make { errno, .. } if *errno == Errno::EXIST => {
                "a job of this name runs or was left behind: sweep, or choose another name"
            }
            CgroupError::Make { errno, .. } if *errno == Errno::AGAIN => {
                "the parent's cgroup.max.descendants or cgroup.max.depth is reached: sweep, or raise it"
            }
            CgroupError::Write { errno, file, .. } => advice_for_write(*errno, file),
            CgroupError::Make { errno, .. }
            | CgroupError::Open { errno, .. }
            | CgroupError::Read { errno, .. }
            | CgroupError::Remove { errno, .. }
            | CgroupError::Signal { errno, .. }
            | CgroupError::Watch { errno, .. } => advice(*errno),
            CgroupError::Unexpected { .. } => {
                "the kernel is unknown to this version: report it with the kernel's version"
            }
            CgroupError::Populated { .. } => {
                "look for processes in state D (ps -o pid,stat,wchan): a device or a network file system holds them"
            }
            CgroupError::NotFrozen { .. } => {
                "look for processes in state D; kill works without freezing"
            }
            CgroupError::Inside { .. } => "run the supervisor outside its jobs' groups",
            CgroupError::Foreign { .. } => {
                "the journal is of another host or was changed: nothing was touched"
            }
            CgroupError::Undo { undo, .. } => undo.help(),
        }
    }

    /// The same as the end of a launch: the kernel's answer, and the message with what to do.
    pub fn to_launch_error(&self) -> LaunchError {
        LaunchError {
            stage: Stage::Cgroup,
            errno: self.errno().map_or(0, Errno::raw_os_error),
            what: format!("{self}; {}", self.help()),
        }
    }
}

/// What to do about an answer of the kernel.
pub(super) fn advice(errno: Errno) -> &'static str {
    match errno {
        Errno::ACCESS | Errno::PERM => {
            "run as root, or have a group of control groups version 2 delegated to this user (systemd: Delegate=yes) and configure its path"
        }
        Errno::ROFS => {
            "control groups are mounted read-only: mount them writable for the supervisor"
        }
        Errno::BUSY => {
            "the group has processes or groups in it: configure a delegated group, or allow the supervisor to move processes into a group below"
        }
        Errno::NOENT => "the kernel does not have it, or it was removed meanwhile",
        Errno::NODEV | Errno::NXIO => "no such device here: see the numbers in /proc/partitions",
        Errno::NOSPC => "the kernel is out of groups: sweep what earlier jobs left",
        Errno::NOMEM => "the kernel is out of memory",
        Errno::SRCH => "the process ended meanwhile",
        _ => "see the kernel's log",
    }
}

fn advice_for_write(errno: Errno, file: &Path) -> &'static str {
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    match errno {
        Errno::INVAL if name.starts_with("cpu.cfs_") => {
            "the group above has a smaller share of the processors: lower cpu_millis"
        }
        Errno::NOSPC if matches!(name.as_ref(), "tasks" | "cgroup.procs") => {
            "the group's cpuset is empty: set processors and memory nodes"
        }
        Errno::INVAL | Errno::ACCESS | Errno::RANGE if name.starts_with("cpuset.") => {
            "the group above does not have these processors: see its cpuset.cpus.effective"
        }
        Errno::BUSY if name.starts_with("memory.") => "the group uses more already than the limit",
        Errno::OPNOTSUPP if name.starts_with("cgroup.") => {
            "the group is threaded: choose a parent whose cgroup.type is domain"
        }
        _ => advice(errno),
    }
}
