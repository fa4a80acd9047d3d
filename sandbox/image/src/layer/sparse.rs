//! Where the stored bytes of a file with holes belong: GNU's old form and PAX 1.0.

use std::io::Read;

use tar::{GnuExtSparseHeader, Header};

use super::archive::{Archive, ArchiveError};
use super::header::BLOCK_BYTES;
use super::pax;

/// A file with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sparse {
    /// The file's length, holes included.
    pub(crate) real_size: u64,
    /// Offset and length of each stored piece, in their order.
    pub(crate) pieces: Vec<(u64, u64)>,
}

const PIECES_MAX: usize = 1 << 16;

impl Sparse {
    /// Pieces in order, without overlap, inside the file, and as long together as what is stored.
    fn check(self, stored: u64) -> Result<Sparse, &'static str> {
        let (mut end, mut sum) = (0u64, 0u64);
        for &(offset, len) in &self.pieces {
            if offset < end {
                return Err("its pieces overlap");
            }
            end = offset
                .checked_add(len)
                .ok_or("a piece ends past the address space")?;
            sum += len;
        }
        if end > self.real_size {
            return Err("a piece ends past the file's own end");
        }
        if sum != stored {
            return Err("its pieces are not as long as what is stored");
        }
        Ok(self)
    }
}

/// The map in a GNU header and in the blocks behind it.
pub(crate) fn gnu<R: Read>(
    archive: &mut Archive<R>,
    header: &Header,
    stored: u64,
) -> Result<Sparse, ArchiveError> {
    let gnu = header
        .as_gnu()
        .ok_or_else(|| archive.malformed("a sparse file has no GNU header"))?;
    let real_size = gnu
        .real_size()
        .map_err(|_| archive.malformed("a sparse file's size is not a number"))?;
    let mut pieces = Vec::new();
    let mut take = |archive: &Archive<R>, slots: &[tar::GnuSparseHeader]| {
        for slot in slots.iter().filter(|slot| !slot.is_empty()) {
            let (Ok(offset), Ok(len)) = (slot.offset(), slot.length()) else {
                return Err(archive.malformed("a sparse file's map is not made of numbers"));
            };
            if pieces.len() == PIECES_MAX {
                return Err(archive.malformed("a sparse file has more than 65536 pieces"));
            }
            pieces.push((offset, len));
        }
        Ok(())
    };
    take(archive, &gnu.sparse)?;
    let mut extended = gnu.is_extended();
    while extended {
        let mut more = GnuExtSparseHeader::new();
        more.as_mut_bytes().copy_from_slice(&archive.block()?);
        take(archive, more.sparse())?;
        extended = more.is_extended();
    }
    Sparse { real_size, pieces }
        .check(stored)
        .map_err(|why| archive.malformed(format!("a sparse file is wrong: {why}")))
}

/// The map in front of a PAX 1.0 file's bytes: decimal lines, padded to a block. Returns what is left of `stored`.
pub(crate) fn pax_1_0<R: Read>(
    archive: &mut Archive<R>,
    real_size: u64,
    stored: u64,
) -> Result<(Sparse, u64), ArchiveError> {
    let mut lines = Lines {
        archive,
        left: stored,
        block: [0; BLOCK_BYTES],
        at: BLOCK_BYTES,
    };
    let count = lines.number()?;
    if count > PIECES_MAX as u64 {
        return Err(lines
            .archive
            .malformed("a sparse file has more than 65536 pieces"));
    }
    let mut pieces = Vec::new();
    for _ in 0..count {
        pieces.push((lines.number()?, lines.number()?));
    }
    let left = lines.left;
    let sparse = Sparse { real_size, pieces }
        .check(left)
        .map_err(|why| archive.malformed(format!("a sparse file is wrong: {why}")))?;
    Ok((sparse, left))
}

struct Lines<'a, R> {
    archive: &'a mut Archive<R>,
    left: u64,
    block: [u8; BLOCK_BYTES],
    at: usize,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> Result<u64, ArchiveError> {
        let mut text = Vec::new();
        loop {
            if self.at == BLOCK_BYTES {
                let Some(left) = self.left.checked_sub(BLOCK_BYTES as u64) else {
                    return Err(self.archive.malformed("a sparse file's map is cut off"));
                };
                self.left = left;
                self.block = self.archive.block()?;
                self.at = 0;
            }
            let byte = self.block[self.at];
            self.at += 1;
            if byte == b'\n' {
                break;
            }
            text.push(byte);
            if text.len() > 20 {
                break;
            }
        }
        pax::number(&text).ok_or_else(|| {
            self.archive
                .malformed("a sparse file's map is not made of numbers")
        })
    }
}
