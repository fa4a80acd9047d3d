//! What is kept of a job's output: its beginning, its end, and how much there was.
//!
//! Records, one after the other, in files of the job's directory: `log.head`, then `log.1` and `log.0` (the older and the newer part of the
//! end). A record is 24 bytes of header, little-endian, and its bytes:
//!
//! ```text
//! u32 length | u8 stream (1 output, 2 errors) | 3 bytes 0 | u64 milliseconds since the start | u64 bytes printed before it
//! ```
//! A gap in the last number is what was not kept. Nothing in them is interpreted here, so nothing that a job prints can pass for a record.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::time::{Duration, Instant};

use crate::plan::Logs as Limits;

/// Bytes of a record's header.
pub const HEADER_BYTES: usize = 24;
/// The files, in the order of what they hold.
pub const FILES: [&str; 3] = ["log.head", "log.1", "log.0"];

/// Output to files, within limits.
#[derive(Debug)]
pub(super) struct Logs {
    limits: Limits,
    head: Option<File>,
    tail: Option<File>,
    tail_bytes: u64,
    /// bytes printed so far, kept or not
    total: u64,
    /// bytes of the first file, headers included
    head_bytes: u64,
    started: Instant,
    /// bytes that may be read now; refilled by time
    tokens: f64,
    refilled: Instant,
}

impl Logs {
    /// Of a job that has printed nothing: each file is made when there is something to keep in it.
    pub(super) fn new(limits: Limits) -> Logs {
        let now = Instant::now();
        let tokens = limits.rate_bytes as f64;
        Logs {
            limits,
            head: None,
            tail: None,
            tail_bytes: 0,
            total: 0,
            head_bytes: 0,
            started: now,
            tokens,
            refilled: now,
        }
    }

    /// Bytes printed so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether more was printed than a job may.
    pub(super) fn flooded(&self) -> bool {
        self.total > self.limits.bytes_max
    }

    /// How long the job has to wait before more is read; none where it has not.
    pub(super) fn pause(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let rate = self.limits.rate_bytes.max(1) as f64;
        // A second's worth at most: a job that was quiet may not flood later.
        self.tokens =
            (self.tokens + rate * now.duration_since(self.refilled).as_secs_f64()).min(rate);
        self.refilled = now;
        (self.tokens <= 0.0).then(|| Duration::from_secs_f64((rate / 100.0 - self.tokens) / rate))
    }

    /// Keeps `bytes` of `stream` as far as the limits say.
    pub(super) fn keep(&mut self, stream: u8, bytes: &[u8]) -> io::Result<()> {
        // Work is charged too: who prints byte by byte is read from READS_MAX times a second, and has its bytes gathered meanwhile.
        const READS_MAX: u64 = 2048;
        self.tokens -= (bytes.len() as u64).max(self.limits.rate_bytes / READS_MAX) as f64;
        let room = self
            .limits
            .head_bytes
            .saturating_sub(self.head_bytes + HEADER_BYTES as u64);
        // What is kept must not be more than what was printed makes it, so headers count; and what follows the end is never the beginning.
        let head = match &self.tail {
            None => (room as usize).min(bytes.len()),
            Some(_) => 0,
        };
        let (first, rest) = bytes.split_at(head);
        if !first.is_empty() {
            let head = match &mut self.head {
                Some(head) => head,
                none => none.insert(append(FILES[0])?),
            };
            write(head, self.started, stream, self.total, first)?;
            self.head_bytes += (HEADER_BYTES + first.len()) as u64;
        }
        if !rest.is_empty() && self.limits.tail_bytes > 0 {
            let before = self.total + head as u64;
            let tail = match &mut self.tail {
                // Two files of half the size each: the older is dropped whole.
                Some(tail) if self.tail_bytes < self.limits.tail_bytes / 2 => tail,
                full => {
                    if full.is_some() {
                        std::fs::rename(FILES[2], FILES[1])?;
                    }
                    self.tail_bytes = 0;
                    full.insert(append(FILES[2])?)
                }
            };
            write(tail, self.started, stream, before, rest)?;
            self.tail_bytes += (HEADER_BYTES + rest.len()) as u64;
        }
        self.total += bytes.len() as u64;
        Ok(())
    }
}

fn append(name: &str) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(name)
}

fn write(
    file: &mut File,
    started: Instant,
    stream: u8,
    before: u64,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    header[4] = stream;
    header[8..16].copy_from_slice(&(started.elapsed().as_millis() as u64).to_le_bytes());
    header[16..].copy_from_slice(&before.to_le_bytes());
    // One call as a rule, so that a reader beside us sees records whole.
    let mut parts = [IoSlice::new(&header), IoSlice::new(bytes)];
    let mut parts = &mut parts[..];
    while !parts.is_empty() {
        match file.write_vectored(parts) {
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
