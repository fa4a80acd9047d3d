//! An archive's entries, one after the other, from a stream.
//!
//! Where two readers of archives would see different things, this one refuses: a link with bytes, a name given twice and
//! differently, anything but zeros behind the end.

use std::io::{self, Read, Seek};

use super::caps::EXTENDED_BYTES_MAX;
use super::header::{BLOCK_BYTES, Block, Fields};
use super::pax;
use super::sparse::{self, Sparse};

/// Why an archive cannot be read on.
#[derive(Debug)]
pub(crate) enum ArchiveError {
    Malformed { offset: u64, reason: String },
    Io(io::Error),
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    Symlink(Vec<u8>),
    Hardlink(Vec<u8>),
    Fifo,
    Device,
    GlobalHeader,
    /// A type flag that is not known.
    Unknown(u8),
}

/// One entry, extended headers taken into account. Its bytes are read from the archive.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: EntryKind,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Seconds since 1970 and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// Stored bytes that follow.
    pub(crate) size: u64,
    pub(crate) sparse: Option<Sparse>,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// The file's length, holes included.
    pub(crate) fn real_size(&self) -> u64 {
        self.sparse.as_ref().map_or(self.size, |s| s.real_size)
    }
}

/// What the extended headers in front of an entry said.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    sparse_major: Option<u64>,
    sparse_minor: Option<u64>,
    sparse_name: Option<Vec<u8>>,
    sparse_size: Option<u64>,
    pax_seen: bool,
}

/// Reads entries from a stream.
pub(crate) struct Archive<R> {
    input: R,
    offset: u64,
    data: u64,
    padding: u64,
}

impl<R: Read> Archive<R> {
    pub(crate) fn new(input: R) -> Archive<R> {
        Archive {
            input,
            offset: 0,
            data: 0,
            padding: 0,
        }
    }

