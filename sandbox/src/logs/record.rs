//! One record in the form that the watcher writes ([`gradus_jail::watcher::logs`]).

use std::time::Duration;

use gradus_jail::watcher::logs::HEADER_BYTES;

/// Bytes of a record at most: what the watcher reads at once.
pub(super) const RECORD_BYTES: usize = 64 << 10;

/// Where a job printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// standard output
    Output,
    /// standard error
    Errors,
}

/// What a job printed at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// where
    pub stream: Stream,
    /// when, since the job's start
    pub at: Duration,
    /// bytes printed before it, on both streams
    pub before: u64,
    /// of those before it, bytes that were not kept, since the record that came before this one
    pub missing: u64,
    /// as the job printed them; nothing in them is to be trusted
    pub bytes: Vec<u8>,
}

/// A record without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// bytes that follow: 1 to 64 KiB
    pub length: usize,
    /// where they were printed
    pub stream: Stream,
    /// when, since the job's start
    pub at: Duration,
    /// bytes printed before
    pub before: u64,
}

/// Bytes that are no header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongHeader {
    /// a length that no record has
    #[error("a record of {0} bytes, expected 1 to {RECORD_BYTES}")]
    Length(u32),
    /// a stream that there is not
    #[error("a record of stream {0}, expected 1 or 2")]
    Stream(u8),
    /// bytes that are not in use
    #[error("{0:?} where zeros are expected")]
    Padding([u8; 3]),
    /// a position that is none
    #[error("a record that begins after {before} bytes, expected {expected} or more")]
    Position {
        /// what it says
        before: u64,
        /// the end of the record before it
        expected: u64,
    },
}

impl Header {
    /// The header in the first bytes, once all of them are there. `expected` is where the record before it ended.
    pub fn parse(bytes: &[u8], expected: u64) -> Result<Option<Header>, WrongHeader> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let number = |from: usize| {
            u64::from_le_bytes(header[from..from + 8].try_into().expect("eight bytes"))
        };
        let length = u32::from_le_bytes(header[..4].try_into().expect("four bytes"));
        if length == 0 || length as usize > RECORD_BYTES {
            return Err(WrongHeader::Length(length));
        }
        let stream = match header[4] {
            1 => Stream::Output,
            2 => Stream::Errors,
            other => return Err(WrongHeader::Stream(other)),
        };
        if header[5..8] != [0; 3] {
            return Err(WrongHeader::Padding([header[5], header[6], header[7]]));
        }
        let (at, before) = (Duration::from_millis(number(8)), number(16));
        if before < expected || before.checked_add(u64::from(length)).is_none() {
            return Err(WrongHeader::Position { before, expected });
        }
        Ok(Some(Header {
            length: length as usize,
            stream,
            at,
            before,
        }))
    }
}
