//! What a job may use.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::CgroupError;

/// What a job may use at most. What is absent is not limited. Swap is never granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// memory, with page cache, tmpfs, page tables, socket and pipe buffers
    pub memory_bytes: Option<u64>,
    /// memory that is taken from the group only when there is no other to take
    pub memory_low_bytes: Option<u64>,
    /// memory that is never taken from the group
    pub memory_min_bytes: Option<u64>,
    /// processes and threads
    pub pids: Option<u32>,
    /// processor time, in thousandths of one processor
    pub cpu_millis: Option<u32>,
    /// processors that may be used, as in `0-3,8`
    pub cpuset: Option<String>,
    /// throughput of block devices
    pub io: Vec<IoLimit>,
}

/// Throughput of one block device. What is absent is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IoLimit {
    /// the device's number: its driver
    pub major: u32,
    /// the device's number: which of the driver's; a whole disk, not a partition
    pub minor: u32,
    /// bytes read a second
    pub read_bps: Option<u64>,
    /// bytes written a second
    pub write_bps: Option<u64>,
    /// reads a second
    pub read_iops: Option<u64>,
    /// writes a second
    pub write_iops: Option<u64>,
}

impl IoLimit {
    /// The device as the kernel names it.
    pub(super) fn device(&self) -> String {
        format!("{}:{}", self.major, self.minor)
    }
}

impl Limits {
    /// Refuses what no host can keep: nothing at all of something, or processors that are not numbers.
    pub(super) fn check(&self) -> Result<(), CgroupError> {
        let rates = self
            .io
            .iter()
            .flat_map(|io| [io.read_bps, io.write_bps, io.read_iops, io.write_iops]);
        let zero = [
            ("memory_bytes", self.memory_bytes == Some(0)),
            ("pids", self.pids == Some(0)),
            ("cpu_millis", self.cpu_millis == Some(0)),
            (
                "a limit of a block device",
                rates.flatten().any(|rate| rate == 0),
            ),
        ];
        if let Some((what, _)) = zero.iter().find(|(_, zero)| *zero) {
            return Err(invalid(format!("{what} is 0, but a job needs at least 1")));
        }
        if let (Some(max), Some(kept)) = (
            self.memory_bytes,
            self.memory_min_bytes.max(self.memory_low_bytes),
        ) && kept > max
        {
            return Err(invalid(format!(
                "memory_low_bytes or memory_min_bytes is {kept}, more than memory_bytes, {max}"
            )));
        }
        if let Some(cpuset) = &self.cpuset
            && number_set(cpuset).is_none()
        {
            return Err(invalid(format!(
                "cpuset is {cpuset:?}, but should be like 0-3,8"
            )));
        }
        Ok(())
    }
}

/// A name that a group may have: lower-case letters, digits, `-` and `_`, at most 64, not `-` or `_` first.
pub(super) fn check_name(name: &str) -> Result<(), CgroupError> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| letter(byte) || matches!(byte, b'-' | b'_'))
        && name.bytes().next().is_some_and(letter);
    if fits {
        return Ok(());
    }
    Err(invalid(format!(
        "a group's name is {name:?}, but should have 1 to 64 lower-case letters, digits, - and _, with a letter or digit first"
    )))
}

/// The numbers of a list like `0-3,8`; none where it is not one.
pub(super) fn number_set(list: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // more than any kernel's NR_CPUS
            text.parse::<u32>()
                .ok()
                .filter(|number| digits && *number < 65_536)
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

fn invalid(what: String) -> CgroupError {
    CgroupError::Invalid { what }
}
