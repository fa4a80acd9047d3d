//! Under which key a step's layer is kept.
//!
//! SHA-256 over fields, each with its length before it, so that no two lists of fields read the same. A step that only changes
//! the configuration makes no layer: it passes its parent's key on, and what it changed is in the keys of the steps that see it.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::resolve::{Action, CopyFrom, CopySource, RunStep, Step};
use super::{Mount, MountKind, Platform};
use crate::Owner;

/// Changes with what layers of equal keys may differ in.
pub const BUILDER_VERSION: &str = "gradus-image 2";

/// A digest of content that a step reads, from whoever read it.
pub type ContentHash = [u8; 32];

/// What a layer is kept under.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub ContentHash);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// As many digests are needed as a step has inputs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "line {line}: {expected} digests were expected, found {found}\nhelp: give one for each of the step's inputs, in order"
)]
pub struct KeyError {
    /// Line of the step.
    pub line: usize,
    /// Its inputs.
    pub expected: usize,
    /// Digests given.
    pub found: usize,
}

impl KeyError {
    /// Always ours.
    pub fn owner(&self) -> Owner {
        Owner::Bug
    }
}

/// What a step reads besides its own text and the layers below: each needs a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// Sources of a `COPY`, or what a mount shows.
    Files {
        /// Where they are.
        from: &'a CopyFrom,
        /// Paths, with wildcards.
        paths: Vec<&'a str>,
    },
    /// What a URL gives.
    Url(&'a str),
    /// What may be reached over the network; or what was fetched, where that is recorded.
    Network,
}

struct Fields(Sha256);

impl Fields {
    fn new(what: &str) -> Self {
        let mut fields = Fields(Sha256::new());
        fields.text(BUILDER_VERSION);
        fields.text(what);
        fields
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.0.update((texts.len() as u64).to_le_bytes());
        texts.for_each(|t| self.text(t));
    }

    fn optional(&mut self, text: Option<&str>) {
        self.texts(text.into_iter().collect::<Vec<_>>().into_iter());
    }

    fn key(self) -> Key {
        Key(self.0.finalize().into())
    }
}

impl Key {
    /// What a stage from nothing begins with.
    pub fn scratch(platform: &Platform) -> Key {
        let mut fields = Fields::new("scratch");
        fields.text(&platform.to_string());
        fields.key()
    }

    /// What a stage on an image begins with: the digest of the manifest that its name led to.
    pub fn image(manifest_digest: &str, platform: &Platform) -> Key {
        let mut fields = Fields::new("image");
        fields.text(manifest_digest);
        fields.text(&platform.to_string());
        fields.key()
    }
}

