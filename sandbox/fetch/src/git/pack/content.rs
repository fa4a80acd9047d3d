//! What deltas made, one behind the other in a file.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::super::error::PackError;
use super::source::read_at;

const BUFFER_BYTES: usize = 256 << 10;

/// A file that grows at its end, and is read anywhere.
#[derive(Debug)]
pub(super) struct Content {
    file: File,
    /// Bytes of the file.
    written: u64,
    /// What comes behind them.
    pending: Vec<u8>,
}

impl Content {
    pub(super) fn new(file: File) -> Content {
        Content {
            file,
            written: 0,
            pending: Vec::with_capacity(BUFFER_BYTES),
        }
    }

    /// Where the next byte goes.
    pub(super) fn end(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        if self.pending.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() > BUFFER_BYTES {
            return self.write(bytes);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PackError> {
        let pending = std::mem::take(&mut self.pending);
        self.write(&pending)?;
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.file
            .write_all_at(bytes, self.written)
            .map_err(PackError::io("writing what a delta makes"))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// A part as a whole.
    pub(super) fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, PackError> {
        let mut out = vec![0; len];
        self.read_into(offset, &mut out)?;
        Ok(out)
    }

    /// A part, in parts.
    pub(super) fn copy(
        &mut self,
        offset: u64,
        len: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let mut buffer = vec![
            0;
            usize::try_from(len)
                .unwrap_or(BUFFER_BYTES)
                .min(BUFFER_BYTES)
        ];
        let mut done = 0;
        while done < len {
            let part = usize::try_from(len - done)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            self.read_into(offset + done, &mut buffer[..part])?;
            sink(&buffer[..part])?;
            done += part as u64;
        }
        Ok(())
    }

    /// Copies a part of it to its end.
    pub(super) fn repeat(
        &mut self,
        offset: u64,
        len: u64,
        seen: &mut dyn FnMut(&[u8]),
    ) -> Result<(), PackError> {
        let mut done = 0;
        while done < len {
            let part = usize::try_from(len - done)
                .unwrap_or(usize::MAX)
                .min(BUFFER_BYTES);
            let bytes = self.read(offset + done, part)?;
            seen(&bytes);
            self.add(&bytes)?;
            done += part as u64;
        }
        Ok(())
    }

    fn read_into(&mut self, offset: u64, out: &mut [u8]) -> Result<(), PackError> {
        if offset + out.len() as u64 > self.written {
            self.flush()?;
        }
        if read_at(&self.file, out, offset)? < out.len() {
            return Err(PackError::Io {
                step: "reading what a delta made",
                source: std::io::ErrorKind::UnexpectedEof.into(),
            });
        }
        Ok(())
    }
}
