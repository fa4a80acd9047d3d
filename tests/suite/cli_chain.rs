//! `gradus weights set` and `status` against a double of the chain's node: what is shown, what lands and is proven, what is refused and by which
//! words, and what a kill leaves.
//!
//! | module | is about |
//! |---|---|
//! | `interrupts` | Ctrl-C while somebody else is waited for |
//! | `keys` | who signs |
//! | `nodes` | nodes that lie, that are of another chain, that are too few |
//! | `operator` | what operators get wrong, and what they are told |
//! | `setting` | what is shown, what lands, and how it is proven |
//! | `sources` | values of results, records, pairs, and incentives |
//! | `stopping` | kills, Ctrl-C, and bad disks |
//! | `tls` | nodes behind TLS |

mod interrupts;
mod keys;
mod nodes;
mod operator;
mod setting;
mod sources;
mod stopping;
mod tls;

use crate::binary::{Finished, command, finish, gradus, repository, run};
use gradus_node::{
    Blocks, Chain, ChainConfig, Fault, Method, Neuron, Node, SubnetConfig, address, hex,
};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const NETUID: u16 = 56;
/// The validator's place; miners have the uids before it.
const UID: u16 = 3;
/// As the runtime's constant says.
const BLOCK_TIME_MS: u64 = 250;
/// How fast blocks come.
const TICK: Duration = Duration::from_millis(50);
/// What the chain stores of the values that these tests set.
const STORED: [(u16, u16); 2] = [(0, 16_384), (2, 65_535)];

/// The golden key: a development mnemonic, nobody's.
fn golden(field: &str) -> String {
    let path = repository().join("runtime/chain/tests/golden/keyfile-vectors.json");
    let golden: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    golden[field].as_str().unwrap().to_owned()
}

/// A chain, its nodes, and an operator's directory.
struct Place {
    directory: TempDir,
    chain: Chain,
    nodes: Vec<Node>,
}

impl Place {
    fn new(nodes: usize, edit: impl FnOnce(&mut SubnetConfig)) -> Self {
        Self::at(10, nodes, |config| edit(&mut config.subnets[0]))
    }

    /// A subnet that takes commits alone. Its epochs are long enough for one to be made before the last rounds of the first.
    fn hidden() -> Self {
        Self::new(1, |subnet| {
            subnet.commit_reveal = true;
            subnet.tempo = 80;
        })
    }

    /// A chain as [`Place::new`]'s with slower blocks: an extrinsic may land for sixteen of them, and what is in between takes longer.
    fn slow(nodes: usize) -> Self {
        let slow = Duration::from_millis(BLOCK_TIME_MS);
        Self::at(10, nodes, |config| config.blocks = Blocks::Every(slow))
    }

    /// A chain that has so many blocks already.
    fn at(height: u32, nodes: usize, edit: impl FnOnce(&mut ChainConfig)) -> Self {
        // Built before the clock is read: a chain of minutes ago is none that is believed.
        gradus();
        let own = address::decode(&golden("ss58")).unwrap();
        let mut neurons: Vec<_> = (0..UID)
            .map(|uid| Neuron::miner([uid as u8 + 1; 32]))
            .collect();
        neurons.push(Neuron::validator(own));
        let subnet = SubnetConfig {
            netuid: NETUID,
            neurons,
            ..SubnetConfig::default()
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut config = ChainConfig {
            blocks: Blocks::Every(TICK),
            start_ms: now.as_millis() as u64 - 60_000,
            block_time_ms: BLOCK_TIME_MS,
            kept_states: 4_096,
            subnets: vec![subnet],
            ..ChainConfig::default()
        };
        edit(&mut config);
        let chain = Chain::start(config);
        chain.produce_to(height);
        let directory = tempfile::tempdir().unwrap();
        let place = Self {
            nodes: (0..nodes).map(|_| Node::serve(&chain).unwrap()).collect(),
            chain,
            directory,
        };
        place.write("key", golden("plain_keyfile").as_bytes(), 0o600);
        place.write("values.json", b"[[0,50],[2,200]]", 0o644);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn weights(&self, word: &str, more: &[&str]) -> Command {
        let urls: Vec<String> = self.nodes.iter().map(Node::url).collect();
        self.weights_at(&urls, word, more)
    }

    fn weights_at(&self, urls: &[String], word: &str, more: &[&str]) -> Command {
        let drand = self.chain.drand();
        let beacon = format!(
            "{}:{}:{}",
            drand.public_key(),
            drand.genesis_s(),
            drand.period_s()
        );
        let mut weights = command();
        weights.args(["weights", word, "--network", "local", "--netuid", "56"]);
        weights.args(["--beacon", &beacon]);
        for url in urls {
            weights.args(["--endpoint", url]);
        }
        if !more.contains(&"--state") {
            weights.arg("--state").arg(self.path("state"));
        }
        weights.args(more);
        weights
    }

    fn set(&self, more: &[&str]) -> Command {
        let mut set = self.weights("set", more);
        if !more.contains(&"--keyfile") {
            set.arg("--keyfile").arg(self.path("key"));
        }
        if !more.contains(&"--resume") && !more.contains(&"--values") {
            set.arg("--values").arg(self.path("values.json"));
        }
        set
    }

    fn applied(&self) -> usize {
        let own = address::decode(&golden("ss58")).unwrap();
        self.chain.applied_by(own)
    }

    fn row(&self) -> Vec<(u16, u16)> {
        self.chain.weights(NETUID, 0, UID)
    }

    fn status(&self) -> Value {
        let mut status = self.weights("status", &["--json"]);
        json_of(&finish(&mut status))
    }
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}

fn is_secret_free(finished: &Finished) {
    for secret in ["mnemonic", "password"] {
        let secret = golden(secret);
        assert!(!finished.stdout.contains(&secret) && !finished.stderr.contains(&secret));
    }
}
