//! A file's bytes, counted, and summed where that is wanted.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::super::error::PackError;
use super::super::id::Sum;

const BUFFER_BYTES: usize = 128 << 10;

/// Reads a part of a file.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    buffer: Vec<u8>,
    /// Where `buffer` begins in the file, and which part of it is still to be read.
    base: u64,
    position: usize,
    filled: usize,
    end: u64,
    /// Of all bytes that were read, until the first seek.
    sum: Option<Sum>,
}

impl Source {
    /// From the file's beginning to `end`.
    pub(super) fn new(file: File, end: u64, sum: Option<Sum>) -> Source {
        Source {
            file,
            buffer: vec![0; BUFFER_BYTES],
            base: 0,
            position: 0,
            filled: 0,
            end,
            sum,
        }
    }

    /// What is to be read next; nothing at the end.
    pub(super) fn fill(&mut self) -> Result<&[u8], PackError> {
        if self.position == self.filled {
            self.base += self.filled as u64;
            self.position = 0;
            self.filled = 0;
            let left = self.end.saturating_sub(self.base);
            let want = BUFFER_BYTES.min(usize::try_from(left).unwrap_or(BUFFER_BYTES));
            self.filled = read_at(&self.file, &mut self.buffer[..want], self.base)?;
            if let Some(sum) = &mut self.sum {
                sum.add(&self.buffer[..self.filled]);
            }
        }
        Ok(&self.buffer[self.position..self.filled])
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.position = (self.position + n).min(self.filled);
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, PackError> {
        let offset = self.offset();
        let byte = self.fill()?.first().copied();
        self.consume(1);
        byte.ok_or(PackError::Malformed {
            offset,
            reason: "it ends in the middle of an object",
        })
    }

    /// Where the next byte is.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.position as u64
    }

    /// Goes on elsewhere; the sum ends.
    pub(super) fn seek(&mut self, offset: u64) {
        self.sum = None;
        match offset.checked_sub(self.base).map(usize::try_from) {
            Some(Ok(position)) if position <= self.filled => self.position = position,
            _ => {
                self.base = offset;
                self.position = 0;
                self.filled = 0;
            }
        }
    }

    /// The sum of everything that was read, and the bytes behind the end.
    pub(super) fn sums(&mut self, len: usize) -> Result<(Vec<u8>, Vec<u8>), PackError> {
        let sum = self.sum.take().map(Sum::finish).unwrap_or_default();
        let mut behind = vec![0; len];
        let n = read_at(&self.file, &mut behind, self.end)?;
        behind.truncate(n);
        Ok((sum, behind))
    }
}

/// Fills a buffer, as far as the file goes.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, PackError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(PackError::io("reading what was received")(e)),
        }
    }
    Ok(filled)
}
