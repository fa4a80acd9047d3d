//! The forms of GitHub's addresses, and the one that all are brought to.

use crate::Owner;
use std::fmt;
use std::str::FromStr;

/// The longest address that is looked at, bytes.
pub const ADDRESS_BYTES_MAX: usize = 512;
/// The longest name of an account on GitHub, bytes.
const OWNER_BYTES_MAX: usize = 39;
/// The longest name of a repository on GitHub, bytes.
const NAME_BYTES_MAX: usize = 100;

/// A repository on GitHub. Names are kept as written; owners are equal in any case of letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    owner: String,
    name: String,
}

/// Why an address names no repository. It is not shown: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryError {
    /// No address is so long.
    #[error(
        "the address of the repository has {bytes} bytes, at most {ADDRESS_BYTES_MAX} are read"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has a user name or password.
    #[error(
        "the address of the repository has a user or password before its host\nhelp: give a private repository's token in github_token"
    )]
    Credentials,
    /// Another host, or no form that is known.
    #[error(
        "the address of the repository is not https://github.com/OWNER/NAME\nhelp: give that form"
    )]
    NotGithub,
    /// A name that GitHub does not give.
    #[error("the {part} in the repository's address is no name on GitHub")]
    Name {
        /// Owner or name.
        part: &'static str,
    },
}

impl RepositoryError {
    /// Whose fault: the miner's.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

impl Repository {
    /// The owner, as written.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The repository's name, without `.git`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The owner, as all spellings of it are.
    pub fn account(&self) -> String {
        self.owner.to_ascii_lowercase()
    }

    /// The one form: `https://github.com/OWNER/NAME`.
    pub fn url(&self) -> String {
        format!("https://github.com/{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for Repository {
    type Err = RepositoryError;

    /// Reads `https://github.com/OWNER/NAME`, with `http`, `www.`, `.git` and a closing slash too, without a scheme, and
    /// git's own `git@github.com:OWNER/NAME` and `ssh://git@github.com/OWNER/NAME`.
    fn from_str(text: &str) -> Result<Self, RepositoryError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(RepositoryError::TooLong { bytes: text.len() });
        }
        let (host, path) = split_host(text)?;
        let host = host.strip_prefix("www.").unwrap_or(&host);
        if host != "github.com" {
            return Err(RepositoryError::NotGithub);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let (owner, name) = path.split_once('/').ok_or(RepositoryError::NotGithub)?;
        let name = name.strip_suffix(".git").unwrap_or(name);
        if name.contains(['/', '?', '#']) {
            return Err(RepositoryError::NotGithub);
        }
        let letters = |text: &str, more: &[u8]| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        let hyphens = owner.starts_with('-') || owner.ends_with('-') || owner.contains("--");
        if !(1..=OWNER_BYTES_MAX).contains(&owner.len()) || !letters(owner, b"-") || hyphens {
            return Err(RepositoryError::Name { part: "owner" });
        }
        let dots = matches!(name, "." | "..");
        // `.git` again would be another repository in the one form.
        let twice = name.ends_with(".git");
        let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && letters(name, b"-_.");
        if !fits || dots || twice {
            return Err(RepositoryError::Name { part: "name" });
        }
        Ok(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// The host in lower case, and the path without its first slash.
fn split_host(text: &str) -> Result<(String, &str), RepositoryError> {
    if let Some(rest) = text.strip_prefix("git@") {
        let (host, path) = rest.split_once(':').ok_or(RepositoryError::NotGithub)?;
        return Ok((host.to_ascii_lowercase(), path));
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => ("https".to_owned(), text),
    };
    let (host, path) = rest.split_once('/').ok_or(RepositoryError::NotGithub)?;
    let host = match (scheme.as_str(), host.rsplit_once('@')) {
        ("ssh", Some(("git", host))) => host,
        ("ssh", None) | (_, Some(_)) => return Err(RepositoryError::Credentials),
        ("https" | "http", None) => host,
        (_, None) => return Err(RepositoryError::NotGithub),
    };
    Ok((host.to_ascii_lowercase(), path))
}
