//! What a command of a build may reach.

use gradus_image::dockerfile::ContentHash;
use gradus_sandbox::job::Job;
use gradus_sandbox::sandbox::Started;
use sha2::{Digest as _, Sha256};

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
