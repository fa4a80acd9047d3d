//! What the file is made of.

use super::EntryFileError;
use crate::entry::duplicates::SourceFact;
use crate::entry::facts::{CheckVerdict, SourceState, Subject, TokenFact};
use crate::entry::gate::Enrolled;
use crate::entry::licence::LicenceRefusal;
use crate::entry::repository::Repository;
use crate::entry::response::TrainingRepoResponse;
use crate::rules::RuleSet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// The validator's own texts, as paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnTexts {
    /// Its licence.
    pub licence: PathBuf,
    /// Its notice.
    pub notice: PathBuf,
}

/// The obfuscation checker. Arguments and time limit are the rules'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObfuscationCommand {
    /// The program: a path, or a name that is looked for where programs are.
    pub program: PathBuf,
}

/// A miner of the metagraph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandidateEntry {
    /// Who.
    pub hotkey: String,
    /// Whose.
    pub coldkey: String,
    /// The address that it serves from.
    pub ip: IpAddr,
    /// What it answered.
    pub answer: AnswerEntry,
}

/// What a miner answered, as the bytes came: they are read as a stranger's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerEntry {
    /// Nothing.
    Silent {},
    /// This text.
    Text {
        /// As it came.
        text: String,
    },
    /// The bytes of a file. The way for answers with a token, which is then in no other file.
    File {
        /// Which.
        path: PathBuf,
    },
}

impl fmt::Debug for AnswerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent {} => f.write_str("Silent"),
            // There may be a token in it.
            Self::Text { .. } => f.write_str("Text(…)"),
            Self::File { path } => write!(f, "File({})", path.display()),
        }
    }
}

/// An entrant that an earlier call admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolledEntry {
    /// Who.
    pub hotkey: String,
    /// Whose.
    pub coldkey: String,
    /// The address that it served from.
    pub ip: IpAddr,
    /// What it submitted, as an address.
    pub repository: String,
    /// Of which commit.
    pub commit: String,
    /// Data sets that it gets.
    pub datasets: Vec<String>,
}

impl EnrolledEntry {
    /// As the gate takes it.
    pub(super) fn enrolled(&self, rules: &RuleSet) -> Result<Enrolled, EntryFileError> {
        let refused = |problem: String| EntryFileError::Enrolled {
            hotkey: self.hotkey.clone(),
            problem,
        };
        let repository: Repository = (self.repository)
            .parse()
            .map_err(|error: crate::entry::RepositoryError| refused(error.to_string()))?;
        let response = TrainingRepoResponse {
            repository,
            commit_hash: self.commit.clone(),
            github_token: None,
            requested_datasets: self.datasets.clone(),
        };
        let commit = response.commit(rules.entry.commit);
        let commit = commit.map_err(|error| refused(error.to_string()))?;
        Ok(Enrolled {
            hotkey: self.hotkey.clone(),
            coldkey: self.coldkey.clone(),
            ip: self.ip,
            response,
            commit,
            datasets: self.datasets.clone(),
        })
    }
}

impl From<&Enrolled> for EnrolledEntry {
    fn from(enrolled: &Enrolled) -> Self {
        Self {
            hotkey: enrolled.hotkey.clone(),
            coldkey: enrolled.coldkey.clone(),
            ip: enrolled.ip,
            repository: enrolled.response.repository.url(),
            commit: enrolled.commit.to_string(),
            datasets: enrolled.datasets.clone(),
        }
    }
}

/// What is known of a submission, and where its trees lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactEntry {
    /// Whose.
    pub hotkey: String,
    /// Of which repository, as an address.
    pub repository: String,
    /// Of which commit, as it was answered.
    pub commit: String,
    /// Whether the token that was given opens the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenEntry>,
    /// What the obfuscation checker said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obfuscation: Option<VerdictEntry>,
    /// What licence and notice are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<LicenceEntry>,
    /// What the source is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceEntry>,
    /// The tree of the commit: what is not said above is found out there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<PathBuf>,
    /// The tree of the default branch, where the rules read the licence there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_checkout: Option<PathBuf>,
}

impl FactEntry {
    /// What it is about.
    ///
    /// # Errors
    /// `Fact` for an address that names no repository.
    pub fn subject(&self) -> Result<Subject, EntryFileError> {
        let repository: Result<Repository, _> = self.repository.parse();
        let repository = repository.map_err(|source| EntryFileError::Fact {
            hotkey: self.hotkey.clone(),
            source,
        })?;
        Ok(Subject::new(&self.hotkey, &repository, &self.commit))
    }
}

/// Whether a token opens its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEntry {
    /// It does.
    Opens,
    /// It does not, or nobody could tell.
    Dropped,
}

impl From<TokenEntry> for TokenFact {
    fn from(entry: TokenEntry) -> Self {
        match entry {
            TokenEntry::Opens => Self::Opens,
            TokenEntry::Dropped => Self::Dropped,
        }
    }
}

/// What the obfuscation checker said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case", deny_unknown_fields)]
pub enum VerdictEntry {
    /// Nothing was found.
    Clean {},
    /// Something was.
    Rejected {
        /// The code that it ended with.
        code: i32,
    },
    /// It did not end in time.
    TimedOut {
        /// The limit, milliseconds.
        limit_ms: u64,
    },
}

impl From<&VerdictEntry> for CheckVerdict {
    fn from(entry: &VerdictEntry) -> Self {
        match *entry {
            VerdictEntry::Clean {} => Self::Clean,
            VerdictEntry::Rejected { code } => Self::Rejected { code },
            VerdictEntry::TimedOut { limit_ms } => Self::TimedOut { limit_ms },
        }
    }
}

/// What licence and notice are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum LicenceEntry {
    /// The validator's own.
    Fits {},
    /// Something else.
    Refused {
        /// What is wrong.
        refusal: LicenceRefusal,
    },
    /// These texts, by the names of files at the root: they are compared with the validator's own.
    Texts {
        /// Name to text.
        texts: BTreeMap<String, String>,
    },
}

/// What the source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceEntry {
    /// It was read.
    Read {
        /// The commit that was checked out.
        commit: String,
        /// The digest of its tree.
        digest: String,
    },
    /// It could not be had: no copy of anything.
    Unavailable {},
}

impl From<&SourceEntry> for SourceState {
    fn from(entry: &SourceEntry) -> Self {
        match entry {
            SourceEntry::Read { commit, digest } => Self::Read(SourceFact {
                commit: commit.clone(),
                digest: digest.clone(),
            }),
            SourceEntry::Unavailable {} => Self::Unavailable,
        }
    }
}
