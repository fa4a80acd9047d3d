//! What was asked for, and what became of it.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One request of a job, when it is over. A line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// milliseconds since 1970 when it came
    pub at_ms: u64,
    /// milliseconds until it was over
    pub took_ms: u64,
    /// the method; empty for what was no request
    pub method: String,
    /// `HOST:PORT` of a tunnel, the address of a request; as long as [`TARGET_BYTES_MAX`] at most
    pub target: String,
    /// what became of it
    pub verdict: Verdict,
    /// where it went
    pub address: Option<SocketAddr>,
    /// bytes from the job
    pub sent: u64,
    /// bytes to the job
    pub received: u64,
}

/// Bytes of a target that are kept.
pub const TARGET_BYTES_MAX: usize = 4 << 10;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// it was passed on, until one of both sides had enough
    Passed,
    /// it was passed on and then cut off
    Cut {
        /// why
        why: String,
    },
    /// it was not passed on
    Refused {
        /// why
        why: String,
    },
    /// it could not be passed on
    Failed {
        /// why
        why: String,
    },
}

/// All requests of a job, when it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// how many
    pub requests: u64,
    /// how many of them were refused
    pub refused: u64,
    /// bytes from the job
    pub sent: u64,
    /// bytes to the job
    pub received: u64,
    /// bytes that the limit was lowered by: also those that were read and went nowhere
    pub spent: u64,
    /// whether the limit of bytes was reached
    pub exhausted: bool,
    /// records that could not be written
    pub unrecorded: u64,
}

impl Record {
    /// As it stands in a file.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("plain data");
        line.push(b'\n');
        line
    }
}

impl Report {
    pub(crate) fn add(&mut self, record: &Record) {
        self.requests += 1;
        self.refused += u64::from(matches!(record.verdict, Verdict::Refused { .. }));
        self.sent += record.sent;
        self.received += record.received;
    }
}

pub(crate) fn millis_since_1970(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}
