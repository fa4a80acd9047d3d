//! Bytes of a file, once: hashed, and written where they go. Holes are neither read nor written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::Digest;

/// Bytes read at once.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// What a hole reads as.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Why bytes did not get from one file to the other.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// the source cannot be read
    Read(io::Error),
    /// the source ends before it should
    Short {
        /// where
        at: u64,
    },
    /// the target cannot be written
    Write(io::Error),
}

/// Hashes the first `bytes` of `source` and writes them to `target`, an empty file, if there is one.
pub(super) fn copy(
    source: &File,
    bytes: u64,
    target: Option<&File>,
    buffer: &mut [u8],
) -> Result<Digest, CopyError> {
    let mut hasher = Sha256::new();
    if let Some(target) = target {
        // What is not written below stays a hole.
        target.set_len(bytes).map_err(CopyError::Write)?;
    }
    let mut at = 0;
    while at < bytes {
        let (data, end) = segment(source, at, bytes)?;
        zeros(&mut hasher, data - at);
        at = data;
        while at < end {
            let wanted = (end - at).min(buffer.len() as u64) as usize;
            let read = match source.read_at(&mut buffer[..wanted], at) {
                Ok(0) => return Err(CopyError::Short { at }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(CopyError::Read)?,
            };
            hasher.update(&buffer[..read]);
            if let Some(target) = target {
                target
                    .write_all_at(&buffer[..read], at)
                    .map_err(CopyError::Write)?;
            }
            at += read as u64;
        }
    }
    Ok(Digest::new(hasher.finalize().into()))
}

/// Where the next data at or behind `at` begins and ends, both at `bytes` at most.
fn segment(source: &File, at: u64, bytes: u64) -> Result<(u64, u64), CopyError> {
    let data = match seek(source, SeekFrom::Data(at)) {
        Ok(data) => data.min(bytes),
        // A hole up to the end; or the end came nearer.
        Err(Errno::NXIO) => {
            let len = source.metadata().map_err(CopyError::Read)?.len();
            if len < bytes {
                return Err(CopyError::Short { at: len });
            }
            bytes
        }
        // A file system that knows no holes.
        Err(Errno::INVAL) => return Ok((at, bytes)),
        Err(error) => return Err(CopyError::Read(error.into())),
    };
    if data == bytes {
        return Ok((bytes, bytes));
    }
    let hole = seek(source, SeekFrom::Hole(data)).map_err(|error| CopyError::Read(error.into()))?;
    // Cut off behind `data` meanwhile: reading will say so.
    Ok((data, if hole > data { hole.min(bytes) } else { bytes }))
}

fn zeros(hasher: &mut Sha256, mut bytes: u64) {
    while bytes > 0 {
        let part = bytes.min(ZEROS.len() as u64);
        hasher.update(&ZEROS[..part as usize]);
        bytes -= part;
    }
}