impl Step {
    /// What needs a digest for the key.
    pub fn inputs(&self) -> Vec<Input<'_>> {
        match &self.action {
            Action::Config | Action::Workdir(_) => Vec::new(),
            Action::Run(run) => {
                let network = (!run.no_network).then_some(Input::Network);
                let mounted = run.mount_sources.iter().map(|(from, path)| Input::Files {
                    from,
                    paths: vec![path],
                });
                mounted.chain(network).collect()
            }
            Action::Copy(copy) => {
                let paths: Vec<&str> = copy
                    .sources
                    .iter()
                    .filter_map(|s| match s {
                        CopySource::Path(path) => Some(path.as_str()),
                        _ => None,
                    })
                    .collect();
                let files = (!paths.is_empty()).then_some(Input::Files {
                    from: &copy.from,
                    paths,
                });
                let urls = copy.sources.iter().filter_map(|s| match s {
                    CopySource::Url { url, .. } => Some(Input::Url(url)),
                    _ => None,
                });
                files.into_iter().chain(urls).collect()
            }
        }
    }

    /// The key after this step, from the key before it and a digest for each of its inputs.
    ///
    /// # Errors
    /// Another number of digests.
    pub fn key(&self, parent: &Key, digests: &[ContentHash]) -> Result<Key, KeyError> {
        let expected = self.inputs().len();
        if digests.len() != expected {
            return Err(KeyError {
                line: self.line,
                expected,
                found: digests.len(),
            });
        }
        let mut fields = Fields::new(self.verb);
        fields.bytes(&parent.0);
        match &self.action {
            Action::Config => return Ok(*parent),
            Action::Workdir(path) => fields.text(path),
            Action::Run(run) => run_fields(&mut fields, run),
            Action::Copy(copy) => {
                fields.text(&copy.destination);
                fields.text(if copy.into_directory { "directory" } else { "" });
                fields.optional(copy.chown.as_deref());
                fields.optional(copy.chmod.map(|m| format!("{m:o}")).as_deref());
                fields.optional(copy.checksum.as_deref());
                fields.text(if copy.link { "link" } else { "" });
                from_fields(&mut fields, &copy.from);
                fields.0.update((copy.sources.len() as u64).to_le_bytes());
                for source in &copy.sources {
                    let parts: Vec<&str> = match source {
                        CopySource::Path(path) => vec!["path", path],
                        CopySource::Url { url, name } => {
                            vec!["url", url, name.as_deref().unwrap_or_default()]
                        }
                        // A commit's id says what is in it.
                        CopySource::Repository {
                            url,
                            commit,
                            directory,
                        } => vec!["repository", url, commit, directory],
                        CopySource::File { name, content } => vec!["file", name, content],
                    };
                    fields.texts(parts.into_iter());
                }
            }
        }
        let scope = &self.scope;
        fields.0.update((scope.env.len() as u64).to_le_bytes());
        for (name, value) in &scope.env {
            fields.text(name);
            fields.text(value);
        }
        fields.text(&scope.working_dir);
        fields.text(&scope.user);
        fields.texts(scope.shell.iter().map(String::as_str));
        fields.text(&scope.platform.to_string());
        fields.0.update((digests.len() as u64).to_le_bytes());
        digests.iter().for_each(|d| fields.bytes(d));
        Ok(fields.key())
    }
}

fn run_fields(fields: &mut Fields, run: &RunStep) {
    fields.texts(run.argv.iter().map(String::as_str));
    let script = run.script.as_ref();
    fields.optional(script.map(|(name, _)| name.as_str()));
    fields.optional(script.map(|(_, content)| content.as_str()));
    fields.text(if run.no_network { "none" } else { "default" });
    fields.0.update((run.mounts.len() as u64).to_le_bytes());
    run.mounts.iter().for_each(|m| mount_fields(fields, m));
}

fn from_fields(fields: &mut Fields, from: &CopyFrom) {
    // A stage's number says nothing about what is in it: that is in the digest.
    fields.text(match from {
        CopyFrom::Context => "context",
        CopyFrom::Stage(_) => "stage",
        CopyFrom::Image(_) => "image",
    });
}

fn mount_fields(fields: &mut Fields, mount: &Mount) {
    fields.text(&mount.target);
    fields.text(if mount.read_only { "ro" } else { "rw" });
    let parts: Vec<String> = match &mount.kind {
        MountKind::Bind { source, .. } => vec!["bind".to_owned(), source.clone()],
        MountKind::Cache {
            id,
            sharing,
            source,
            mode,
            uid,
            gid,
            from: _,
        } => vec![
            "cache".to_owned(),
            id.clone(),
            format!("{sharing:?}"),
            source.clone(),
            format!("{mode:o} {uid} {gid}"),
        ],
        MountKind::Tmpfs { size_bytes } => vec!["tmpfs".to_owned(), format!("{size_bytes:?}")],
        MountKind::Secret {
            id,
            required,
            env,
            mode,
            uid,
            gid,
        } => vec![
            "secret".to_owned(),
            id.clone(),
            required.to_string(),
            env.clone().unwrap_or_default(),
            format!("{mode:o} {uid} {gid}"),
        ],
    };
    fields.texts(parts.iter().map(String::as_str));
}
