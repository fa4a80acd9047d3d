//! The state directory: one chain's intents, for one process at a time.
//!
//! ```text
//! ledger.json           which chain: {"version":1,"profile":"finney","genesis":"0x…"}
//! lock                  locked by the process that works here
//! intents/ID.journal    an intent's records
//! ```
//!
//! | module | is about |
//! |---|---|
//! | `error` | why something could not be written down or read again |
//! | `files` | files and directories that are there after a crash |
//! | `intent_file` | one intent's journal, open for more records |
//! | `look` | intents for one who only shows them |
//!
//! New files are written aside, synced, renamed, and the directory is synced; so is the one that a new directory is in. Records are written
//! behind the last and synced; a write that fails is cut off again, and if that fails too, the file takes no more records until it is opened anew.

use super::intent::{Intent, IntentId};
use super::journal::{self, JOURNAL_BYTES_MAX, JournalError, Tail};
use super::record::Record;
use super::state::{Stage, State, Step};
use super::verdict::{Expired, Verdict};
use crate::Hash;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

mod error;
mod files;
mod intent_file;
mod look;

pub use error::LedgerError;
pub use files::make_directory;
pub use intent_file::IntentFile;

/// The version of `ledger.json`.
const LEDGER_VERSION: u32 = 1;
/// How journals' names end.
const SUFFIX: &str = ".journal";
/// The longest `ledger.json`, in bytes.
const LEDGER_FILE_BYTES_MAX: u64 = 4_096;

/// Somewhere that records are written down.
pub trait Journal {
    /// Writes a record so that it is there after a crash. Only then may be done what it speaks of.
    ///
    /// # Errors
    /// [`LedgerError`]; then the record is not there, or the next opening of the file finds it, and neither is acted on before that.
    fn append(&mut self, record: &Record) -> Result<(), LedgerError>;
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct LedgerFile {
    version: u32,
    profile: String,
    genesis: Hash,
}

/// A state directory, locked.
#[derive(Debug)]
pub struct Ledger {
    directory: PathBuf,
    profile: String,
    genesis: Hash,
    states: BTreeMap<IntentId, State>,
    _lock: Option<File>,
}

impl Ledger {
    /// Opens a state directory, making it if it is not there, and reads all its journals.
    ///
    /// # Errors
    /// [`LedgerError`]: another process has it, it is another chain's, a journal is damaged.
    pub fn open(directory: &Path, profile: &str, genesis: Hash) -> Result<Self, LedgerError> {
        let intents = directory.join("intents");
        make_directory(directory)?;
        make_directory(&intents)?;
        let lock = files::lock(&directory.join("lock"))?;
        let path = directory.join("ledger.json");
        let mine = LedgerFile {
            version: LEDGER_VERSION,
            profile: profile.to_owned(),
            genesis,
        };
        match files::read(&path, LEDGER_FILE_BYTES_MAX)? {
            None => {
                let text = serde_json::to_vec(&mine).expect("plain data");
                files::write_new(&path, &text)?;
            }
            Some(text) => {
                let found: LedgerFile = serde_json::from_slice(&text)
                    .map_err(|_| LedgerError::LedgerFile { path: path.clone() })?;
                if found.version != LEDGER_VERSION {
                    return Err(LedgerError::LedgerFile { path });
                }
                if found != mine {
                    let name =
                        |chain: &LedgerFile| format!("{} ({})", chain.profile, chain.genesis);
                    return Err(LedgerError::OtherChain {
                        path: directory.to_owned(),
                        expected: name(&mine),
                        found: name(&found),
                    });
                }
            }
        }
        let mut ledger = Self {
            directory: directory.to_owned(),
            profile: profile.to_owned(),
            genesis,
            states: BTreeMap::new(),
            _lock: Some(lock),
        };
        for path in files::journals(&intents)? {
            let (state, _) = ledger.read(&path)?;
            let id = state.intent().id.clone();
            if path != ledger.path(&id) {
                return Err(LedgerError::Renamed { path, found: id });
            }
            ledger.states.insert(id, state);
        }
        Ok(ledger)
    }

    /// All intents as they were when the directory was opened, or made or resumed since.
    pub fn states(&self) -> impl Iterator<Item = &State> {
        self.states.values()
    }

