//! An archive's blocks: ustar headers, a PAX header in front where a field does not hold the value.

use std::io::{self, Write};

use crate::layer::header::BLOCK_BYTES;
use crate::layer::pax;

/// Largest number that eleven octal digits hold, which is what a size and a time have.
const OCTAL_11_MAX: u64 = (1 << 33) - 1;
/// Largest number that seven octal digits hold, which is what an owner has.
const OCTAL_7_MAX: u64 = (1 << 21) - 1;
const NAME_BYTES: usize = 100;

/// What an entry's header says beside its name and size.
pub(super) struct Header {
    pub(super) kind: tar::EntryType,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) mtime_s: u64,
}

pub(super) struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Writer<W> {
        Writer { out }
    }

    /// One header, with what has to be said in front of it. `size` bytes of data and their padding are to follow.
    pub(super) fn entry(
        &mut self,
        header: &Header,
        name: &[u8],
        link: &[u8],
        size: u64,
        xattrs: &[(Vec<u8>, Vec<u8>)],
    ) -> io::Result<()> {
        let mut records = Vec::new();
        let mut say = |key: &str, value: &[u8]| records.extend(pax::record(key.as_bytes(), value));
        let (uid, gid) = (u64::from(header.owner.0), u64::from(header.owner.1));
        if name.len() > NAME_BYTES {
            say("path", name);
        }
        if link.len() > NAME_BYTES {
            say("linkpath", link);
        }
        for (key, value, limit) in [
            ("size", size, OCTAL_11_MAX),
            ("uid", uid, OCTAL_7_MAX),
            ("gid", gid, OCTAL_7_MAX),
            ("mtime", header.mtime_s, OCTAL_11_MAX),
        ] {
            if value > limit {
                say(key, value.to_string().as_bytes());
            }
        }
        for (key, value) in xattrs {
            let mut full = b"SCHILY.xattr.".to_vec();
            full.extend_from_slice(key);
            records.extend(pax::record(&full, value));
        }
        if !records.is_empty() {
            let extended = Header {
                kind: tar::EntryType::XHeader,
                mode: 0o644,
                owner: (0, 0),
                mtime_s: 0,
            };
            self.block(&extended, b"pax", b"", records.len() as u64)?;
            self.out.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.block(header, name, link, size)
    }

    fn block(&mut self, header: &Header, name: &[u8], link: &[u8], size: u64) -> io::Result<()> {
        let mut block = tar::Header::new_ustar();
        block.set_entry_type(header.kind);
        block.set_mode(header.mode);
        // A field that does not hold its value is zero; the extended header has it.
        let fit = |value: u64, limit: u64| if value > limit { 0 } else { value };
        block.set_uid(fit(header.owner.0.into(), OCTAL_7_MAX));
        block.set_gid(fit(header.owner.1.into(), OCTAL_7_MAX));
        block.set_mtime(fit(header.mtime_s, OCTAL_11_MAX));
        block.set_size(fit(size, OCTAL_11_MAX));
        let old = block.as_old_mut();
        let cut = &name[..name.len().min(NAME_BYTES)];
        old.name[..cut.len()].copy_from_slice(cut);
        let cut = &link[..link.len().min(NAME_BYTES)];
        old.linkname[..cut.len()].copy_from_slice(cut);
        block.set_cksum();
        self.out.write_all(block.as_bytes())
    }

    pub(super) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Zeros up to the next block, behind `size` bytes.
    pub(super) fn pad(&mut self, size: u64) -> io::Result<()> {
        let rest = (size % BLOCK_BYTES as u64) as usize;
        if rest > 0 {
            self.out.write_all(&[0; BLOCK_BYTES][rest..])?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK_BYTES])?;
        self.out.flush()?;
        Ok(self.out)
    }
}
