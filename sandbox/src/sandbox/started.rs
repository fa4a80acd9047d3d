//! A job, as the process sees it that has started it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use gradus_jail::channel::Channel;
use gradus_jail::protocol::{Ended, Identity as Processes, Report};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::SandboxError;
use super::reaper::Watcher;

/// A job that this process has started.
#[derive(Debug)]
pub struct Started {
    pub(super) name: String,
    pub(super) report: Channel,
    pub(super) watcher: Watcher,
    /// whether its watcher waits, when it has ended, for somebody to take what it wrote
    pub(super) hands_over: bool,
    /// its processes
    pub processes: Processes,
    /// the listening socket of its [`proxy_port`](crate::job::Network::proxy_port), in its network; drop it when the job has ended
    pub proxy: Option<OwnedFd>,
}

impl Started {
    /// The job's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until it has ended, `timeout` at most: how, if it has.
    pub fn wait_for(&mut self, timeout: Duration) -> Result<Option<Ended>, SandboxError> {
        let timeout = Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut report = [PollFd::new(&self.report, PollFlags::IN)];
        match poll(&mut report, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(None),
            Ok(_) => self.wait().map(Some),
            Err(error) => Err(SandboxError::Watcher {
                name: self.name.clone(),
                source: error.into(),
            }),
        }
    }

    /// Waits until it has ended: how.
    pub fn wait(&mut self) -> Result<Ended, SandboxError> {
        match self.report.receive::<Report>() {
            Ok(Some((Report::Ended(ended), _))) => Ok(ended),
            other => {
                let end = self.watcher.wait();
                let what = format!("{other:?}; {end:?}; `gradus sandbox gc` ends what is left");
                let source = io::Error::other(what);
                Err(SandboxError::Watcher {
                    name: self.name.clone(),
                    source,
                })
            }
        }
    }

    /// Waits until the watcher of this job, which has ended and has nothing to hand over, has let go of it, `timeout` at most.
    pub(super) fn wait_for_watcher(&self, timeout: Duration) {
        let timeout = Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut report = [PollFd::new(&self.report, PollFlags::HUP)];
        // Whether it has is looked at by who removes the job.
        let _ = poll(&mut report, Some(&timeout));
    }
}
