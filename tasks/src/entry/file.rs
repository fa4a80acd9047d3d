//! A file with all that the gate is asked about: answers, facts, payments, and what came before.
//!
//! | part | is |
//! |---|---|
//! | `candidates` | miners of the metagraph in its order: hotkey, coldkey, address, and what they answered |
//! | `enrolled` | those whom an earlier call admitted, as its report lists them |
//! | `facts` | what is known of a submission: of one hotkey, one repository, one commit |
//! | `ledger` | what coldkeys paid in, entries, refunds |
//! | `licence`, `obfuscation` | the validator's own texts and its checker, for facts that are not there yet |
//! | `previous` | how the last tournament of the type stands |
//!
//! JSON or TOML. A fact that is not there is not known, and never taken for granted; a field that nobody reads is an error.
//! Paths are the reader's business: nothing here opens a file.

mod check;
mod error;
mod parts;

pub use error::EntryFileError;
pub use parts::{
    AnswerEntry, CandidateEntry, EnrolledEntry, FactEntry, LicenceEntry, ObfuscationCommand,
    OwnTexts, SourceEntry, TokenEntry, VerdictEntry,
};

use super::duplicates::SourceFact;
use super::gate::Enrolled;
use super::ledger::{Ledger, LedgerEvent};
use super::schedule::Previous;
use crate::rules::RuleSet;
use crate::strict::{self, Misfit};
use crate::weights::TournamentType;
use serde::{Deserialize, Serialize};

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryFile {
    /// Version of this schema: 1.
    pub version: u32,
    /// Which tournament; 1 to 100 characters of `A-Za-z0-9_-`.
    pub tournament_id: String,
    /// What is competed in.
    pub tournament_type: TournamentType,
    /// The rule set's name.
    pub rules: String,
    /// The present, seconds since 1970.
    pub now_unix_s: i64,
    /// How the last tournament of the type stands.
    pub previous: Previous,
    /// Data sets that can be asked for.
    pub datasets: Vec<String>,
    /// The validator's own licence and notice; without them no checkout's can be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<OwnTexts>,
    /// The program that looks for obfuscated code; without it no checkout is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obfuscation: Option<ObfuscationCommand>,
    /// Payments, fees and refunds, in order.
    pub ledger: Vec<LedgerEvent>,
    /// Those of earlier calls.
    pub enrolled: Vec<EnrolledEntry>,
    /// Miners, in the order of the metagraph.
    pub candidates: Vec<CandidateEntry>,
    /// What is known of submissions.
    pub facts: Vec<FactEntry>,
    /// The boss's source, if it is compared with those of entrants. The subnet does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boss_source: Option<SourceFact>,
}

impl EntryFile {
    /// The version that is written and read.
    pub const VERSION: u32 = 1;
    /// The most candidates, enrolled entrants and facts that are read, each.
    pub const ENTRIES_MAX: usize = 10_000;

    /// Reads a file: JSON if its first character is `{`, else TOML.
    ///
    /// # Errors
    /// The first thing that does not fit the schema or contradicts another.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryFileError> {
        let misfit = |misfit: Misfit| EntryFileError::Malformed {
            line: misfit.line,
            message: misfit.message,
        };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].split(|b| *b == b'\n').count();
            EntryFileError::Malformed {
                line,
                message: "not UTF-8".to_owned(),
            }
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let json = text.trim_start().starts_with('{');
        let found = match json {
            true => strict::json_version(text.as_bytes()),
            false => strict::toml_version(text),
        };
        let found = found.map_err(misfit)?;
        if found != Self::VERSION {
            let expected = Self::VERSION;
            return Err(EntryFileError::Version { found, expected });
        }
        let file: Self = match json {
            true => strict::json(text.as_bytes()),
            false => strict::toml(text),
        }
        .map_err(misfit)?;
        file.check()?;
        Ok(file)
    }

    /// The rule set that it names.
    ///
    /// # Errors
    /// `Rules`.
    pub fn rule_set(&self) -> Result<RuleSet, EntryFileError> {
        RuleSet::named(&self.rules).map_err(EntryFileError::Rules)
    }

    /// Balances.
    ///
    /// # Errors
    /// `Ledger` for the first event that cannot be.
    pub fn balances(&self) -> Result<Ledger, EntryFileError> {
        let mut ledger = Ledger::new();
        for (index, event) in self.ledger.iter().enumerate() {
            ledger
                .apply(event.clone())
                .map_err(|source| EntryFileError::Ledger { index, source })?;
        }
        Ok(ledger)
    }

    /// Those of earlier calls, by the rules.
    ///
    /// # Errors
    /// `Enrolled` for a repository or a commit that cannot be.
    pub fn enrolled(&self, rules: &RuleSet) -> Result<Vec<Enrolled>, EntryFileError> {
        let entries = self.enrolled.iter();
        entries.map(|entry| entry.enrolled(rules)).collect()
    }
}

#[cfg(test)]
mod tests;
