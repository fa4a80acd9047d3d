//! A tournament's file: read whole, replayed, and extended as a whole.
//!
//! Who extends it holds a lock on it, reads it, and puts a longer one in its place by a rename: a crash or a full disk
//! leaves the old one, two who extend it at once do so one after the other, and readers never see a part of a line.

use super::{INPUT_BYTES_MAX, TournamentError};
use crate::input_file;
use crate::output_file::OutputFile;
use gradus_tasks::rules::RuleSet;
use gradus_tasks::tournament::{Journal, JournalError, Tournament};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a file holds, and where that leads.
pub(super) struct Read {
    pub(super) journal: Journal,
    pub(super) tournament: Tournament,
}

/// Reads the tournament's file that `argument` names and replays it: all of its events, or so many of the first.
pub(super) fn read(
    argument: &'static str,
    path: &Path,
    until: Option<usize>,
) -> Result<Read, TournamentError> {
    let mut bytes = input_file::read_plain(argument, path, INPUT_BYTES_MAX)?;
    if let Some(until) = until {
        // What comes after them may be no event at all.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let first = lines.take(until.saturating_add(1)).map(<[u8]>::len).sum();
        bytes.truncate(first);
    }
    let failed = |source| TournamentError::Journal {
        path: path.to_owned(),
        source,
    };
    let journal = Journal::parse(&bytes).map_err(failed)?;
    let events = journal.events.len();
    if let Some(asked) = until.filter(|until| *until > events) {
        return Err(TournamentError::Until { asked, events });
    }
    let tournament = replay(path, &journal)?;
    Ok(Read {
        journal,
        tournament,
    })
}

/// Where a journal leads, by the rules that it names.
fn replay(path: &Path, journal: &Journal) -> Result<Tournament, TournamentError> {
    let path = || path.to_owned();
    let rules = RuleSet::named(&journal.setup.rules).map_err(|error| TournamentError::Journal {
        path: path(),
        source: JournalError::Rules(error),
    })?;
    let replayed = journal.replay(Arc::new(rules));
    replayed.map_err(|source| TournamentError::Replay {
        path: path(),
        source,
    })
}

/// A file that nobody else extends meanwhile.
pub(super) struct Held {
    // Closing it gives the lock back.
    _lock: File,
    path: PathBuf,
    pub(super) read: Read,
}

impl Held {
    /// Waits for the file.
    pub(super) fn open(path: &Path) -> Result<Self, TournamentError> {
        // Behind links: two names of one file are one tournament.
        let place = path.canonicalize();
        let path = &*place.map_err(|source| TournamentError::File {
            path: path.to_owned(),
            what: "opened",
            source,
        })?;
        let failed = |what| {
            move |source| TournamentError::File {
                path: path.to_owned(),
                what,
                source,
            }
        };
        loop {
            let lock = gradus_chain::plain_file::open(path).map_err(failed("opened"))?;
            flock(&lock, FlockOperation::LockExclusive)
                .map_err(|errno| failed("locked")(io::Error::from(errno)))?;
            let held = lock.metadata().map_err(failed("looked at"))?;
            // Whoever had the lock before has put another file in its place.
            let current = path.metadata().map_err(failed("looked at"))?;
            if (held.dev(), held.ino()) == (current.dev(), current.ino()) {
                let read = read("FILE", path, None)?;
                return Ok(Self {
                    _lock: lock,
                    path: path.to_owned(),
                    read,
                });
            }
        }
    }

    /// Puts `journal` in the file's place.
    pub(super) fn replace(self, journal: &Journal) -> Result<(), TournamentError> {
        let file = OutputFile::checked(&self.path)?;
        Ok(file.write(journal.to_text().as_bytes())?)
    }
}
