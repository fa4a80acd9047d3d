//! Reads a job's output beside the watcher that writes it.
//!
//! The watcher appends to `log.head` until that is full, then to `log.0`, which it renames to `log.1`, over an older one, when that is full.
//! So a file is finished once a later one is there, and what is read of it after that has been seen is its end. A file that
//! is open here stays readable when it is replaced; what was replaced before it was opened is a gap.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus_jail::watcher::logs::{FILES, HEADER_BYTES};
use rustix::fs::{AtFlags, Mode, OFlags, open, openat, statat};
use rustix::io::Errno;

use super::record::RECORD_BYTES;
use super::{Header, LogError, Record};

const HEAD: &str = FILES[0];
const OLDER: &str = FILES[1];
const NEWER: &str = FILES[2];

/// Between two looks at files that have not grown. Cheaper to have than a watch for changes, of which a user has few.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What there is of a job's output, in order.
#[derive(Debug)]
pub struct Reader {
    directory: OwnedFd,
    path: PathBuf,
    current: Option<Current>,
    /// where the last record ended
    expected: u64,
    /// what was read and is no record yet, from `begin` on
    buffer: Vec<u8>,
    begin: usize,
}

#[derive(Debug)]
struct Current {
    file: File,
    id: (u64, u64),
    is_head: bool,
    /// bytes of it that were read
    read: u64,
}

impl Reader {
    /// Opens the output of the job whose directory this is, from its beginning.
    pub fn open(job: &Path) -> Result<Reader, LogError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(job, flags, Mode::empty());
        let directory = directory.map_err(|error| LogError::Io {
            path: job.to_owned(),
            source: error.into(),
        })?;
        let buffer = Vec::with_capacity(2 * (HEADER_BYTES + RECORD_BYTES));
        Ok(Reader {
            directory,
            path: job.to_owned(),
            current: None,
            expected: 0,
            buffer,
            begin: 0,
        })
    }

    /// The next record; none where there is no further one, or it is still being written.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Record>, LogError> {
        loop {
            if let Some(record) = self.parse()? {
                return Ok(Some(record));
            }
            if self.current.is_none() {
                match self.find(HEAD)? {
                    Some(head) => {
                        self.current = Some(Current {
                            is_head: true,
                            ..head
                        })
                    }
                    None => return Ok(None),
                }
            }
            if self.fill()? {
                continue;
            }
            if !self.is_finished()? {
                return Ok(None);
            }
            // It may have grown between the look at its end and the look at the others.
            if self.fill()? {
                continue;
            }
            if self.pending() > 0 {
                return Err(LogError::Cut {
                    path: self.current_path(),
                    at: self.position(),
                });
            }
            match self.successor()? {
                Some(next) => self.current = Some(next),
                None => return Ok(None),
            }
        }
    }

    /// The next record, waited for until `timeout` is over.
    pub fn follow(&mut self, timeout: Duration) -> Result<Option<Record>, LogError> {
        let started = Instant::now();
        loop {
            if let Some(record) = self.next()? {
                return Ok(Some(record));
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(left.min(LOOK_AGAIN));
        }
    }

    /// Bytes of a record that is not whole. Where the job has ended, the watcher was killed while it wrote them.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.begin
    }

    fn parse(&mut self) -> Result<Option<Record>, LogError> {
        let there = &self.buffer[self.begin..];
        let header = Header::parse(there, self.expected).map_err(|source| LogError::Damaged {
            path: self.current_path(),
            at: self.position(),
            source,
        })?;
        let Some(Header {
            length,
            stream,
            at,
            before,
        }) = header
        else {
            return Ok(None);
        };
        let Some(bytes) = there.get(HEADER_BYTES..HEADER_BYTES + length) else {
            return Ok(None);
        };
        let record = Record {
            stream,
            at,
            before,
            missing: before - self.expected,
            bytes: bytes.to_vec(),
        };
        self.begin += HEADER_BYTES + length;
        self.expected = before + length as u64;
        Ok(Some(record))
    }

    /// Where in the current file what is pending begins.
    fn position(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.read) - self.pending() as u64
    }

    /// Reads on in the current file; whether there was more.
    fn fill(&mut self) -> Result<bool, LogError> {
        // What is pending is less than a record, so there is room for one more.
        self.buffer.drain(..self.begin);
        self.begin = 0;
        let pending = self.buffer.len();
        let path = self.current_path();
        let Some(current) = &mut self.current else {
            return Ok(false);
        };
        self.buffer.resize(pending + HEADER_BYTES + RECORD_BYTES, 0);
        let read = loop {
            match current
                .file
                .read_at(&mut self.buffer[pending..], current.read)
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(pending + *read.as_ref().unwrap_or(&0));
        let read = read.map_err(|source| LogError::Io { path, source })?;
        current.read += read as u64;
        Ok(read > 0)
    }

    /// Whether the current file does not grow any more, because a later one is there.
    fn is_finished(&self) -> Result<bool, LogError> {
        match &self.current {
            Some(current) if current.is_head => Ok(self.id(OLDER)?.or(self.id(NEWER)?).is_some()),
            Some(current) => Ok(self.id(NEWER)? != Some(current.id)),
            None => Ok(false),
        }
    }

    /// The file after the current one, which is finished.
    fn successor(&self) -> Result<Option<Current>, LogError> {
        let current = self.current.as_ref().map(|current| current.id);
        loop {
            // The oldest that is left and was not read.
            if let Some(older) = self.find(OLDER)?
                && Some(older.id) != current
            {
                return Ok(Some(older));
            }
            let newer = self.find(NEWER)?;
            // Was another one renamed between the two looks? Then that one comes first.
            let older = self.id(OLDER)?;
            if older.is_none() || older == current || older == newer.as_ref().map(|newer| newer.id)
            {
                return Ok(newer);
            }
        }
    }

    fn find(&self, name: &str) -> Result<Option<Current>, LogError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.directory, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            other => File::from(other.map_err(|error| self.error(name, error.into()))?),
        };
        let meta = file.metadata().map_err(|error| self.error(name, error))?;
        Ok(Some(Current {
            file,
            id: (meta.dev(), meta.ino()),
            is_head: false,
            read: 0,
        }))
    }

    #[allow(clippy::unnecessary_cast)] // The fields' types differ between architectures.
    fn id(&self, name: &str) -> Result<Option<(u64, u64)>, LogError> {
        match statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some((stat.st_dev as u64, stat.st_ino as u64))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.error(name, error.into())),
        }
    }

    fn error(&self, name: &str, source: io::Error) -> LogError {
        LogError::Io {
            path: self.path.join(name),
            source,
        }
    }

    /// The current file, for people: it may have been renamed since it was opened.
    fn current_path(&self) -> PathBuf {
        let is = |name| matches!((self.id(name), &self.current), (Ok(Some(id)), Some(current)) if id == current.id);
        self.path
            .join(FILES.into_iter().find(|name| is(name)).unwrap_or(OLDER))
    }
}
