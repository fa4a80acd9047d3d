//! Records as lines for a terminal.
//!
//! ```text
//!      0.012 out | epoch 1
//!      0.013 err | warning: \x1b[31mred\x1b[0m
//!      0.020 --- | 4096 bytes were not kept
//! ```
//! A frame begins each line and the job's text never does, so nothing that it prints can pass for a frame, for another stream or for one of
//! our own messages.

use std::fmt::Write;
use std::time::Duration;

use super::{Record, Stream, escape};

/// Of a line that a job prints, bytes that are shown.
pub const LINE_BYTES: usize = 8 << 10;

/// Puts together lines out of records. Holds one line of each stream at most, cut off at [`LINE_BYTES`].
#[derive(Debug, Default)]
pub struct Lines {
    pending: [Pending; 2],
}

/// A line without an end.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    /// further ones, which are not shown
    more: u64,
    /// when it began
    at: Duration,
}

impl Lines {
    /// Nothing yet.
    pub fn new() -> Lines {
        Lines::default()
    }

    /// Adds to `text` the lines that `record` ends.
    pub fn push(&mut self, record: &Record, text: &mut String) {
        if record.missing > 0 {
            // What comes next does not belong to what was there.
            self.finish(text);
            frame(text, record.at, "---");
            let _ = writeln!(text, "{} bytes were not kept", record.missing);
        }
        let pending = &mut self.pending[index(record.stream)];
        for part in record.bytes.split_inclusive(|byte| *byte == b'\n') {
            if pending.is_empty() {
                pending.at = record.at;
            }
            match part.strip_suffix(b"\n") {
                Some(last) => {
                    pending.take(last);
                    pending.show(record.stream, text);
                }
                None => pending.take(part),
            }
        }
    }

    /// Adds to `text` what has no end yet.
    pub fn finish(&mut self, text: &mut String) {
        for stream in [Stream::Output, Stream::Errors] {
            let pending = &mut self.pending[index(stream)];
            if !pending.is_empty() {
                pending.show(stream, text);
            }
        }
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.more == 0
    }

    fn take(&mut self, bytes: &[u8]) {
        let (shown, rest) = bytes.split_at(bytes.len().min(LINE_BYTES - self.bytes.len()));
        self.bytes.extend_from_slice(shown);
        self.more += rest.len() as u64;
    }

    fn show(&mut self, stream: Stream, text: &mut String) {
        frame(
            text,
            self.at,
            if stream == Stream::Output {
                "out"
            } else {
                "err"
            },
        );
        text.push_str(&escape(&self.bytes));
        if self.more > 0 {
            let _ = write!(text, " … [{} more bytes in this line]", self.more);
        }
        text.push('\n');
        self.bytes.clear();
        self.more = 0;
    }
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Output => 0,
        Stream::Errors => 1,
    }
}

fn frame(text: &mut String, at: Duration, what: &str) {
    let _ = write!(
        text,
        "{:>6}.{:03} {what} | ",
        at.as_secs(),
        at.subsec_millis()
    );
}
