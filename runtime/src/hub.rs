//! Models from the Hugging Face hub: an id and a revision to a directory in the shared cache.
//!
//! The cache has the layout that other programs use (`hf-hub` knows it), so a model is fetched once for all of them. The
//! transfer is our own, since what is fetched is scored: every file is checked against the hash that the hub names before it
//! gets its place, a broken transfer goes on where it stopped, and nothing waits for ever. Only the files that an evaluation
//! reads are fetched; pickles and code never are.

mod cache;
mod hash;
mod id;
mod select;
mod transfer;

use gradus_checkpoint::Owner;
use gradus_checkpoint::checkpoint::{INDEX_BYTES_MAX, parse_index};
use hf_hub::api::RepoInfo;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cache::RepoCache;
pub use id::{ModelId, ParseModelIdError};
use select::{Selection, select};
use transfer::Transfer;

/// Where the hub is, and how it is talked to.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// `https://huggingface.co` or a mirror.
    pub endpoint: String,
    /// The directory that holds `models--owner--name` directories.
    pub cache: PathBuf,
    /// Sent to the endpoint's host only.
    pub token: Option<Token>,
    /// Never use the network.
    pub offline: bool,
    /// Further tries after a failure that may pass; a transfer that got on starts counting anew.
    pub retries: u32,
    /// First wait between two tries; doubles.
    pub retry_wait: Duration,
    /// Most bytes of one model.
    pub bytes_max: u64,
}

impl HubSettings {
    /// From `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HOME`, `HF_TOKEN` and `HF_HUB_OFFLINE`.
    ///
    /// The token comes from the environment only: a token file of some other program is not ours to send.
    ///
    /// # Errors
    /// `NoCache` where none of the directories is named, `BadToken` for a token that cannot be one.
    pub fn from_env(offline: bool) -> Result<Self, HubError> {
        Self::from_variables(offline, variable)
    }

    fn from_variables(
        offline: bool,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, HubError> {
        let cache = cache_from(&get).ok_or(HubError::NoCache)?;
        let endpoint = get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let is_on = |value: String| {
            matches!(
                value.to_ascii_lowercase().as_str(),
                "1" | "on" | "yes" | "true"
            )
        };
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache,
            token: get("HF_TOKEN")
                .map(|token| Token::new(&token))
                .transpose()?,
            offline: offline || get("HF_HUB_OFFLINE").is_some_and(is_on),
            retries: 5,
            retry_wait: Duration::from_millis(500),
            bytes_max: 4 << 40,
        })
    }
}

/// Where models from the hub are kept, by the environment; `None` where no variable names a place.
pub fn cache_dir() -> Option<PathBuf> {
    cache_from(variable)
}

fn cache_from(get: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let path = |name: &str| get(name).map(PathBuf::from);
    path("HF_HUB_CACHE")
        .or_else(|| Some(path("HF_HOME")?.join("hub")))
        .or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface/hub")))
        .or_else(|| Some(path("HOME")?.join(".cache/huggingface/hub")))
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A secret that no message, log or debug output shows.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// # Errors
    /// `BadToken` for anything that could not stand in a header; the message does not repeat it.
    pub fn new(text: &str) -> Result<Self, HubError> {
        let text = text.trim();
        match !text.is_empty() && text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic()) {
            true => Ok(Self(text.to_owned())),
            false => Err(HubError::BadToken),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Why a model cannot be had from the hub.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum HubError {
    #[error(transparent)]
    Id(#[from] ParseModelIdError),
    #[error(
        "no directory for models from the hub: HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and HOME are all unset\nhelp: set one of them"
    )]
    NoCache,
    #[error("HF_TOKEN does not look like a token\nhelp: correct or unset it")]
    BadToken,
    #[error(
        "HF_TOKEN is not sent to {endpoint}, which is not encrypted\nhelp: use https, or unset HF_TOKEN"
    )]
    InsecureToken { endpoint: String },
    #[error("{id} is not in the cache {}, at least not whole: {missing}\nhelp: run once without --offline", .cache.display())]
    NotCached {
        id: ModelId,
        cache: PathBuf,
        missing: String,
    },
    #[error("the hub does not show {id}: it needs a token that may read it, or does not exist\nhelp: {}", if *.with_token { "check the name, and what HF_TOKEN may read" } else { "check the name, or set HF_TOKEN" })]
    Unauthorized { id: ModelId, with_token: bool },
    #[error("the hub has no {what} of {id}\nhelp: check the name and the revision")]
    NotFound { id: ModelId, what: String },
    #[error("{id} has no safetensors weights{}\nhelp: save the model with safetensors", .pickle.as_ref().map(|name| format!(", only {name}, a pickle, which is never opened")).unwrap_or_default())]
    NoWeights { id: ModelId, pickle: Option<String> },
    #[error("{id} has no {name}")]
    NoFile { id: ModelId, name: String },
    #[error("{name} of {id} is not a valid index")]
    Index {
        id: ModelId,
        name: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{id} has {found} bytes of weights, the limit is {limit}")]
    TooLarge { id: ModelId, found: u64, limit: u64 },
    #[error(
        "{name} of {id} arrived wrong: the hub says {expected}, it is {found}\nhelp: try again; if it stays so, the hub or a proxy on the way is broken"
    )]
    Checksum {
        id: ModelId,
        name: String,
        expected: String,
        found: String,
    },
    #[error("the hub answered {status} for {what} of {id}\nhelp: try again later")]
    Status {
        id: ModelId,
        what: String,
        status: u16,
    },
    #[error("the hub's answer for {what} of {id} cannot be used: {reason}")]
    Answer {
        id: ModelId,
        what: String,
        reason: String,
    },
    #[error(
        "{what} of {id} cannot be fetched\nhelp: check the connection; what has arrived is kept"
    )]
    Network {
        id: ModelId,
        what: String,
        #[source]
        source: Box<ureq::Error>,
    },
    #[error("{} cannot be written", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl HubError {
    /// The submission's where the repository is not what it should be; the host's for everything on the way to it.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Unauthorized { .. }
            | Self::NotFound { .. }
            | Self::NoWeights { .. }
            | Self::NoFile { .. }
            | Self::Index { .. }
            | Self::TooLarge { .. } => Owner::Submission,
            _ => Owner::Host,
        }
    }
}

