//! What a command of a build may reach.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use gradus_image::Digest;
use gradus_image::dockerfile::ContentHash;
use gradus_sandbox::job::Job;
use gradus_sandbox::sandbox::Started;
use sha2::{Digest as _, Sha256};

use crate::bases::FetchError;

/// What a command of a build may reach.
#[derive(Clone, Copy, Default)]
pub enum Network<'a> {
    /// Its own loopback and nothing else.
    #[default]
    None,
    /// What somebody outside fetches for it.
    Egress(&'a dyn Egress),
}

/// Somebody outside who fetches what a command asks for, as far as a policy allows. The command's network stays its own loopback: requests come
/// through what [`Egress::prepare`] adds to its job.
pub trait Egress {
    /// A digest of the policy: what may be reached, and how much. Commands that ran under another one are run again.
    fn policy(&self) -> ContentHash;

    /// Variables that lead programs to it, such as `HTTP_PROXY`: for the command alone, part of no image and no key.
    fn variables(&self) -> Vec<(String, String)>;

    /// Adds to a command's job what requests come through.
    fn prepare(&self, job: &mut Job);

    /// Answers requests of a command that runs, until what is returned is dropped.
    ///
    /// # Errors
    /// The host's; the command is ended.
    fn serve(&self, command: &mut Started) -> std::io::Result<Box<dyn Serving>>;

    /// Whether the policy names the host of a URL that `ADD` has. Asked before the first step.
    ///
    /// # Errors
    /// Why not, in words.
    fn names(&self, url: &str) -> Result<(), String>;

    /// Fetches what is at a URL for `ADD`, under the same policy.
    ///
    /// # Errors
    /// It must not be fetched, or cannot be.
    fn download(&self, url: &str, to: &mut File, within: Within) -> Result<Download, FetchError>;

    /// Fetches a commit's files for `ADD`, under the same policy: `dir` is made.
    ///
    /// # Errors
    /// They must not be fetched, or cannot be.
    fn checkout(
        &self,
        url: &str,
        commit: &str,
        dir: &Path,
        within: Within,
    ) -> Result<(), FetchError>;
}

/// How much, and how long, `ADD` may fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// bytes of files
    pub bytes: u64,
    /// files and directories
    pub entries: u64,
    /// what is left of the build's time
    pub time: Option<Duration>,
}

/// A file that was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Download {
    /// what it hashes to
    pub digest: Digest,
    /// its length
    pub bytes: u64,
    /// when it was changed by its server's word, seconds since 1970
    pub modified_s: Option<i64>,
}

/// Requests of one command being answered, until this is dropped.
pub trait Serving {}

impl Network<'_> {
    /// What stands for it in a command's key.
    pub(crate) fn digest(&self) -> ContentHash {
        match self {
            Network::None => Sha256::digest(b"network: none").into(),
            Network::Egress(egress) => {
                let mut hash = Sha256::new();
                hash.update(b"network: egress ");
                hash.update(egress.policy());
                hash.finalize().into()
            }
        }
    }
}

impl std::fmt::Debug for Network<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Network::None => "None",
            Network::Egress(_) => "Egress",
        })
    }
}
