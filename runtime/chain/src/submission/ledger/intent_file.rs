//! One intent's journal, open for more records.

use super::{Journal, LedgerError, files};
use crate::submission::journal::{self, Sum};
use crate::submission::record::Record;
use std::fs::File;
#[cfg(test)]
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

/// One intent's journal, open for more records.
#[derive(Debug)]
pub struct IntentFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) sum: Sum,
    pub(super) spoilt: bool,
}

impl Journal for IntentFile {
    fn append(&mut self, record: &Record) -> Result<(), LedgerError> {
        let path = self.path.clone();
        if self.spoilt {
            return Err(LedgerError::Spoilt { path });
        }
        let (line, sum) = journal::line(record, Some(&self.sum));
        self.spoilt = true;
        if let Err(source) = self.file.write_all(&line) {
            // What was written of the line is taken back, so that the next one does not stand behind it.
            let cut = self.file.set_len(self.bytes);
            let back = cut.and_then(|()| self.file.seek(SeekFrom::Start(self.bytes)));
            self.spoilt = back.and_then(|_| self.file.sync_all()).is_err();
            return Err(files::at(&path, "written")(source));
        }
        // After a sync that failed, nobody knows what is on the disk: the file stays spoilt.
        self.file.sync_all().map_err(files::at(&path, "synced"))?;
        self.spoilt = false;
        self.bytes += line.len() as u64;
        self.sum = sum;
        Ok(())
    }
}

#[cfg(test)]
impl IntentFile {
    /// One on a disk without room.
    pub(in super::super) fn full() -> Self {
        let path = PathBuf::from("/dev/full");
        Self {
            file: OpenOptions::new().write(true).open(&path).expect("Linux"),
            path,
            bytes: 0,
            sum: [b'0'; 32],
            spoilt: false,
        }
    }
}
