//! What was refused to a job, what it used, and a descriptor that tells of a lack of memory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::CgroupError;
use super::files::read_from_start;
use super::group::Group;
use super::host::{Backend, Controller};

/// What the kernel refused to a job so far. 0 where nothing counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// processes that were ended for lack of memory
    pub oom_kills: u64,
    /// how often that ended the whole group; version 2 only
    pub oom_group_kills: u64,
    /// processes and threads that were not started for their number
    pub pids_refused: u64,
}

/// What a job used so far; absent where nothing counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// microseconds of all processors
    pub cpu_us: Option<u64>,
    /// the most memory at one time, bytes
    pub memory_peak_bytes: Option<u64>,
    /// bytes read from block devices
    pub io_read_bytes: Option<u64>,
    /// bytes written to block devices
    pub io_write_bytes: Option<u64>,
}

impl Group {
    /// What was refused so far. Read it after the end too: what ends fast ends before anybody is woken.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn events(&self) -> Result<Events, CgroupError> {
        let mut events = Events::default();
        if let Some(member) = self.member(Controller::Memory) {
            let file = if member.backend == Backend::V2 {
                "memory.events"
            } else {
                "memory.oom_control"
            };
            let text = member.dir.read(file)?;
            events.oom_kills = field(&text, "oom_kill").unwrap_or(0);
            events.oom_group_kills = field(&text, "oom_group_kill").unwrap_or(0);
        }
        if let Some(member) = self.member(Controller::Pids) {
            let text = member.dir.read_if_there("pids.events")?.unwrap_or_default();
            events.pids_refused = field(&text, "max").unwrap_or(0);
        }
        Ok(events)
    }

    /// What was used so far.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn usage(&self) -> Result<Usage, CgroupError> {
        let mut usage = Usage::default();
        if let Some(member) = self.member(Controller::Accounting) {
            usage.cpu_us = if member.backend == Backend::V2 {
                field(&member.dir.read("cpu.stat")?, "usage_usec")
            } else {
                member
                    .dir
                    .read("cpuacct.usage")?
                    .trim()
                    .parse()
                    .ok()
                    .map(|ns: u64| ns / 1000)
            };
        }
        if let Some(member) = self.member(Controller::Memory) {
            // memory.peak came with 5.19
            let file = if member.backend == Backend::V2 {
                "memory.peak"
            } else {
                "memory.max_usage_in_bytes"
            };
            usage.memory_peak_bytes = member
                .dir
                .read_if_there(file)?
                .and_then(|text| text.trim().parse().ok());
        }
        if let Some(member) = self.member(Controller::Io) {
            let (read, write) = if member.backend == Backend::V2 {
                io_stat(&member.dir.read_if_there("io.stat")?.unwrap_or_default())
            } else {
                io_service(
                    &member
                        .dir
                        .read_if_there("blkio.throttle.io_service_bytes_recursive")?
                        .unwrap_or_default(),
                )
            };
            (usage.io_read_bytes, usage.io_write_bytes) = (Some(read), Some(write));
        }
        Ok(usage)
    }

    /// A descriptor that becomes ready when the job lacks memory; none where nothing limits its memory.
    ///
    /// # Errors
    /// [`CgroupError::Watch`].
    pub fn oom_watch(&self) -> Result<Option<OomWatch>, CgroupError> {
        let Some(member) = self.member(Controller::Memory) else {
            return Ok(None);
        };
        let v1 = member.backend == Backend::V1;
        let file = if v1 {
            "memory.oom_control"
        } else {
            "memory.events"
        };
        let failed = |errno| CgroupError::Watch {
            path: member.dir.path().join(file),
            errno,
        };
        let counters = member.dir.open_file(file, OFlags::RDONLY).map_err(failed)?;
        let mut notice = None;
        if v1 {
            use std::os::fd::AsRawFd;
            let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map_err(failed)?;
            member.dir.write(
                "cgroup.event_control",
                &format!("{} {}", fd.as_raw_fd(), counters.as_raw_fd()),
            )?;
            notice = Some(fd);
        }
        let watch = OomWatch { counters, notice };
        // only what happens after the first look wakes
        watch.oom_kills().map_err(failed)?;
        Ok(Some(watch))
    }
}

/// Tells of a lack of memory. Poll [`OomWatch::fd`] for [`OomWatch::poll_flags`], then ask [`OomWatch::oom_kills`].
#[derive(Debug)]
pub struct OomWatch {
    /// `memory.events` of version 2, `memory.oom_control` of version 1
    counters: OwnedFd,
    /// version 1 writes into this
    notice: Option<OwnedFd>,
}

impl OomWatch {
    /// What to poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.notice.as_ref().unwrap_or(&self.counters).as_fd()
    }

    /// What to poll for.
    pub fn poll_flags(&self) -> PollFlags {
        if self.notice.is_some() {
            PollFlags::IN
        } else {
            PollFlags::PRI
        }
    }

    /// Processes that were ended for lack of memory so far; the descriptor is ready again only after the next event. Version 2 also wakes
    /// for events that end nobody, and version 1 wakes before it has ended somebody: 0 means to wait on.
    ///
    /// # Errors
    /// The kernel's answer; `ENODEV` after the group was removed.
    pub fn oom_kills(&self) -> Result<u64, Errno> {
        if let Some(notice) = &self.notice {
            match rustix::io::read(notice, &mut [0u8; 8]) {
                Ok(_) | Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(field(&read_from_start(&self.counters)?, "oom_kill").unwrap_or(0))
    }
}

/// The value of a line `KEY VALUE`.
pub(super) fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        line.strip_prefix(key)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

/// Bytes read and written in the text of `io.stat`.
pub(super) fn io_stat(text: &str) -> (u64, u64) {
    let sum = |key: &str| {
        text.split_whitespace()
            .filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok())
            .sum()
    };
    (sum("rbytes="), sum("wbytes="))
}

/// Bytes read and written in the text of `blkio.throttle.io_service_bytes`.
pub(super) fn io_service(text: &str) -> (u64, u64) {
    let sum = |key: &str| {
        let lines = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines
            .filter_map(|words| {
                if words.len() == 3 && words[1] == key {
                    words[2].parse::<u64>().ok()
                } else {
                    None
                }
            })
            .sum()
    };
    (sum("Read"), sum("Write"))
}
