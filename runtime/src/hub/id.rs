//! `owner/name@revision`.

use std::fmt;
use std::str::FromStr;

/// A model on the hub, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelId {
    /// `owner/name`
    pub repo: String,
    /// Branch, tag or commit.
    pub revision: String,
}

/// Why text is no model id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not the id of a model on the hub\nhelp: write owner/name, or owner/name@revision"
)]
pub struct ParseModelIdError {
    text: String,
}

impl FromStr for ModelId {
    type Err = ParseModelIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseModelIdError {
            text: text.chars().take(200).collect(),
        };
        let (repo, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (owner, name) = repo.split_once('/').ok_or_else(wrong)?;
        // The hub's own rules; `--` would make two ids one directory in the cache.
        let is_part = |part: &str| {
            (1..=96).contains(&part.len())
                && !part.starts_with(['.', '-'])
                && !part.contains("--")
                && !part.contains("..")
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        // Branches may have slashes, but no part that climbs out of a directory.
        let is_revision = revision.len() <= 200 && revision.split('/').all(is_part);
        match is_part(owner) && is_part(name) && is_revision {
            true => Ok(Self {
                repo: repo.to_owned(),
                revision: revision.to_owned(),
            }),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            "main" => f.write_str(&self.repo),
            revision => write!(f, "{}@{revision}", self.repo),
        }
    }
}

/// A full commit hash.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
