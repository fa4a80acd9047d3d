//! What is found out about submissions, and of which submission each fact is.
//!
//! A fact is of one hotkey, one repository and one commit. A miner may change what it submits while somebody looks at it:
//! what was found out about the old commit says nothing of the new one, and is refused rather than applied.

use super::duplicates::SourceFact;
use super::licence::LicenceRefusal;
use super::repository::Repository;
use std::collections::BTreeMap;
use std::fmt;

/// What one hotkey submits: a commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    hotkey: String,
    repository: String,
    commit: String,
}

impl Subject {
    /// A submission. GitHub's names are the same in any case of letters, and so are digits of a commit.
    pub fn new(hotkey: &str, repository: &Repository, commit: &str) -> Self {
        let digits = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        Self {
            hotkey: hotkey.to_owned(),
            repository: repository.to_string().to_ascii_lowercase(),
            commit: match digits {
                true => commit.to_ascii_lowercase(),
                false => commit.to_owned(),
            },
        }
    }

    /// Whose.
    pub fn hotkey(&self) -> &str {
        &self.hotkey
    }

    /// `owner/name`, in lower case.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The commit as it was answered, hexadecimal digits in lower case.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// `owner/name at commit`.
    pub fn what(&self) -> String {
        format!("{} at {}", self.repository, self.commit)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.hotkey, self.what())
    }
}

/// Whether a token opens its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFact {
    /// It does.
    Opens,
    /// It does not, or nobody could tell: it is dropped.
    Dropped,
}

/// What a checker said of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckVerdict {
    /// Nothing was found.
    Clean,
    /// Something was.
    Rejected {
        /// The code that it ended with.
        code: i32,
    },
    /// It did not end in time, which counts as found.
    TimedOut {
        /// The limit, milliseconds.
        limit_ms: u64,
    },
}

/// What is known of an entrant's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It was read.
    Read(SourceFact),
    /// It could not be had: no copy of anything.
    Unavailable,
}

/// What was found out, by submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Of those that gave a token.
    pub tokens: BTreeMap<Subject, TokenFact>,
    /// What the obfuscation checker said.
    pub obfuscation: BTreeMap<Subject, CheckVerdict>,
    /// What the licence check said.
    pub licences: BTreeMap<Subject, Result<(), LicenceRefusal>>,
    /// Sources of entrants.
    pub sources: BTreeMap<Subject, SourceState>,
    /// The boss's source, where it is compared with those of entrants. The subnet compares entrants alone.
    pub boss_source: Option<SourceFact>,
}

impl Facts {
    /// What each fact is about, with the fact's name.
    pub(super) fn subjects(&self) -> impl Iterator<Item = (&'static str, &Subject)> {
        let tokens = self.tokens.keys().map(|subject| ("token", subject));
        let checks = self.obfuscation.keys();
        let checks = checks.map(|subject| ("obfuscation check", subject));
        let licences = self.licences.keys();
        let licences = licences.map(|subject| ("licence check", subject));
        let sources = self.sources.keys().map(|subject| ("source", subject));
        tokens.chain(checks).chain(licences).chain(sources)
    }
}

/// A fact that is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Need {
    /// Whether a token opens its repository.
    #[error("whether the token of {0} opens its repository")]
    Token(Subject),
    /// What the obfuscation checker says.
    #[error("what the obfuscation check says of {0}")]
    Obfuscation(Subject),
    /// What the licence check says.
    #[error("what the licence check says of {0}")]
    Licence(Subject),
    /// Commit and digest of the source.
    #[error("the source of {0}")]
    Source(Subject),
}
