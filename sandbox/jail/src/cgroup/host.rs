//! What control groups this host offers, found by trying.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::CgroupError;
use super::layout::Layout;
use super::v2;

/// Version of the control groups that do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// the one hierarchy of version 2
    V2,
    /// a hierarchy of version 1
    V1,
    /// nothing does it
    None,
}

/// Something that control groups do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controller {
    /// limit memory
    Memory,
    /// limit the number of processes
    Pids,
    /// limit processor time
    Cpu,
    /// count processor time
    Accounting,
    /// choose processors
    Cpuset,
    /// limit block devices
    Io,
    /// hold a filter of device nodes; with version 2 a program is attached to the group, and whether the kernel takes one is not asked here
    Devices,
    /// stop every process without a signal
    Freezer,
    /// kill every process
    Kill,
}

impl Controller {
    /// All of them.
    pub const ALL: [Controller; 9] = [
        Controller::Memory,
        Controller::Pids,
        Controller::Cpu,
        Controller::Accounting,
        Controller::Cpuset,
        Controller::Io,
        Controller::Devices,
        Controller::Freezer,
        Controller::Kill,
    ];
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Controller::Memory => "memory",
            Controller::Pids => "pids",
            Controller::Cpu => "cpu",
            Controller::Accounting => "accounting",
            Controller::Cpuset => "cpuset",
            Controller::Io => "io",
            Controller::Devices => "devices",
            Controller::Freezer => "freezer",
            Controller::Kill => "kill",
        })
    }
}

/// Who does it here, and why not the better one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Support {
    /// who does it
    pub backend: Backend,
    /// what was tried in vain before
    pub missing: Vec<Missing>,
}

/// Why a version does not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// the kernel's answer; 0 where it was not asked
    pub errno: i32,
    /// what was tried, or what is not there
    pub what: String,
    /// what to do
    pub help: String,
}

impl Missing {
    pub(super) fn new(what: String, help: &str) -> Missing {
        Missing {
            errno: 0,
            what,
            help: help.to_owned(),
        }
    }
}

impl From<&CgroupError> for Missing {
    fn from(error: &CgroupError) -> Missing {
        let errno = error.errno().map_or(0, Errno::raw_os_error);
        Missing {
            errno,
            what: error.to_string(),
            help: error.help().to_owned(),
        }
    }
}

impl Missing {
    /// Without what to do.
    fn cause(&self) -> String {
        match self.errno {
            0 => self.what.clone(),
            errno => {
                let answer = std::io::Error::from_raw_os_error(errno);
                format!("{} ({answer})", self.what)
            }
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause(), self.help)
    }
}

/// A hierarchy in which groups are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hierarchy {
    /// the directory in which they are made
    pub parent: PathBuf,
    /// what can be done in them
    pub controllers: Vec<Controller>,
}

/// How a group's use of swap is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Swap {
    /// `memory.swap.max`
    V2,
    /// `memory.memsw.limit_in_bytes`
    V1,
    /// the kernel has no swap
    Absent,
    /// not at all
    Unlimited,
}

/// What the operator says about where groups are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// a group of version 2 that is ours alone and has no processes; no other is tried
    pub delegated: Option<PathBuf>,
    /// whether all processes of the own group may be moved into a group below it
    pub may_move: bool,
}

/// What this host offers. It stays true until the supervisor is moved or mounts change, so one look serves many jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// version 2
    pub v2: Option<Hierarchy>,
    /// hierarchies of version 1
    pub v1: Vec<Hierarchy>,
    /// who does what
    pub support: BTreeMap<Controller, Support>,
    /// how swap is limited
    pub swap: Swap,
    /// processors that jobs can have
    pub cpus: String,
    /// memory nodes that jobs can have
    pub mems: String,
    /// what was done on the way to it: groups that were made, processes that were moved
    pub notes: Vec<String>,
}

impl Host {
    /// Looks where this process is, and tries every controller in throw-away groups, which are removed again. Takes milliseconds. Never
    /// fails: what cannot be used is [`Backend::None`], with the reason.
    pub fn discover(settings: &Settings) -> Host {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let layout = Layout::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        Host::probe(
            &layout,
            settings,
            v2::disk(&read("/proc/partitions")).as_deref(),
        )
    }

    /// Who does this here.
    pub fn backend(&self, controller: Controller) -> Backend {
        self.support
            .get(&controller)
            .map_or(Backend::None, |support| support.backend)
    }

    /// Why nobody does this here, and what to do.
    pub fn why(&self, controller: Controller) -> String {
        let missing = self
            .support
            .get(&controller)
            .map(|support| support.missing.as_slice())
            .unwrap_or_default();
        // What to do is the same for several as a rule, and said once.
        let mut reasons: Vec<String> = Vec::new();
        for (index, one) in missing.iter().enumerate() {
            let told_later = missing[index + 1..]
                .iter()
                .any(|next| next.help == one.help);
            reasons.push(if told_later {
                one.cause()
            } else {
                one.to_string()
            });
        }
        format!(
            "no control group does {controller} here: {}",
            reasons.join("; ")
        )
    }
}

/// One line for each controller, and each reason once.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told: Vec<&Missing> = Vec::new();
        for (controller, support) in &self.support {
            let backend = match support.backend {
                Backend::V2 => "version 2",
                Backend::V1 => "version 1",
                Backend::None => "none",
            };
            writeln!(f, "{controller:<10} {backend}")?;
            // the reasons against the better one matter only where there is no other
            if support.backend == Backend::None {
                for missing in &support.missing {
                    if !told.contains(&missing) {
                        writeln!(f, "           {missing}")?;
                        told.push(missing);
                    }
                }
            }
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        Ok(())
    }
}
