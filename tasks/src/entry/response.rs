//! What a miner answers: one question has four fields.
//!
//! The bytes come from a stranger, and one field is a secret: it is never in a message, is wiped when it is dropped, and
//! the text of a parser's error, which may repeat a value, is not passed on.

mod json;

use super::facts::Subject;
use super::repository::{Repository, RepositoryError};
use crate::Owner;
use crate::rules::{CommitRule, DatasetRules, ExtraFields};
use std::collections::HashSet;
use std::fmt;
use zeroize::Zeroizing;

/// The longest answer, bytes.
pub const RESPONSE_BYTES_MAX: usize = 65_536;
/// The longest token, bytes.
pub const TOKEN_BYTES_MAX: usize = 512;
/// The most data sets that are read.
pub const DATASETS_MAX: usize = 256;
/// The longest name of a data set, bytes.
pub const DATASET_BYTES_MAX: usize = 256;

/// A token of GitHub. Its bytes are wiped when it is dropped, and nothing prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct GithubToken(Zeroizing<String>);

impl GithubToken {
    /// The secret itself, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GithubToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GithubToken(…)")
    }
}

/// A commit that was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Commit {
    /// 40 lower-case hexadecimal digits.
    Sha(String),
    /// Whatever `main` is when it is fetched.
    Main,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha(sha) => f.write_str(sha),
            Self::Main => f.write_str("main"),
        }
    }
}

/// A miner's answer. Its commit and data sets are as written: what they may be is asked later, since entrants that share
/// an address compete before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingRepoResponse {
    /// The repository.
    pub repository: Repository,
    /// The commit.
    pub commit_hash: String,
    /// A private repository's token.
    pub github_token: Option<GithubToken>,
    /// Data sets that are asked for.
    pub requested_datasets: Vec<String>,
}

/// Why an answer is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Too long.
    #[error("the answer has {bytes} bytes, at most {RESPONSE_BYTES_MAX} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not the object that is asked for.
    #[error(
        "the answer is not an object with github_repo and commit_hash (line {line}, column {column})\nhelp: answer {{\"github_repo\": \"https://github.com/OWNER/NAME\", \"commit_hash\": \"40 hexadecimal digits\"}}"
    )]
    Malformed {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// A field twice, or one that must be there and is not.
    #[error("the answer's field {field} is {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// Missing, twice, too long or unknown.
        problem: &'static str,
    },
    /// An address that names no repository.
    #[error("{0}")]
    Repository(RepositoryError),
    /// A commit that may not be.
    #[error("commit_hash is {found:?}, expected {expected}")]
    Commit {
        /// What was given, shortened.
        found: String,
        /// What may be.
        expected: &'static str,
    },
    /// A data set that is not on the list.
    #[error("requested_datasets has {found:?}, which is not on the list of data sets")]
    Dataset {
        /// Its name, shortened.
        found: String,
    },
    /// Too many data sets.
    #[error("requested_datasets has {found} data sets, at most {max} are given")]
    Datasets {
        /// How many.
        found: usize,
        /// The limit.
        max: u32,
    },
}

impl ResponseError {
    /// Whose fault: the miner's.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

impl TrainingRepoResponse {
    /// Reads an answer. Empty tokens and lists are none.
    ///
    /// # Errors
    /// `TooLong`, `Malformed`, `Field` for a field that is missing, given twice, too long or, where `extra` says so,
    /// unknown; `Repository`.
    pub fn from_json(bytes: &[u8], extra: ExtraFields) -> Result<Self, ResponseError> {
        if bytes.len() > RESPONSE_BYTES_MAX {
            return Err(ResponseError::TooLong { bytes: bytes.len() });
        }
        let fields = json::read(bytes)?;
        if fields.unknown && extra == ExtraFields::Refused {
            return Err(ResponseError::Field {
                field: "of another name",
                problem: "unknown: the rules allow four",
            });
        }
        let missing = |field| ResponseError::Field {
            field,
            problem: "missing",
        };
        let repository = fields.github_repo.ok_or_else(|| missing("github_repo"))?;
        let commit_hash = fields
            .commit_hash
            .filter(|commit| !commit.is_empty())
            .ok_or_else(|| missing("commit_hash"))?;
        let github_token = fields.github_token.filter(|token| !token.is_empty());
        let too_long = |field| ResponseError::Field {
            field,
            problem: "too long",
        };
        if github_token
            .as_ref()
            .is_some_and(|token| token.len() > TOKEN_BYTES_MAX)
        {
            return Err(too_long("github_token"));
        }
        let datasets = fields.requested_datasets.unwrap_or_default();
        if datasets.len() > DATASETS_MAX
            || datasets.iter().any(|name| name.len() > DATASET_BYTES_MAX)
        {
            return Err(too_long("requested_datasets"));
        }
        Ok(Self {
            repository: repository.parse().map_err(ResponseError::Repository)?,
            commit_hash,
            github_token: github_token.map(GithubToken),
            requested_datasets: datasets,
        })
    }

    /// What facts about this answer of a hotkey are about.
    pub fn subject(&self, hotkey: &str) -> Subject {
        Subject::new(hotkey, &self.repository, &self.commit_hash)
    }

    /// The commit, if it is one that the rules allow. Letters may be of either case.
    ///
    /// # Errors
    /// `Commit`.
    pub fn commit(&self, rule: CommitRule) -> Result<Commit, ResponseError> {
        let text = &self.commit_hash;
        if text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Commit::Sha(text.to_ascii_lowercase()));
        }
        let expected = match rule {
            CommitRule::ShaOrMain if text == "main" => return Ok(Commit::Main),
            CommitRule::ShaOrMain => "40 hexadecimal digits, or main",
            CommitRule::Sha => "40 hexadecimal digits",
        };
        Err(ResponseError::Commit {
            found: shortened(text),
            expected,
        })
    }
}

/// The data sets that an entrant gets of those it asks for, in its order. `listed`: those that can be had.
///
/// # Errors
/// `Dataset` and `Datasets`, where the rules refuse rather than drop.
pub fn requested_datasets(
    asked: &[String],
    listed: &HashSet<String>,
    rules: DatasetRules,
) -> Result<Vec<String>, ResponseError> {
    match rules {
        DatasetRules::None {} => Ok(Vec::new()),
        DatasetRules::Dropped { max } => Ok(asked
            .iter()
            .filter(|name| listed.contains(*name))
            .take(max as usize)
            .cloned()
            .collect()),
        DatasetRules::Refused { max } => {
            if asked.len() > max as usize {
                return Err(ResponseError::Datasets {
                    found: asked.len(),
                    max,
                });
            }
            match asked.iter().find(|name| !listed.contains(*name)) {
                Some(unknown) => Err(ResponseError::Dataset {
                    found: shortened(unknown),
                }),
                None => Ok(asked.to_vec()),
            }
        }
    }
}

/// What a message shows of a miner's text.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 48;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
