//! Jobs whose watcher lives and says nothing: somebody has stopped it, or it hangs in a disk that does not answer. The job can be ended all the
//! same, by its control groups, and the journal says who did.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use gradus_jail::outcome::{Outcome, Usage};
use gradus_jail::protocol::{Answer, Ended, Report, Request};
use gradus_jail::watcher::{answers_at, connect_to, process_start_ticks};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Sandbox, SandboxError};
use crate::state::{Phase, Record};

/// How long a watcher may take to answer. It does nothing that takes long but to write to the disk.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long after a job's time its watcher may take to end it before somebody else does: what the kernel may take to be rid of it, and more.
const OVERDUE: Duration = Duration::from_secs(60);

/// The same where nothing of it runs any more.
const OVERDUE_AT_ITS_END: Duration = Duration::from_secs(30 * 60);

/// Ticks in which the kernel tells when a process was started, on every architecture that jobs run on.
const TICKS_IN_SECOND: u64 = 100;

/// How often whoever waits for a job looks whether it is overdue.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a killed watcher may take to be gone. One that hangs in the kernel for longer has no part in its job any more.
const GONE_WITHIN: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Whether it failed because the watcher was asked and said nothing.
pub(super) fn is_unanswered(error: &SandboxError) -> bool {
    matches!(error, SandboxError::Watcher { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
}

impl Sandbox {
    /// Waits for the end of the job `name`, which runs: none where its watcher is gone or does not listen yet.
    pub(super) fn hear_end(&self, name: &str) -> Result<Option<Ended>, SandboxError> {
        let directory = self.state.directory(name);
        let asked = connect_to(&directory, LOOK_EVERY).and_then(|channel| {
            channel.send(&Request::Wait, &[])?;
            Ok(channel)
        });
        loop {
            let heard = match &asked {
                Ok(channel) => channel.receive::<Answer>(),
                Err(error) => Err(error.kind().into()),
            };
            match heard {
                Ok(Some((Answer::Ended(ended), _))) => return Ok(Some(ended)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return Ok(None),
            }
            if self.is_overdue(&self.state.record(name)?) {
                return self.end_without_watcher(name, Outcome::Deadline).map(Some);
            }
            if asked.is_err() {
                return Ok(None);
            }
        }
    }

    /// Whether a job runs although its time was over long ago.
    pub(super) fn is_overdue(&self, record: &Record) -> bool {
        let (Phase::Running, Some(processes)) = (&record.phase, &record.processes) else {
            return false;
        };
        let plan = self.state.plan(&record.name).ok().flatten();
        let Some(deadline) = plan.and_then(|plan| plan.deadline) else {
            return false;
        };
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let started = processes.init_start_ticks / TICKS_IN_SECOND;
        let runs = Duration::from_secs((now.tv_sec.unsigned_abs()).saturating_sub(started));
        // Once its processes are gone, the watcher has something to do that may take long: the disk takes what the job wrote.
        let ends = process_start_ticks(processes.init) != Some(processes.init_start_ticks);
        let more = if ends { OVERDUE_AT_ITS_END } else { OVERDUE };
        runs > Duration::from_millis(deadline.wall_ms.saturating_add(deadline.grace_ms)) + more
    }

    /// Ends the job `name` and its watcher, which does not do it, for the reason `outcome`: how it ended, which the journal says too.
    pub(super) fn end_without_watcher(
        &self,
        name: &str,
        outcome: Outcome,
    ) -> Result<Ended, SandboxError> {
        let _claim = self.state.claim(name)?;
        let mut record = self.state.record(name)?;
        let watcher = match record.phase {
            Phase::Ended(ended) => return Ok(ended),
            Phase::Starting | Phase::Running => self.kill_watcher(&record)?,
            Phase::Lost => None,
        };
        // Its last word may have been on the way.
        record = self.state.record(name)?;
        match record.phase {
            Phase::Ended(ended) => return Ok(ended),
            // Whoever starts it has still to do with it.
            Phase::Starting if watcher.is_none() => {
                return Err(SandboxError::Runs(name.to_owned()));
            }
            _ => {}
        }
        let who = watcher.map_or("its watcher".to_owned(), |pid| {
            format!("its watcher, process {pid},")
        });
        let mut left = vec![format!(
            "{who} did not answer and was killed: the job was ended by its control groups, and what it would have handed over is gone"
        )];
        let rest = self.end_rest(name, record.processes.as_ref());
        left.extend(rest.err().map(|error| gradus_jail::chain(&error)));
        let ended = Ended {
            outcome,
            usage: Usage::default(),
            left,
        };
        self.state.append(name, &Report::Ended(ended.clone()))?;
        Ok(ended)
    }

    /// Kills the watcher of a job, and waits until it is gone: its process id. None where there is none any more.
    pub(super) fn kill_watcher(&self, record: &Record) -> Result<Option<i32>, SandboxError> {
        let Some((pid, watcher)) = self.find_watcher(record) else {
            return Ok(None);
        };
        // It may have ended a moment ago.
        let _ = pidfd_send_signal(&watcher, Signal::KILL);
        let mut gone = [PollFd::new(&watcher, PollFlags::IN)];
        let _ = rustix::io::retry_on_intr(|| poll(&mut gone, Some(&GONE_WITHIN)));
        Ok(Some(pid.as_raw_nonzero().get()))
    }

    /// The watcher of a job, and nobody who has its number now.
    fn find_watcher(&self, record: &Record) -> Option<(Pid, OwnedFd)> {
        let open = |pid| pidfd_open(pid, PidfdFlags::empty()).ok();
        if let Some(processes) = &record.processes {
            let pid = Pid::from_raw(processes.watcher)?;
            let watcher = open(pid)?;
            // Held first: what has its start now is what is held.
            let same =
                process_start_ticks(processes.watcher) == Some(processes.watcher_start_ticks);
            return same.then_some((pid, watcher));
        }
        // It has not said who it is, and may listen already: whoever does while it is held is it.
        let directory = self.state.directory(&record.name);
        let pid = answers_at(&connect_to(&directory, LOOK_EVERY).ok()?).ok()?;
        let watcher = open(pid)?;
        connect_to(&directory, LOOK_EVERY).ok()?;
        Some((pid, watcher))
    }
}
