//! Taking turns on a directory: one process and one thread at a time, and whoever dies has had its turn.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// A directory's lock, until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    directory: File,
}

impl Turn {
    /// Waits until nobody else has `directory`'s lock.
    pub(crate) fn wait(directory: &Path) -> io::Result<Turn> {
        let directory = File::open(directory)?;
        rustix::io::retry_on_intr(|| flock(&directory, FlockOperation::LockExclusive))?;
        Ok(Turn { directory })
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &File {
        &self.directory
    }
}

impl Drop for Turn {
    /// Said, not only closed: a process that another thread is just starting holds a copy of the descriptor for a moment.
    fn drop(&mut self) {
        let _ = flock(&self.directory, FlockOperation::Unlock);
    }
}