    pub(crate) fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// Where the next byte lies in the archive.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn malformed(&self, reason: impl Into<String>) -> ArchiveError {
        ArchiveError::Malformed {
            offset: self.offset,
            reason: reason.into(),
        }
    }

    /// The next entry; what was left of the one before is passed over. `None` at the end.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        self.skip_data()?;
        let mut extended = Extended::default();
        loop {
            let Some(block) = self.header_block()? else {
                let dangling = extended.pax_seen
                    || extended.long_path.is_some()
                    || extended.long_link.is_some();
                if dangling {
                    return Err(self.malformed("an extended header has no entry behind it"));
                }
                return Ok(None);
            };
            let fields = Fields::new(&block).map_err(|reason| self.malformed(reason))?;
            match fields.flag {
                b'x' if extended.pax_seen => {
                    return Err(self.malformed("an entry has two extended headers"));
                }
                b'x' => {
                    extended.pax_seen = true;
                    let data = self.extension(fields.size)?;
                    self.read_pax(&data, &mut extended)?;
                }
                b'L' | b'K' => {
                    let data = self.extension(fields.size)?;
                    let name = trim_nul(data);
                    let slot = match fields.flag {
                        b'L' => &mut extended.long_path,
                        _ => &mut extended.long_link,
                    };
                    if slot.replace(name).is_some() {
                        return Err(self.malformed("an entry has two long names"));
                    }
                }
                _ => return self.entry(&fields, extended).map(Some),
            }
        }
    }

    fn entry(&mut self, fields: &Fields<'_>, ext: Extended) -> Result<Entry, ArchiveError> {
        let name = self.one_of(ext.path, ext.long_path, || fields.name())?;
        let link = self.one_of(ext.link, ext.long_link, || fields.link_name())?;
        let is_pax_sparse = match (ext.sparse_major, ext.sparse_minor) {
            (None, None) => false,
            (Some(1), Some(0)) => true,
            _ => {
                return Err(self.malformed("a sparse file has another form than GNU's and PAX 1.0"));
            }
        };
        let kind = match fields.flag {
            b'0' | 0 if name.ends_with(b"/") => EntryKind::Directory,
            b'0' | 0 | b'7' | b'S' => EntryKind::File,
            b'1' => EntryKind::Hardlink(link),
            b'2' => EntryKind::Symlink(link),
            b'3' | b'4' => EntryKind::Device,
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            b'g' => EntryKind::GlobalHeader,
            flag => EntryKind::Unknown(flag),
        };
        let mut size = ext.size.unwrap_or(fields.size);
        match kind {
            EntryKind::File | EntryKind::Unknown(_) => {}
            EntryKind::GlobalHeader if size <= EXTENDED_BYTES_MAX => {}
            _ if size == 0 => {}
            _ => {
                return Err(self.malformed(format!(
                    "{} has {size} bytes, and an entry of its type has none",
                    super::note::shown(&name)
                )));
            }
        }
        let padded = size
            .checked_next_multiple_of(BLOCK_BYTES as u64)
            .ok_or_else(|| self.malformed("an entry's size does not fit the address space"))?;
        let padding = padded - size;
        let mut sparse = None;
        if fields.flag == b'S' {
            sparse = Some(sparse::gnu(self, fields.header, size)?);
        } else if is_pax_sparse && kind == EntryKind::File {
            let real = ext
                .sparse_size
                .ok_or_else(|| self.malformed("a sparse file does not say how long it is"))?;
            let (map, left) = sparse::pax_1_0(self, real, size)?;
            sparse = Some(map);
            size = left;
        }
        (self.data, self.padding) = (size, padding);
        Ok(Entry {
            name: ext.sparse_name.filter(|_| is_pax_sparse).unwrap_or(name),
            kind,
            mode: fields.mode & 0o7777,
            uid: ext.uid.unwrap_or(fields.uid),
            gid: ext.gid.unwrap_or(fields.gid),
            mtime: ext
                .mtime
                .unwrap_or_else(|| pax::bounded_time(fields.mtime, 0)),
            size,
            sparse,
            xattrs: ext.xattrs,
        })
    }

    fn one_of(
        &self,
        pax: Option<Vec<u8>>,
        gnu: Option<Vec<u8>>,
        plain: impl FnOnce() -> Vec<u8>,
    ) -> Result<Vec<u8>, ArchiveError> {
        match (pax, gnu) {
            (Some(pax), Some(gnu)) if pax != gnu => {
                Err(self.malformed("an entry has two names that differ"))
            }
            (Some(name), _) | (None, Some(name)) => Ok(name),
            (None, None) => Ok(plain()),
        }
    }

    fn read_pax(&self, data: &[u8], ext: &mut Extended) -> Result<(), ArchiveError> {
        let records = pax::records(data).map_err(|reason| self.malformed(reason))?;
        for (key, value) in records {
            let number = || {
                pax::number(value).ok_or_else(|| {
                    let key = super::note::shown(key);
                    self.malformed(format!("{key} in an extended header is not a number"))
                })
            };
            if value.is_empty() && !key.starts_with(b"SCHILY.xattr.") {
                continue;
            }
            match key {
                b"path" => ext.path = Some(value.to_vec()),
                b"linkpath" => ext.link = Some(value.to_vec()),
                b"size" => ext.size = Some(number()?),
                b"uid" => ext.uid = Some(number()?),
                b"gid" => ext.gid = Some(number()?),
                b"mtime" => {
                    ext.mtime =
                        Some(pax::time(value).ok_or_else(|| {
                            self.malformed("mtime in an extended header is no time")
                        })?);
                }
                b"GNU.sparse.major" => ext.sparse_major = Some(number()?),
                b"GNU.sparse.minor" => ext.sparse_minor = Some(number()?),
                b"GNU.sparse.realsize" => ext.sparse_size = Some(number()?),
                b"GNU.sparse.name" => ext.sparse_name = Some(value.to_vec()),
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        ext.xattrs.push((name.to_vec(), value.to_vec()));
                    } else if key.starts_with(b"GNU.sparse.") {
                        return Err(
                            self.malformed("a sparse file has another form than GNU's and PAX 1.0")
                        );
                    }
                }
            }
        }
        Ok(())
    }

    /// As [`Archive::next_entry`], past the bytes of the one before without reading them.
    pub(crate) fn next_entry_seeking(&mut self) -> Result<Option<Entry>, ArchiveError>
    where
        R: Seek,
    {
        // The last byte is read, so that a file that is cut off is seen to be.
        if let Some(skipped @ 1..) = self.data.checked_sub(1) {
            let distance = i64::try_from(skipped)
                .map_err(|_| self.malformed("an entry's size does not fit a file"))?;
            self.input
                .seek_relative(distance)
                .map_err(ArchiveError::Io)?;
            self.offset += skipped;
            self.data = 1;
        }
        self.next_entry()
    }

    /// Bytes of the current entry; zero at its end.
    pub(crate) fn read_data(&mut self, buf: &mut [u8]) -> Result<usize, ArchiveError> {
        let wanted = buf
            .len()
            .min(usize::try_from(self.data).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let n = self.read_some(&mut buf[..wanted])?;
        if n == 0 {
            return Err(self.malformed("the archive is cut off inside an entry"));
        }
        self.data -= n as u64;
        Ok(n)
    }

    /// Reads to the end of the stream. Only zeros may follow the archive's end.
    pub(crate) fn finish(&mut self) -> Result<(), ArchiveError> {
        let mut buf = vec![0u8; 64 << 10];
        loop {
            let n = self.read_some(&mut buf)?;
            if n == 0 {
                return Ok(());
            }
            if buf[..n].iter().any(|&b| b != 0) {
                return Err(self.malformed("there is something behind the archive's end"));
            }
        }
    }

    /// One block that belongs to the entry in hand.
    pub(crate) fn block(&mut self) -> Result<Block, ArchiveError> {
        let mut block = [0u8; BLOCK_BYTES];
        if self.fill(&mut block)? != BLOCK_BYTES {
            return Err(self.malformed("the archive is cut off inside a header"));
        }
        Ok(block)
    }

    /// The next header; `None` at two blocks of zeros or at the end of the stream.
    fn header_block(&mut self) -> Result<Option<Block>, ArchiveError> {
        let mut block = [0u8; BLOCK_BYTES];
        for zeros in 0..2 {
            match self.fill(&mut block)? {
                // Some writers leave out the end's blocks.
                0 if zeros == 0 && self.offset > 0 => return Ok(None),
                0 if zeros == 0 => return Err(self.malformed("the archive is empty")),
                BLOCK_BYTES => {}
                _ => return Err(self.malformed("the archive is cut off inside a header")),
            }
            if block.iter().any(|&b| b != 0) {
                if zeros == 1 {
                    return Err(self.malformed("a single block of zeros is not the archive's end"));
                }
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > EXTENDED_BYTES_MAX {
            return Err(self.malformed(format!(
                "an extended header or long name has {size} bytes, the limit is {EXTENDED_BYTES_MAX}"
            )));
        }
        let padded = size.next_multiple_of(BLOCK_BYTES as u64) as usize;
        let mut data = vec![0u8; padded];
        if self.fill(&mut data)? != padded {
            return Err(self.malformed("the archive is cut off inside an extended header"));
        }
        data.truncate(size as usize);
        Ok(data)
    }

    fn skip_data(&mut self) -> Result<(), ArchiveError> {
        let mut buf = [0u8; 8 << 10];
        while self.data > 0 {
            self.read_data(&mut buf)?;
        }
        let padding = std::mem::take(&mut self.padding) as usize;
        if self.fill(&mut buf[..padding])? != padding {
            return Err(self.malformed("the archive is cut off behind an entry"));
        }
        Ok(())
    }

    fn fill(&mut self, buf: &mut [u8]) -> Result<usize, ArchiveError> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read_some(&mut buf[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(filled)
    }

    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize, ArchiveError> {
        loop {
            match self.input.read(buf) {
                Ok(n) => {
                    self.offset += n as u64;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(ArchiveError::Io(e)),
            }
        }
    }
}

fn trim_nul(mut name: Vec<u8>) -> Vec<u8> {
    while name.last() == Some(&0) {
        name.pop();
    }
    name
}
