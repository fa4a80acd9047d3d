//! Intents for one who only shows them.

use super::{Ledger, LedgerError, files};
use crate::Hash;
use crate::submission::state::State;
use std::collections::BTreeMap;
use std::path::Path;

/// How often a journal that another process may be writing is read again, and after how long.
const LOOK_TRIES: u32 = 5;
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

impl Ledger {
    /// The intents as a state directory has them now, for one who only shows them: without the lock, so another process may be
    /// writing. A directory without intents has none.
    ///
    /// # Errors
    /// [`LedgerError`]: a journal is another chain's, or damaged.
    pub fn look(directory: &Path, profile: &str, genesis: Hash) -> Result<Vec<State>, LedgerError> {
        let ledger = Self {
            directory: directory.to_owned(),
            profile: profile.to_owned(),
            genesis,
            states: BTreeMap::new(),
            _lock: None,
        };
        let intents = directory.join("intents");
        if !intents.is_dir() {
            return Ok(Vec::new());
        }
        let mut states = Vec::new();
        for path in files::journals(&intents)? {
            // A line that is being written lacks its end for a moment.
            let mut tries = 0;
            let (state, _) = loop {
                match ledger.read(&path) {
                    Err(LedgerError::Journal { .. } | LedgerError::NoNewline { .. })
                        if tries < LOOK_TRIES =>
                    {
                        tries += 1;
                        std::thread::sleep(LOOK_AGAIN);
                    }
                    read => break read?,
                }
            };
            let id = &state.intent().id;
            if path != ledger.path(id) {
                let found = id.clone();
                return Err(LedgerError::Renamed { path, found });
            }
            states.push(state);
        }
        Ok(states)
    }
}
