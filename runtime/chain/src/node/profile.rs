//! Networks, each with its genesis, subnet and nodes; and state directories, each of which belongs to one of them for good.
//!
//! What is public about the two public networks is data: `networks.json`.

mod binding;

pub use binding::Binding;

use crate::Hash;
use gradus_owner::Owner;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

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
}
