//! Names, doubles, and facts of nobody.

use super::{EntryFile, EntryFileError, SourceEntry};
use crate::tournament::{is_name, shortened};
use std::collections::HashSet;

impl EntryFile {
    pub(super) fn check(&self) -> Result<(), EntryFileError> {
        for (what, found) in [
            ("candidates", self.candidates.len()),
            ("enrolled", self.enrolled.len()),
            ("facts", self.facts.len()),
        ] {
            let max = Self::ENTRIES_MAX;
            if found > max {
                return Err(EntryFileError::TooMany { what, found, max });
            }
        }
        name("tournament_id", &self.tournament_id)?;
        let mut known = HashSet::new();
        for candidate in &self.candidates {
            name("a candidate's hotkey", &candidate.hotkey)?;
            name("a candidate's coldkey", &candidate.coldkey)?;
            // Twice is the gate's to refuse: a metagraph that has it is no reason to ask nobody.
            known.insert(candidate.hotkey.as_str());
        }
        let mut enrolled = HashSet::new();
        for entry in &self.enrolled {
            name("an enrolled entrant's hotkey", &entry.hotkey)?;
            name("an enrolled entrant's coldkey", &entry.coldkey)?;
            if !enrolled.insert(entry.hotkey.as_str()) {
                return Err(twice("the enrolled entrant", &entry.hotkey));
            }
        }
        known.extend(enrolled);
        let mut subjects = HashSet::new();
        for fact in &self.facts {
            if !known.contains(fact.hotkey.as_str()) {
                return Err(EntryFileError::Nobody {
                    hotkey: shortened(&fact.hotkey),
                });
            }
            let subject = fact.subject()?;
            if let Some(SourceEntry::Read { commit, digest }) = &fact.source {
                digits("commit", &fact.hotkey, commit, 40)?;
                digits("digest", &fact.hotkey, digest, 64)?;
            }
            let found = subject.to_string();
            if !subjects.insert(subject) {
                return Err(twice("the fact of", &found));
            }
        }
        if let Some(source) = &self.boss_source {
            digits("commit", "the boss", &source.commit, 40)?;
            digits("digest", "the boss", &source.digest, 64)?;
        }
        Ok(())
    }
}

fn twice(what: &'static str, found: &str) -> EntryFileError {
    let found = found.to_owned();
    EntryFileError::Twice { what, found }
}

fn name(what: &'static str, found: &str) -> Result<(), EntryFileError> {
    if is_name(found) {
        return Ok(());
    }
    let found = shortened(found);
    Err(EntryFileError::Name { what, found })
}

fn digits(
    what: &'static str,
    of: &str,
    found: &str,
    expected: usize,
) -> Result<(), EntryFileError> {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if found.len() == expected && found.bytes().all(digit) {
        return Ok(());
    }
    Err(EntryFileError::Digits {
        what,
        of: of.to_owned(),
        found: shortened(found),
        expected,
    })
}