    /// The network's name.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Writes an intent down. The same one again is no other.
    ///
    /// # Errors
    /// [`LedgerError`]: it cannot be followed, is another chain's, its name is taken, another of the same row is on its way, or the disk.
    pub fn plan(&mut self, intent: &Intent) -> Result<(), LedgerError> {
        intent.check().map_err(LedgerError::Intent)?;
        if intent.genesis != self.genesis || intent.profile != self.profile {
            return Err(LedgerError::OtherChain {
                path: self.directory.clone(),
                expected: format!("{} ({})", intent.profile, intent.genesis),
                found: format!("{} ({})", self.profile, self.genesis),
            });
        }
        if let Some(known) = self.states.get(&intent.id) {
            return match known.intent() == intent {
                true => Ok(()),
                false => Err(LedgerError::Taken {
                    id: intent.id.clone(),
                }),
            };
        }
        // Those that were resumed have moved on since: their files know.
        for state in self.states.values() {
            if !is_of_row(state, intent) {
                continue;
            }
            let (state, _) = self.read(&self.path(&state.intent().id))?;
            if is_in_the_way(&state, intent) {
                return Err(LedgerError::Open {
                    open: state.intent().id.clone(),
                });
            }
        }
        let record = Record::Planned {
            intent: Box::new(intent.clone()),
        };
        let path = self.path(&intent.id);
        let state = State::begin(&record).map_err(|source| LedgerError::Disorder {
            path: path.clone(),
            source,
        })?;
        files::write_new(&path, &journal::begin(&record).0)?;
        self.states.insert(intent.id.clone(), state);
        Ok(())
    }

    /// An intent's records, and its file to add more. A torn last line is cut off.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn resume(&mut self, id: &IntentId) -> Result<(Vec<Record>, IntentFile), LedgerError> {
        if !self.states.contains_key(id) {
            return Err(LedgerError::Unknown { id: id.clone() });
        }
        let path = self.path(id);
        let (state, contents) = self.read(&path)?;
        let mut file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(files::at(&path, "opened"))?;
        if let Tail::Torn { keep_bytes } = contents.tail {
            file.set_len(keep_bytes)
                .and_then(|()| file.sync_all())
                .map_err(files::at(&path, "cut off"))?;
        }
        let bytes = file
            .seek(SeekFrom::End(0))
            .map_err(files::at(&path, "read"))?;
        self.states.insert(id.clone(), state);
        let file = IntentFile {
            path,
            file,
            bytes,
            sum: contents.sum.expect("a journal has a record"),
            spoilt: false,
        };
        Ok((contents.records, file))
    }

    /// Ends an intent of which nothing can land: one that was never sent, or whose attempts are all proven dead. Returns it as it is then.
    ///
    /// A commit to a hash that is on chain and not revealed is given up with it: the chain lets it expire.
    ///
    /// # Errors
    /// [`LedgerError`]: there is none, it is over, something of it may land, or the disk.
    pub fn abandon(&mut self, id: &IntentId) -> Result<&State, LedgerError> {
        let (_, mut file) = self.resume(id)?;
        let state = self.states.get_mut(id).expect("just read");
        if !matches!(state.stage(), Stage::Idle { .. }) {
            return Err(LedgerError::NotIdle {
                id: id.clone(),
                ended: matches!(state.stage(), Stage::Ended { .. }),
            });
        }
        let record = Record::Ended {
            at_block: state.last_block(),
            verdict: Verdict::Expired {
                reason: Expired::Abandoned,
            },
        };
        file.append(&record)?;
        state
            .apply(&record)
            .map_err(|source| LedgerError::Disorder {
                path: file.path.clone(),
                source,
            })?;
        Ok(state)
    }

    fn path(&self, id: &IntentId) -> PathBuf {
        let name = format!("{id}{SUFFIX}");
        self.directory.join("intents").join(name)
    }

    fn read(&self, path: &Path) -> Result<(State, journal::Contents), LedgerError> {
        let path = path.to_owned();
        let bytes = files::read(&path, JOURNAL_BYTES_MAX as u64)?;
        let bytes =
            bytes.ok_or_else(|| files::at(&path, "read")(io::ErrorKind::NotFound.into()))?;
        let contents = match journal::read(&bytes) {
            Ok(contents) => contents,
            Err(JournalError::NoNewline { line }) => {
                return Err(LedgerError::NoNewline { path, line });
            }
            Err(source) => return Err(LedgerError::Journal { path, source }),
        };
        match State::replay(&contents.records) {
            Ok(state) if state.intent().genesis == self.genesis => Ok((state, contents)),
            Ok(state) => Err(LedgerError::OtherChain {
                path,
                expected: format!("{} ({})", self.profile, self.genesis),
                found: format!("{} ({})", state.intent().profile, state.intent().genesis),
            }),
            Err(source) => Err(LedgerError::Disorder { path, source }),
        }
    }
}

fn is_of_row(state: &State, intent: &Intent) -> bool {
    let row = |intent: &Intent| (intent.netuid, intent.mechanism, intent.hotkey);
    row(state.intent()) == row(intent)
}

/// Whether an intent keeps another from being planned: it is of the same row, and may have something to submit.
pub fn is_in_the_way(state: &State, intent: &Intent) -> bool {
    let may_submit = match state.stage() {
        Stage::Ended { .. } | Stage::Committed | Stage::Revealed { .. } => false,
        Stage::Landed { .. } => state.step() == Step::Commit,
        Stage::Idle { .. } | Stage::Alive { .. } => true,
    };
    is_of_row(state, intent) && may_submit
}
