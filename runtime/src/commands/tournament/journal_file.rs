//! A tournament's file: read whole, replayed, and extended as a whole.
//!
//! Who extends it holds a lock on it, reads it, and puts a longer one in its place by a rename: a crash or a full disk
//! leaves the old one, two who extend it at once do so one after the other, and readers never see a part of a line.

use super::TournamentError;
use crate::input_file;
use crate::output_file::{Left, OutputFile, OutputFileError};
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
    let mut bytes = input_file::read_plain(argument, path, Journal::BYTES_MAX)?;
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
        // Behind symbolic links: two names of one file are one tournament. Of hard links the rename would make two files.
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
                if held.nlink() > 1 {
                    return Err(TournamentError::HardLinks {
                        path: path.to_owned(),
                        links: held.nlink(),
                    });
                }
                let read = read("FILE", path, None)?;
                return Ok(Self {
                    _lock: lock,
                    path: path.to_owned(),
                    read,
                });
            }
        }
    }

    /// Puts `journal` in the file's place, if it has at most `most` bytes.
    pub(super) fn replace(self, journal: &Journal, most: usize) -> Result<(), TournamentError> {
        let text = journal.to_text();
        let path = self.path;
        if text.len() > most {
            return Err(TournamentError::TooLarge {
                path,
                bytes: text.len(),
                most,
            });
        }
        let file = OutputFile::checked(&path);
        let written = file.and_then(|file| file.write(text.as_bytes()));
        written.map_err(|error| match error {
            OutputFileError::Directory { source, .. }
            | OutputFileError::Write {
                left: Left::Old,
                source,
                ..
            } => TournamentError::NotAdded { path, source },
            error => error.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        let golden = "../tasks/tests/golden/tournaments/text.jsonl";
        let text = std::fs::read(golden).unwrap();
        let begun = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        std::fs::write(&path, &text[..begun]).unwrap();
        let journal = Journal::parse(&text).unwrap();
        let replace = |most| Held::open(&path).unwrap().replace(&journal, most);

        let error = replace(text.len() - 1).unwrap_err();
        let most = text.len() - 1;
        let said = error.to_string();
        let sizes = format!(
            "{} bytes with these events, and a tournament's file has at most {most}",
            text.len()
        );
        assert!(
            said.contains(&sizes) && said.contains("nothing was added"),
            "{said}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), &text[..begun]);
        replace(text.len()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), text);
    }
}
