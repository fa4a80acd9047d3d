//! One look at a GPU while its job runs: how much of it is the job's, and who else is there.

use std::collections::BTreeMap;
use std::time::Duration;

use gradus_jail::protocol::KillReason;

use super::Keeper;
use super::members::{Membership, Whose, command_of};
use crate::gpu::holds::Held;
use crate::gpu::notes::Seen;
use crate::gpu::told::{NvmlError, Usage};

/// One GPU while its job runs.
pub(super) struct Watched {
    pub(super) held: Held,
    /// who is on it and not the job's, and whether that was noted
    foreign: BTreeMap<u32, bool>,
    pub(super) peak_bytes: u64,
    failing: Option<NvmlError>,
}

impl Watched {
    pub(super) fn new(held: Held) -> Watched {
        Watched {
            held,
            foreign: BTreeMap::new(),
            peak_bytes: 0,
            failing: None,
        }
    }
}

impl Keeper<'_> {
    /// Looks once: notes what is new, and ends the job that has taken too much.
    pub(super) fn look(&mut self, one: &mut Watched, membership: &Membership) {
        let uuid = one.held.hold.uuid.clone();
        let usage = match self.nvml.usage(&uuid) {
            Ok(usage) => usage,
            Err(error) => {
                if one.failing.as_ref() != Some(&error) {
                    let seen = match &error {
                        NvmlError::Lost => Seen::Lost,
                        other => Seen::Unwatched {
                            error: other.to_string(),
                        },
                    };
                    self.note(&uuid, seen);
                }
                one.failing = Some(error);
                return;
            }
        };
        if one.failing.take().is_some() {
            self.note(&uuid, Seen::WatchedAgain);
        }
        let used_bytes = self.used_by_the_job(one, &usage, membership);
        one.peak_bytes = one.peak_bytes.max(used_bytes);
        if let Some(limit_bytes) = one.held.hold.memory_bytes
            && used_bytes > limit_bytes
        {
            self.note(
                &uuid,
                Seen::OverLimit {
                    used_bytes,
                    limit_bytes,
                },
            );
            // It may have ended by itself; the next round finds out.
            let _ = self
                .sandbox
                .kill(&self.name, KillReason::GpuMemory, Duration::ZERO);
        }
    }

    /// Memory of the job's processes. Where the driver does not tell it by process, what is in use beyond the baseline, as nobody else should
    /// be there.
    fn used_by_the_job(
        &mut self,
        one: &mut Watched,
        usage: &Usage,
        membership: &Membership,
    ) -> u64 {
        let uuid = one.held.hold.uuid.clone();
        let (mut own, mut others, mut hidden) = (0u64, 0u64, usage.processes.is_empty());
        let mut still = BTreeMap::new();
        for process in &usage.processes {
            let whose = membership.whose(process.pid);
            if let Whose::Jobs = whose {
                match process.bytes {
                    Some(bytes) => own = own.saturating_add(bytes),
                    None => hidden = true,
                }
                continue;
            }
            others = others.saturating_add(process.bytes.unwrap_or(0));
            let before = one.foreign.get(&process.pid).copied();
            let noted = match (whose, before) {
                (_, Some(true)) => true,
                (Whose::Others, _) => {
                    let command = command_of(process.pid);
                    let pid = process.pid;
                    self.note(&uuid, Seen::Foreign { pid, command });
                    true
                }
                // One that has just ended cannot be seen either: only who is there twice is noted.
                (_, None) => false,
                (_, Some(false)) => {
                    hidden = true;
                    let pid = process.pid;
                    self.note(&uuid, Seen::Unseen { pid });
                    true
                }
            };
            still.insert(process.pid, noted);
        }
        one.foreign = still;
        if hidden {
            let beyond = usage
                .used_bytes
                .saturating_sub(one.held.hold.baseline_bytes)
                .saturating_sub(others);
            own = own.max(beyond);
        }
        own
    }
}
