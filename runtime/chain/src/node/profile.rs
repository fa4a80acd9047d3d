//! Networks, each with its genesis, subnet and nodes; and state directories, each of which belongs to one of them for good.
//!
//! What is public about the two public networks is data: `networks.json`.

use super::Hash;
use gradus_owner::Owner;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The file that says whose a state directory is.
const FILE_NAME: &str = "chain.json";
/// The longest such file, in bytes.
const FILE_BYTES_MAX: u64 = 4_096;
/// Its version.
const FILE_VERSION: u32 = 1;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The main one.
    Finney,
    /// The public one for tests.
    Test,
    /// Any other: a node of one's own.
    Local,
}

/// What is known of a network before a node is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Which.
    pub network: Network,
    /// Its first block; `None` takes any but those of the public networks.
    pub genesis: Option<Hash>,
    /// The subnet.
    pub netuid: u16,
    /// Public nodes, all of different hosts.
    pub endpoints: Vec<String>,
}

/// Whose a state directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The file's version.
    version: u32,
    /// The network.
    pub network: Network,
    /// Its first block.
    pub genesis: Hash,
    /// The subnet.
    pub netuid: u16,
}

/// Why a network or a state directory is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No such network.
    #[error("{found:?} is no network: write finney, test or local")]
    Network {
        /// What was given.
        found: String,
    },
    /// Another chain.
    #[error(
        "{url} has the chain {found}, network {network} is {expected}: the node belongs to another network"
    )]
    Genesis {
        /// The node.
        url: String,
        /// The network.
        network: Network,
        /// Its genesis.
        expected: Hash,
        /// The node's.
        found: Hash,
    },
    /// A public chain under the name of a local one.
    #[error("{url} has the chain of {network}, not a local one: use network {network}")]
    NotLocal {
        /// The node.
        url: String,
        /// Whose chain it has.
        network: Network,
    },
    /// A directory of another network.
    #[error(
        "{path} holds the state of {bound}, not of {asked}: use another state directory for {asked}"
    )]
    OtherBinding {
        /// The file that says so.
        path: PathBuf,
        /// Whose it is.
        bound: Binding,
        /// Who asked.
        asked: Binding,
    },
    /// A file that says nothing.
    #[error(
        "{path} is not what this program writes: it was changed or made by a newer version; restore it, or start with an empty directory"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The disk.
    #[error("{path} cannot be read or written")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ProfileError {
    /// Whose fault: the host's, which names network, nodes and directory.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finney => "finney",
            Self::Test => "test",
            Self::Local => "local",
        })
    }
}

impl FromStr for Network {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        match text {
            "finney" => Ok(Self::Finney),
            "test" => Ok(Self::Test),
            "local" => Ok(Self::Local),
            _ => Err(ProfileError::Network {
                found: text.chars().take(40).collect(),
            }),
        }
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "network {} with genesis {} and netuid {}",
            self.network, self.genesis, self.netuid
        )
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Networks {
    finney: Public,
    test: Public,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Public {
    genesis: Hash,
    netuid: u16,
    endpoints: Vec<String>,
}

fn public(network: Network) -> Option<Profile> {
    let networks: Networks =
        serde_json::from_str(include_str!("../../networks.json")).expect("a file of ours");
    let found = match network {
        Network::Finney => networks.finney,
        Network::Test => networks.test,
        Network::Local => return None,
    };
    Some(Profile {
        network,
        genesis: Some(found.genesis),
        netuid: found.netuid,
        endpoints: found.endpoints,
    })
}

impl Profile {
    /// The main network, with its subnet and public nodes.
    pub fn finney() -> Self {
        public(Network::Finney).expect("it is public")
    }

    /// The test network, with its subnet and public nodes.
    pub fn test() -> Self {
        public(Network::Test).expect("it is public")
    }

    /// A chain of one's own.
    pub fn local(netuid: u16, endpoints: Vec<String>) -> Self {
        Self {
            network: Network::Local,
            genesis: None,
            netuid,
            endpoints,
        }
    }

    /// Refuses a node of another chain.
    ///
    /// # Errors
    /// `Genesis`, `NotLocal`.
    pub fn check_genesis(&self, url: &str, found: Hash) -> Result<(), ProfileError> {
        let url = url.to_owned();
        match self.genesis {
            Some(expected) if expected != found => Err(ProfileError::Genesis {
                url,
                network: self.network,
                expected,
                found,
            }),
            Some(_) => Ok(()),
            None => {
                let owner = [Self::finney(), Self::test()]
                    .into_iter()
                    .find(|profile| profile.genesis == Some(found));
                match owner {
                    Some(Self { network, .. }) => Err(ProfileError::NotLocal { url, network }),
                    None => Ok(()),
                }
            }
        }
    }

    /// Makes a state directory this profile's, if it is nobody's yet; refuses one that is another's.
    ///
    /// Of several processes that do so at once, one decides. A crash leaves a directory that is bound or not.
    ///
    /// # Errors
    /// `OtherBinding`, `Malformed`, `File`; `Genesis` and `NotLocal` before anything is written.
    pub fn bind(&self, directory: &Path, genesis: Hash) -> Result<Binding, ProfileError> {
        self.check_genesis("the node", genesis)?;
        let asked = Binding {
            version: FILE_VERSION,
            network: self.network,
            genesis,
            netuid: self.netuid,
        };
        let path = directory.join(FILE_NAME);
        let file = |source| ProfileError::File {
            path: path.clone(),
            source,
        };
        if !path.try_exists().map_err(file)? {
            write_new(directory, &path, &asked).map_err(file)?;
        }
        let bound = read(&path)?;
        if bound != asked {
            return Err(ProfileError::OtherBinding { path, bound, asked });
        }
        Ok(bound)
    }
}

impl Binding {
    /// Whose a directory is; `None` if it is nobody's yet.
    ///
    /// # Errors
    /// `Malformed`, `File`.
    pub fn of(directory: &Path) -> Result<Option<Self>, ProfileError> {
        let path = directory.join(FILE_NAME);
        match path.try_exists() {
            Ok(true) => read(&path).map(Some),
            Ok(false) => Ok(None),
            Err(source) => Err(ProfileError::File { path, source }),
        }
    }
}

fn read(path: &Path) -> Result<Binding, ProfileError> {
    let mut bytes = Vec::new();
    let file = |source| ProfileError::File {
        path: path.to_owned(),
        source,
    };
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(file)?;
    let parsed = serde_json::from_slice::<Binding>(&bytes).ok();
    parsed
        .filter(|binding| binding.version == FILE_VERSION && bytes.len() as u64 <= FILE_BYTES_MAX)
        .ok_or_else(|| ProfileError::Malformed {
            path: path.to_owned(),
        })
}

/// Writes aside, syncs, and links to the name, which fails if another was faster.
fn write_new(directory: &Path, path: &Path, binding: &Binding) -> io::Result<()> {
    let aside = directory.join(format!("{FILE_NAME}.{}", std::process::id()));
    let mut text = serde_json::to_vec_pretty(binding).expect("plain data");
    text.push(b'\n');
    let written = (|| {
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        match std::fs::hard_link(&aside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    })();
    // What is left of a failed write is nobody's.
    let removed = std::fs::remove_file(&aside);
    written?;
    removed?;
    std::fs::File::open(directory)?.sync_all()
}
