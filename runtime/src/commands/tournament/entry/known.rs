//! The file's answers and facts, as the gate takes them.

use super::EntryError;
use crate::input_file;
use gradus_chain::plain_file;
use gradus_tasks::entry::file::{AnswerEntry, LicenceEntry};
use gradus_tasks::entry::licence::LICENCE_BYTES_MAX;
use gradus_tasks::entry::response::RESPONSE_BYTES_MAX;
use gradus_tasks::entry::{
    Candidate, EntryFile, Facts, LicenceRefusal, TrainingRepoResponse, check_licence,
};
use gradus_tasks::rules::RuleSet;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// The validator's own texts.
pub(super) struct Own {
    pub(super) licence: String,
    pub(super) notice: String,
}

/// What the file says, and what was found since.
pub(super) struct Known {
    pub(super) candidates: Vec<Candidate>,
    pub(super) facts: Facts,
    pub(super) own: Option<Own>,
}

impl Known {
    /// Reads what the file names.
    pub(super) fn read(file: &EntryFile, rules: &RuleSet, base: &Path) -> Result<Self, EntryError> {
        let mut candidates = Vec::with_capacity(file.candidates.len());
        for entry in &file.candidates {
            let bytes = match &entry.answer {
                AnswerEntry::Silent {} => None,
                AnswerEntry::Text { text } => Some(Zeroizing::new(text.clone().into_bytes())),
                AnswerEntry::File { path } => Some(answer(&base.join(path))?),
            };
            let extra = rules.entry.extra_fields;
            candidates.push(Candidate {
                hotkey: entry.hotkey.clone(),
                coldkey: entry.coldkey.clone(),
                ip: entry.ip,
                answer: bytes.map(|bytes| TrainingRepoResponse::from_json(&bytes, extra)),
            });
        }
        let own = match &file.licence {
            Some(texts) => Some(Own {
                licence: text("licence", &base.join(&texts.licence))?,
                notice: text("notice", &base.join(&texts.notice))?,
            }),
            None => None,
        };
        let mut known = Self {
            candidates,
            facts: Facts::default(),
            own,
        };
        known.take(file, rules)?;
        Ok(known)
    }

    fn take(&mut self, file: &EntryFile, rules: &RuleSet) -> Result<(), EntryError> {
        for entry in &file.facts {
            let subject = entry.subject().expect("the file was checked");
            if let Some(token) = entry.token {
                self.facts.tokens.insert(subject.clone(), token.into());
            }
            if let Some(verdict) = &entry.obfuscation {
                let verdict = verdict.into();
                self.facts.obfuscation.insert(subject.clone(), verdict);
            }
            if let Some(source) = &entry.source {
                self.facts.sources.insert(subject.clone(), source.into());
            }
            let said = match &entry.licence {
                None => continue,
                Some(LicenceEntry::Fits {}) => Ok(()),
                Some(LicenceEntry::Refused { refusal }) => Err(refusal.clone()),
                Some(LicenceEntry::Texts { texts }) => {
                    let files = texts
                        .iter()
                        .map(|(name, text)| (name.clone(), text.clone().into_bytes()))
                        .collect();
                    self.licence(rules, &files)
                        .ok_or_else(|| EntryError::NoOwnTexts {
                            hotkey: entry.hotkey.clone(),
                        })?
                }
            };
            self.facts.licences.insert(subject, said);
        }
        self.facts.boss_source = file.boss_source.clone();
        Ok(())
    }

    /// Compares a tree's licence and notice with the validator's own; nothing if those are not named.
    pub(super) fn licence(
        &self,
        rules: &RuleSet,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Option<Result<(), LicenceRefusal>> {
        let own = self.own.as_ref()?;
        let rules = &rules.entry.licence;
        Some(check_licence(rules, files, &own.licence, &own.notice))
    }
}

/// A miner's answer. One that is too long is read until that is known: it is the miner's fault, and no reason to stop.
fn answer(path: &Path) -> Result<Zeroizing<Vec<u8>>, EntryError> {
    let failed = |source| EntryError::Tree {
        path: path.to_owned(),
        what: "read as an answer",
        source,
    };
    // There may be a token in it. As much as can come, so that nothing of it stays where the vector grew from.
    let mut bytes = Zeroizing::new(Vec::with_capacity(RESPONSE_BYTES_MAX + 1));
    let file = plain_file::open(path).map_err(failed)?;
    let mut limited = file.take(RESPONSE_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn text(what: &'static str, path: &Path) -> Result<String, EntryError> {
    let bytes = input_file::read_plain(what, path, LICENCE_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|_| EntryError::NotText {
        what,
        path: path.to_owned(),
    })
}
