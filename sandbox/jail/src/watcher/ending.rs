//! The end of a job: everything in its group is gone, then it is said how.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::launch::Running;
use crate::cgroup::{Events, Group};
use crate::outcome::{LaunchError, Outcome, Usage};
use crate::plan::Plan;
use crate::protocol::{Ended, Status};
use crate::step::chain;

/// How long the kernel may take to be rid of a killed group. Longer means processes that hang in a driver.
pub(super) const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Why a watcher has ended its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Deadline,
    Flood,
    OutOfMemory,
    Cancelled,
    GpuMemory,
}

/// Kills what is in the group and waits until nothing is.
pub(super) fn kill_group(group: &Group) -> Result<(), String> {
    group.end(GONE_WITHIN).map_err(|error| error.to_string())
}

/// Kills what is in the group and removes it.
pub(super) fn end_group(group: &Group) -> Result<(), String> {
    kill_group(group)?;
    group.remove(GONE_WITHIN).map_err(|error| error.to_string())
}

/// Waits until the first process, which was killed, is gone, and all of its namespace with it; or as long as the kernel may take.
pub(super) fn wait_for_first(pidfd: &OwnedFd) {
    let limit = Timespec {
        tv_sec: GONE_WITHIN.as_secs() as i64,
        tv_nsec: 0,
    };
    let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
    let _ = rustix::io::retry_on_intr(|| poll(&mut polled, Some(&limit)));
}

/// Kills the first process, and with it its namespace, and waits for it. It may have been waited for already.
pub(super) fn kill_first(pidfd: &OwnedFd) {
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
    let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
}

/// Ends a job whose program runs and which cannot be watched for this reason.
pub(super) fn undo(running: Running, mut error: LaunchError) -> LaunchError {
    kill_first(&running.pidfd);
    if let Some(Err(left)) = running.group.as_ref().map(end_group) {
        error.what = format!("{}; then {left}", error.what);
    }
    error
}

/// Ends a job that cannot be watched any longer for this reason.
pub(super) fn abandon(plan: &Plan, pidfd: &OwnedFd, error: &std::io::Error) -> Ended {
    kill_first(pidfd);
    let mut left = vec![format!("it could not be watched any longer: {error}")];
    if let Some(groups) = &plan.cgroup {
        match Group::open(&groups.record()) {
            Ok(group) => left.extend(group.and_then(|group| end_group(&group).err())),
            Err(error) => left.push(chain(&error)),
        }
    }
    Ended {
        outcome: Outcome::Lost,
        usage: Usage::default(),
        left,
    }
}

/// How a job ended, from what the kernel and this process know.
pub(super) fn outcome(
    cause: Option<Cause>,
    status: Option<Status>,
    events: &Events,
    disk_full: bool,
) -> Outcome {
    match cause {
        Some(Cause::Deadline) => return Outcome::Deadline,
        Some(Cause::Flood) => return Outcome::LogFlood,
        Some(Cause::Cancelled) => return Outcome::Cancelled,
        Some(Cause::GpuMemory) => return Outcome::GpuMemory,
        Some(Cause::OutOfMemory) => return Outcome::OutOfMemory,
        None => {}
    }
    // A job that lost a process for lack of memory did not do what it was meant to, whatever it says itself.
    if events.oom_kills > 0 {
        return Outcome::OutOfMemory;
    }
    match status {
        Some(Status::Exited(0)) => Outcome::Exited { code: 0 },
        Some(_) if disk_full => Outcome::DiskFull,
        Some(Status::Exited(code)) => Outcome::Exited { code },
        Some(Status::Signalled(signal)) => Outcome::Signalled { signal },
        // Its first process was killed, by nobody here.
        None => Outcome::Signalled {
            signal: libc::SIGKILL,
        },
    }
}

/// How a job ended whose writes this host did not take: whatever it did after that says nothing, unless it was ended for something else.
pub(super) fn without_its_writes(outcome: Outcome, errno: i32) -> Outcome {
    match outcome {
        Outcome::Exited { .. }
        | Outcome::Signalled { .. }
        | Outcome::DiskFull
        | Outcome::Deadline => Outcome::NotWritten { errno },
        other => other,
    }
}
