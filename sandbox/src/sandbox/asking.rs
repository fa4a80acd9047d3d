//! What is asked of a job's watcher: its end, its outputs, to let go.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use gradus_jail::plan::Identity;
use gradus_jail::protocol::{Answer, Ended, KillReason, Request};
use gradus_jail::watcher::connect_to;

use super::unanswered::{ANSWERS_WITHIN, is_unanswered};
use super::{Sandbox, SandboxError, Started, reaper};
use crate::plan::has_outputs;
use crate::state::Phase;

/// How long after its start a watcher may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);

impl Sandbox {
    pub(crate) fn ask(
        &self,
        name: &str,
        request: &Request,
    ) -> Result<(Answer, Vec<OwnedFd>), SandboxError> {
        self.ask_with(name, request, &[])
    }

    /// The same, with descriptors.
    pub(crate) fn ask_with(
        &self,
        name: &str,
        request: &Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), SandboxError> {
        let failed = |source| SandboxError::Watcher {
            name: name.to_owned(),
            source,
        };
        let channel = connect_to(&self.state.directory(name), ANSWERS_WITHIN).map_err(failed)?;
        channel.send(request, descriptors).map_err(failed)?;
        channel
            .receive()
            .map_err(failed)?
            .ok_or_else(|| failed(io::Error::other("it has hung up")))
    }

    /// Ends the job `name`, `grace` after SIGTERM. One that has ended already is left as it is. Where its watcher does not answer for seconds,
    /// somebody has stopped it: it is killed then, and the job with it, without grace and with what it would have handed over.
    pub fn kill(
        &self,
        name: &str,
        reason: KillReason,
        grace: Duration,
    ) -> Result<(), SandboxError> {
        let request = Request::Kill {
            reason,
            grace_ms: grace.as_millis() as u64,
        };
        let deadline = Instant::now() + LISTENS_WITHIN;
        loop {
            match self.state.record(name)?.phase {
                Phase::Ended(_) | Phase::Lost => return Ok(()),
                Phase::Starting | Phase::Running => {}
            }
            match self.ask(name, &request) {
                Ok(_) => return Ok(()),
                Err(error) if is_unanswered(&error) || Instant::now() > deadline => {
                    return self.end_without_watcher(name, reason.into()).map(drop);
                }
                // It ended between the look and the question, or does not listen yet.
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Waits until the job `name` has ended: how. One whose watcher has not ended it long after its time was over is ended here.
    pub fn wait(&self, name: &str) -> Result<Ended, SandboxError> {
        loop {
            match self.state.record(name)?.phase {
                Phase::Ended(ended) => return Ok(ended),
                Phase::Lost => return self.lose(name),
                Phase::Starting | Phase::Running => {}
            }
            if let Some(ended) = self.hear_end(name)? {
                return Ok(ended);
            }
            // It ended between the look and the question, or does not listen yet.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The directory with a directory for each output of the job `name`, which has ended; none if it has no outputs or they are gone.
    pub fn outputs(&self, name: &str) -> Result<Option<OwnedFd>, SandboxError> {
        let plan = self.state.plan(name)?;
        let has_some = plan.is_some_and(|plan| has_outputs(&plan));
        Ok(self
            .handed_over(name)?
            .into_iter()
            .next()
            .filter(|_| has_some))
    }

    /// What the step `name` of a build, which has ended, wrote to its root, with whose ids: an overlay's upper directory, on which nobody works
    /// any more. None where it is gone, or the job was no such step.
    pub fn written(&self, name: &str) -> Result<Option<(OwnedFd, Identity)>, SandboxError> {
        let Some(plan) = self.state.plan(name)?.filter(|plan| plan.keeps_root) else {
            return Ok(None);
        };
        let last = self.handed_over(name)?.pop();
        Ok(last.map(|directory| (directory, plan.identity)))
    }

    fn handed_over(&self, name: &str) -> Result<Vec<OwnedFd>, SandboxError> {
        match self.state.record(name)?.phase {
            Phase::Starting | Phase::Running => return Err(SandboxError::Runs(name.to_owned())),
            Phase::Lost => return Ok(Vec::new()),
            Phase::Ended(_) if !self.state.watcher_lives(name)? => return Ok(Vec::new()),
            Phase::Ended(_) => {}
        }
        let deadline = Instant::now() + LISTENS_WITHIN;
        loop {
            match self.ask(name, &Request::Outputs) {
                Ok((_, descriptors)) => return Ok(descriptors),
                // It had nothing to hand over, and was just about to end.
                Err(_) if !self.state.watcher_lives(name)? => return Ok(Vec::new()),
                Err(error) if is_unanswered(&error) || Instant::now() > deadline => {
                    return Err(error);
                }
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Lets the watcher of the job `name` go, if that has ended, with its outputs. Waits for nothing: with many jobs to remove, their watchers
    /// end at the same time if this is called for all of them first.
    pub fn release(&self, name: &str) -> Result<(), SandboxError> {
        let record = self.state.record(name)?;
        if record.outputs_wait {
            // One that is just ending has nothing to let go.
            drop(self.ask(name, &Request::Release));
        }
        Ok(())
    }

    /// Forgets a job that this process has started and that has ended, and its outputs.
    pub fn finish(&self, mut started: Started) -> Result<(), SandboxError> {
        if started.hands_over {
            drop(self.ask(started.name(), &Request::Release));
        }
        started.wait_for_watcher(LISTENS_WITHIN);
        self.remove(started.name())?;
        // Its process is the last of it.
        let _ = started.watcher.wait();
        Ok(())
    }

    /// Forgets the job `name`, which has ended, and its outputs.
    pub fn remove(&self, name: &str) -> Result<(), SandboxError> {
        loop {
            let claim = self.state.claim(name)?;
            let (record, watcher_lives) = self.state.record_and_life(name)?;
            if let Phase::Starting | Phase::Running = record.phase {
                return Err(SandboxError::Runs(name.to_owned()));
            }
            if !watcher_lives {
                self.forget(&record, claim)?;
                reaper::reap();
                return Ok(());
            }
            drop(claim);
            // It waits for somebody to take its outputs, or is about to end.
            if let Err(error) = self.ask(name, &Request::Release)
                && is_unanswered(&error)
            {
                self.kill_watcher(&record)?;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
