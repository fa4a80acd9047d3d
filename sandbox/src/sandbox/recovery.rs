//! What is done about jobs whose watcher, or whoever started or removed them, was killed.

use std::io;
use std::time::{Duration, Instant};

use gradus_jail::outcome::{Outcome, Usage};
use gradus_jail::protocol::{Ended, Identity as Processes, Report};
use gradus_jail::watcher::process_start_ticks;
use gradus_jail::{cgroup, chain};

use super::planning::control_group_limits;
use super::{Sandbox, SandboxError, reaper};
use crate::job::Limits;
use crate::state::{Claim, Phase, Record, StateError};

/// How long the kernel may take to be rid of what was killed.
const PATIENCE: Duration = Duration::from_secs(30);

impl Sandbox {
    /// Ends what a watcher that died has left, for all jobs, and removes what was left half made or half removed: the names of those jobs.
    ///
    /// A watcher counts as alive while anybody has its lock open: one that was killed a moment ago, or a process that a thread of its supervisor
    /// is just starting. Such a job is found the next time.
    ///
    /// # Errors
    /// The first of what went wrong; all jobs were tried.
    pub fn recover(&self) -> Result<Vec<String>, SandboxError> {
        reaper::reap();
        let mut result = self.state.sweep().map_err(SandboxError::from);
        let mut lost = Vec::new();
        for name in self.state.names()? {
            let recovered = match self.state.record(&name) {
                Ok(record) if record.phase == Phase::Lost => self.lose(&name).map(drop),
                Ok(_) => continue,
                Err(error) => Err(error.into()),
            };
            match recovered {
                Ok(()) => lost.push(name),
                // Removed a moment ago.
                Err(SandboxError::State(StateError::Missing(_))) => {}
                Err(error) => result = result.and(Err(error)),
            }
        }
        cgroup::sweep_throwaways(&self.control_groups);
        result.map(|()| lost)
    }

    /// Ends what the watcher of the job `name` has left, and writes down that it died.
    pub(super) fn lose(&self, name: &str) -> Result<Ended, SandboxError> {
        let _claim = self.state.claim(name)?;
        let record = self.state.record(name)?;
        match record.phase {
            Phase::Lost => {}
            // Somebody else has done it meanwhile.
            Phase::Ended(ended) => return Ok(ended),
            Phase::Starting | Phase::Running => return Err(SandboxError::Runs(name.to_owned())),
        }
        let left = self.end_rest(name, record.processes.as_ref()).err();
        let ended = Ended {
            outcome: Outcome::Lost,
            usage: Usage::default(),
            left: left.map(|error| chain(&error)).into_iter().collect(),
        };
        self.state.append(name, &Report::Ended(ended.clone()))?;
        Ok(ended)
    }

    /// Forgets a job of which nothing runs, and ends what may be left of it.
    pub(super) fn forget(&self, record: &Record, claim: Claim) -> Result<(), SandboxError> {
        let name = &record.name;
        let clean = |ended: &Ended| {
            // Why a job did not start may be followed by what then could not be removed.
            ended.left.is_empty() && !matches!(ended.outcome, Outcome::LaunchFailed { .. })
        };
        match &record.phase {
            Phase::Ended(ended) if clean(ended) => {}
            _ => self.end_rest(name, record.processes.as_ref())?,
        }
        Ok(self.state.remove(name, claim)?)
    }

    /// Ends what is left of a job without a watcher: its groups by name, never processes by number.
    pub(super) fn end_rest(
        &self,
        name: &str,
        processes: Option<&Processes>,
    ) -> Result<(), SandboxError> {
        let left = |what: String| SandboxError::Left {
            name: name.to_owned(),
            what,
        };
        let groups = match self.state.plan(name) {
            Ok(plan) => plan.and_then(|plan| plan.cgroup),
            // Torn by a power cut.
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
                let group = self.state.group_name(name);
                let limits = control_group_limits(&Limits::default(), Vec::new());
                let planned = cgroup::plan(&group, &limits, &self.control_groups);
                planned.ok().map(|(groups, _)| groups)
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(groups) = groups.filter(|groups| !groups.groups.is_empty()) {
            return end_groups(&groups).map_err(|error| left(chain(&error)));
        }
        // Without groups it dies with its watcher, which takes the kernel a moment.
        let Some(processes) = processes else {
            return Ok(());
        };
        let deadline = Instant::now() + PATIENCE;
        while process_start_ticks(processes.init) == Some(processes.init_start_ticks) {
            if Instant::now() > deadline {
                return Err(left(format!("process {} has not ended", processes.init)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn end_groups(groups: &cgroup::Plan) -> Result<(), cgroup::CgroupError> {
    match cgroup::Group::open(&groups.record())? {
        Some(group) => group.end(PATIENCE).and_then(|()| group.remove(PATIENCE)),
        None => Ok(()),
    }
}
