//! An intent's file: records as lines, each with a checksum over itself and all before it.
//!
//! ```text
//! gradus submission journal 1
//! <32 hexadecimal digits> <record as JSON>
//! ```
//!
//! The digits are the first 16 bytes of SHA-256 over the line before's digits (none for the first) and the JSON, so that a line which was changed,
//! left out or moved is noticed. A line is written behind the others and synced before anything is done that it speaks of. Whoever loses power in
//! between leaves a last line without its end, or with blocks of a disk that were never written: that record was not acted on and is left out. A
//! last line that is whole and wrong is another matter, as one that is in the middle: what it said was perhaps acted on, so the file is refused.

use super::record::Record;
use gradus_owner::Owner;
use sha2_10::{Digest, Sha256};

/// The longest journal that is read, in bytes: some hundred attempts of the longest vector.
pub const JOURNAL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest line: the longest extrinsic and commit in hexadecimal.
const LINE_BYTES_MAX: usize = 512 * 1024;
/// The first line.
const HEADER: &[u8] = b"gradus submission journal 1\n";
/// Digits of a checksum.
const SUM_DIGITS: usize = 32;
/// What a disk writes at once: a run of as many zeros was never written.
const SECTOR_BYTES: usize = 512;

/// A checksum's digits.
pub(super) type Sum = [u8; SUM_DIGITS];

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// With a whole line.
    Whole,
    /// With a line that was cut off; it is left out.
    Torn {
        /// Bytes before it, all of them good.
        keep_bytes: u64,
    },
}

/// Bytes that are not a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Too long.
    #[error("it has more than {JOURNAL_BYTES_MAX} bytes, no journal does: is it another file?")]
    TooLong,
    /// Another file.
    #[error(
        "its first line is not \"gradus submission journal 1\": another program or version wrote it"
    )]
    Header,
    /// Nothing in it.
    #[error("it has no record, and a journal is made with one: it was cut off by hand")]
    Empty,
    /// A changed line.
    #[error(
        "line {line} is damaged ({what}): restore the file from a copy, or look the hotkey's weights up on chain and move it away"
    )]
    Damaged {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A last line that is whole, but for its newline.
    #[error(
        "line {line}, the last, is a whole record without its newline: it was cut there, and perhaps what it says was done, so it is not left out"
    )]
    NoNewline {
        /// Its number, from 1.
        line: usize,
    },
    /// A good line of something else.
    #[error("line {line} is no record of this version")]
    Record {
        /// Its number, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl JournalError {
    /// Whose fault: the host's, which keeps the file.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// What a journal's bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) records: Vec<Record>,
    pub(super) tail: Tail,
    pub(super) sum: Option<Sum>,
}

/// The records of a journal, and how it ends. Whether they follow each other is for [`super::State::replay`].
///
/// # Errors
/// [`JournalError`].
pub fn read_journal(bytes: &[u8]) -> Result<(Vec<Record>, Tail), JournalError> {
    let contents = read(bytes)?;
    Ok((contents.records, contents.tail))
}

pub(super) fn read(bytes: &[u8]) -> Result<Contents, JournalError> {
    if bytes.len() > JOURNAL_BYTES_MAX {
        return Err(JournalError::TooLong);
    }
    let mut rest = bytes.strip_prefix(HEADER).ok_or(JournalError::Header)?;
    let mut contents = Contents {
        records: Vec::new(),
        tail: Tail::Whole,
        sum: None,
    };
    let mut line = 1;
    while !rest.is_empty() {
        line += 1;
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (text, after) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[..0]),
        };
        let checked = check(text, contents.sum.as_ref());
        match checked {
            Ok((sum, json)) if end.is_some() => {
                let record = serde_json::from_slice(json)
                    .map_err(|source| JournalError::Record { line, source })?;
                contents.records.push(record);
                contents.sum = Some(sum);
            }
            _ if after.is_empty() && is_torn(text, end.is_some(), contents.sum.as_ref()) => {
                let keep_bytes = (bytes.len() - rest.len()) as u64;
                contents.tail = Tail::Torn { keep_bytes };
            }
            // Other bytes than the newline in its place, behind a line that was whole.
            Err(what) => return Err(JournalError::Damaged { line, what }),
            Ok(_) => return Err(JournalError::NoNewline { line }),
        }
        rest = after;
    }
    if contents.records.is_empty() {
        return Err(JournalError::Empty);
    }
    Ok(contents)
}

/// Whether a last line was never whole on the disk.
fn is_torn(text: &[u8], ended: bool, sum: Option<&Sum>) -> bool {
    let mut run = 0;
    for byte in text {
        run = if *byte == 0 { run + 1 } else { 0 };
        if run >= SECTOR_BYTES {
            return true;
        }
    }
    // A whole line whose last byte alone is another was whole once.
    let but_last = &text[..text.len().saturating_sub(1)];
    !ended && check(text, sum).is_err() && check(but_last, sum).is_err()
}

/// A line's checksum and JSON, if the one is the other's.
fn check<'a>(text: &'a [u8], before: Option<&Sum>) -> Result<(Sum, &'a [u8]), &'static str> {
    if text.len() > LINE_BYTES_MAX {
        return Err("it is longer than any record");
    }
    let (sum, json) = text.split_at_checked(SUM_DIGITS).ok_or("it is too short")?;
    let json = json.strip_prefix(b" ").ok_or("it has no checksum")?;
    let expected = checksum(before, json);
    if sum != expected {
        return Err("its checksum is another's");
    }
    Ok((expected, json))
}

fn checksum(before: Option<&Sum>, json: &[u8]) -> Sum {
    let before = before.map_or(&[][..], |sum| &sum[..]);
    let digest = Sha256::new().chain_update(before).chain_update(json);
    let text = crate::hex::encode(&digest.finalize()[..SUM_DIGITS / 2]);
    let mut sum = [0; SUM_DIGITS];
    sum.copy_from_slice(&text.as_bytes()[2..]);
    sum
}

/// A record as a line, and the checksum that the next one needs.
pub(super) fn line(record: &Record, before: Option<&Sum>) -> (Vec<u8>, Sum) {
    let json = serde_json::to_vec(record).expect("records are plain data");
    let sum = checksum(before, &json);
    let mut line = Vec::with_capacity(SUM_DIGITS + json.len() + 2);
    line.extend(sum);
    line.push(b' ');
    line.extend(json);
    line.push(b'\n');
    (line, sum)
}

/// A journal's bytes with its first record, and the checksum that the next one needs.
pub(super) fn begin(first: &Record) -> (Vec<u8>, Sum) {
    let (line, sum) = line(first, None);
    ([HEADER, &line].concat(), sum)
}