/// How far a transfer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubProgress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Bytes of it that are here.
    pub done_bytes: u64,
    /// Bytes that it has.
    pub total_bytes: u64,
}

/// A model that is in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The directory that holds it.
    pub dir: PathBuf,
    /// The commit that it is, whatever the revision was called.
    pub commit: String,
}

/// The hub, as it is reached from here.
#[derive(Debug)]
pub struct Hub {
    settings: HubSettings,
}

impl Hub {
    /// # Errors
    /// `InsecureToken` if the token would go over an unencrypted connection to another machine.
    pub fn new(settings: HubSettings) -> Result<Self, HubError> {
        let plain = !settings.endpoint.starts_with("https://")
            && !transfer::is_loopback(&settings.endpoint);
        if settings.token.is_some() && plain {
            return Err(HubError::InsecureToken {
                endpoint: settings.endpoint,
            });
        }
        Ok(Self { settings })
    }

    /// Makes sure that a model or adapter is in the cache, and says where.
    ///
    /// * `id`: `owner/name` or `owner/name@revision`; a revision is a branch, a tag or a commit
    ///
    /// # Errors
    /// [`HubError`] says what is missing, where, and whose it is to mend.
    pub fn fetch(
        &self,
        id: &str,
        progress: &mut dyn FnMut(HubProgress<'_>),
    ) -> Result<Fetched, HubError> {
        let id: ModelId = id.parse()?;
        let cache = RepoCache::new(&self.settings.cache, &id);
        if self.settings.offline {
            return cache.complete_snapshot(&id);
        }
        let transfer = Transfer::new(&self.settings, &id);
        let info: RepoInfo = transfer.info()?;
        let commit = info.sha;
        if !id::is_commit(&commit) {
            let reason = format!(
                "{:?} is not a commit",
                commit.chars().take(80).collect::<String>()
            );
            return Err(HubError::Answer {
                id,
                what: "the list of files".to_owned(),
                reason,
            });
        }
        let names: Vec<String> = info
            .siblings
            .into_iter()
            .map(|file| file.rfilename)
            .collect();
        let Selection {
            first,
            mut rest,
            index,
        } = select(&id, &names)?;
        let mut fetched_bytes = 0;
        let mut get = |name: &str| -> Result<PathBuf, HubError> {
            let remote = transfer.head(&commit, name)?;
            fetched_bytes += remote.size_bytes;
            if fetched_bytes > self.settings.bytes_max {
                let (found, limit) = (fetched_bytes, self.settings.bytes_max);
                return Err(HubError::TooLarge {
                    id: id.clone(),
                    found,
                    limit,
                });
            }
            transfer.fetch(&cache, &commit, name, &remote, progress)
        };
        for name in &first {
            get(name)?;
        }
        if let Some(index) = index {
            let shards = shards_of(&id, &index, &get(&index)?, &names)?;
            rest.extend(shards);
        }
        for name in &rest {
            get(name)?;
        }
        cache.set_ref(&id.revision, &commit)?;
        Ok(Fetched {
            dir: cache.snapshot(&commit),
            commit,
        })
    }
}

/// The shards that an index names, all of which the repository must have.
fn shards_of(
    id: &ModelId,
    index: &str,
    path: &Path,
    names: &[String],
) -> Result<BTreeSet<String>, HubError> {
    let wrong = |source| HubError::Index {
        id: id.clone(),
        name: index.to_owned(),
        source,
    };
    let size = path
        .metadata()
        .map_err(|source| HubError::Io {
            path: path.to_owned(),
            source,
        })?
        .len();
    if size > INDEX_BYTES_MAX {
        return Err(wrong(
            format!("it has {size} bytes, the limit is {INDEX_BYTES_MAX}").into(),
        ));
    }
    let bytes = std::fs::read(path).map_err(|source| HubError::Io {
        path: path.to_owned(),
        source,
    })?;
    let shards: BTreeSet<String> = parse_index(&bytes)
        .map_err(|e| wrong(Box::new(e)))?
        .into_keys()
        .collect();
    match shards.iter().find(|shard| !names.contains(shard)) {
        Some(name) => Err(HubError::NoFile {
            id: id.clone(),
            name: name.clone(),
        }),
        None => Ok(shards),
    }
}

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
