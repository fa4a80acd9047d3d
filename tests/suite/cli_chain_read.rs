//! `gradus chain` against a double of the chain's node: what is read, by whom, and who is left out.
//!
//! | module | is about |
//! |---|---|
//! | `doctor` | what keeps weights from landing |
//! | `nodes` | nodes of another chain, that lie, lag, say nothing or nonsense |
//! | `subnets` | subnets as they are in storage, in three specs; past blocks |

mod doctor;
mod nodes;
mod subnets;

use crate::binary::{Finished, command, finish, gradus};
use gradus_node::{Chain, ChainConfig, Key, Neuron, Node, Spec, Storage, SubnetConfig, address};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

const NETUID: u16 = 56;
/// Where a chain stands when a test looks at it: the newest final block has the number 30.
const BEST: u32 = 32;
const FINAL: u64 = 30;

/// Two validators, the second of them the subnet's owner, and three miners.
fn hotkey(uid: u8) -> [u8; 32] {
    [uid + 1; 32]
}

/// As an address.
fn address_of(uid: u8) -> String {
    address::encode(&hotkey(uid))
}

/// An item of the pallet that has subnets.
fn item(name: &'static str) -> (&'static str, &'static str) {
    ("SubtensorModule", name)
}

/// A chain that stands at [`BEST`] now, changed in its first block and before.
fn chain(
    edit: impl FnOnce(&mut ChainConfig),
    change: impl FnOnce(&mut Storage) + Send + 'static,
) -> Chain {
    let mut neurons: Vec<Neuron> = (0..2).map(|uid| Neuron::validator(hotkey(uid))).collect();
    neurons.extend((2..5).map(|uid| Neuron::miner(hotkey(uid))));
    // Built before the clock is read: a chain of minutes ago stands still.
    gradus();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut config = ChainConfig {
        start_ms: now.as_millis() as u64 - 12_000 * u64::from(BEST),
        subnets: vec![SubnetConfig {
            neurons,
            owner_uid: Some(1),
            ..SubnetConfig::default()
        }],
        ..ChainConfig::default()
    };
    edit(&mut config);
    let chain = Chain::start(config);
    chain.edit(|storage, _| change(storage));
    chain.produce_to(BEST);
    chain
}

/// The chain as it comes.
fn plain() -> Chain {
    chain(|_| (), |_| ())
}

fn serve(chain: &Chain) -> Node {
    Node::serve(chain).expect("loopback")
}

/// A command of `gradus chain` to nodes of one's own.
fn ask(nodes: &[&Node], arguments: &[&str]) -> Finished {
    let urls: Vec<String> = nodes.iter().map(|node| node.url()).collect();
    ask_urls(&urls, "local", arguments)
}

fn ask_urls(urls: &[String], network: &str, arguments: &[&str]) -> Finished {
    let mut command = command();
    command.arg("chain").args(arguments);
    command.args(["--network", network]);
    if !arguments.contains(&"--timeout") {
        command.args(["--timeout", "5"]);
    }
    for url in urls {
        command.args(["--endpoint", url]);
    }
    finish(&mut command)
}

/// What a command printed that went well.
#[track_caller]
fn json_of(finished: &Finished) -> Value {
    assert_eq!(
        finished.code,
        Some(0),
        "{}{}",
        finished.stdout,
        finished.stderr
    );
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}
