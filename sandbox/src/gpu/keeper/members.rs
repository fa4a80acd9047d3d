//! Whose a process is: by its control group, or where a job has none, by its namespace of processes.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::sandbox::Sandbox;

/// How a job's processes are known.
#[derive(Debug, Default)]
pub(super) struct Membership {
    /// last part of the paths of its control groups
    group: Option<String>,
    /// its namespace of processes, as the kernel writes it
    namespace: Option<PathBuf>,
}

/// Whose a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// the job's
    Jobs,
    /// somebody else's
    Others,
    /// it is not there, or not to be seen from here
    Unknown,
}

impl Membership {
    /// Of the job `name`.
    pub(super) fn of(sandbox: &Sandbox, name: &str) -> Membership {
        let plan = sandbox.state().plan(name).ok().flatten();
        let processes = sandbox.state().record(name).ok();
        let init = processes.and_then(|record| record.processes);
        let namespace = |init: i32| fs::read_link(format!("/proc/{init}/ns/pid")).ok();
        Membership {
            group: plan.and_then(|plan| plan.cgroup).map(|groups| groups.name),
            namespace: init.and_then(|processes| namespace(processes.init)),
        }
    }

    pub(super) fn whose(&self, pid: u32) -> Whose {
        match fs::read_to_string(format!("/proc/{pid}/cgroup")) {
            Ok(groups) if self.has_group(&groups) => return Whose::Jobs,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Whose::Unknown,
            // It ended while it was looked at.
            Err(_) => return Whose::Unknown,
        }
        let own = fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        match (&self.namespace, own) {
            (Some(jobs), Some(own)) if *jobs == own => Whose::Jobs,
            // Of those that have ended and are not waited for, nothing more is told.
            _ if is_ending(pid) => Whose::Unknown,
            _ => Whose::Others,
        }
    }

    fn has_group(&self, groups: &str) -> bool {
        // `number:controllers:path`, a line for each hierarchy.
        let paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
        self.group.as_deref().is_some_and(|group| {
            paths
                .flat_map(|path| path.split('/'))
                .any(|part| part == group)
        })
    }
}

fn is_ending(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("State:"))
        .is_none_or(|state| matches!(state.trim().chars().next(), Some('Z' | 'X')))
}

/// What a process is called, for people.
pub(super) fn command_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
