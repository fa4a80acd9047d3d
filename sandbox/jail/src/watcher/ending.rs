//! The end of a job: everything in its group is gone, then it is said how.

use std::time::Duration;

use crate::cgroup::{Events, Group};
use crate::outcome::Outcome;
use crate::protocol::Status;

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
