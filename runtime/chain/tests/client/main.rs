//! The client against a double of the node: real metadata, real signatures, a chain that moves by hand, and faults.
//!
//! | module | is about |
//! |---|---|
//! | `reads` | what storage and runtime functions say, by both ways |
//! | `submissions` | from a call to finalized weights, in three specs; crashes in between |
//! | `commits` | weights under a timelock, until the chain opens them |
//! | `rules` | a refusal before signing is the chain's own refusal |
//! | `signing` | who signs, and what is not sent |
//! | `agreement` | nodes that lag, lie, hang, or have another chain |
//! | `garbage` | answers that are none |
//! | `patience` | nodes that are slow, and how long is waited for them |
//! | `returning` | nodes that are down, and come back |
//! | `operators` | nodes that count as one |
//! | `handing` | an extrinsic that goes to all |
//! | `archives` | old blocks, whose state few nodes keep |
//! | `prepared` | what is planned, and what is not |

mod agreement;
mod archives;
mod commits;
mod garbage;
mod handing;
mod operators;
mod patience;
mod prepared;
mod reads;
mod returning;
mod rules;
mod several;
mod signing;
mod submissions;

use gradus_chain::Hash;
use gradus_chain::node::rpc::RpcLimits;
use gradus_chain::node::{
    AgreementPolicy, Era, ExtrinsicContext, Facts, Node, Signed, Snapshot, Unsigned, WeightsCall,
};
use gradus_chain::{AccountId, Keypair};
use gradus_node::{Chain, ChainConfig, Neuron, Spec, SubnetConfig};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NETUID: u16 = 56;
/// How many neurons the subnet has: the validator at 0, the owner at 1, miners.
const NEURONS: u8 = 5;

/// The validator's keys.
fn pair() -> Keypair {
    Keypair::from_seed(&[1; 32])
}

fn owner() -> Keypair {
    Keypair::from_seed(&[2; 32])
}

fn limits() -> RpcLimits {
    RpcLimits {
        connect: Duration::from_secs(2),
        call: Duration::from_millis(1_500),
        attempts: 2,
        back_off: Duration::from_millis(10),
        ..RpcLimits::default()
    }
}

fn policy(required: usize) -> AgreementPolicy {
    AgreementPolicy {
        required,
        lag_blocks_max: 3,
        limits: limits(),
        question: Duration::from_secs(5),
        ..AgreementPolicy::default()
    }
}

/// A chain of now, whose subnet `edit` changes.
fn chain(spec: Spec, edit: impl FnOnce(&mut SubnetConfig)) -> Chain {
    let mut neurons = vec![
        Neuron::validator(pair().account().0),
        Neuron::validator(owner().account().0),
    ];
    neurons.extend((2..NEURONS).map(|number| Neuron::miner([number; 32])));
    let mut subnet = SubnetConfig {
        netuid: NETUID,
        neurons,
        owner_uid: Some(1),
        min_allowed_weights: 2,
        ..SubnetConfig::default()
    };
    edit(&mut subnet);
    started(spec, subnet, ChainConfig::default().kept_states)
}

/// A chain that keeps the state of so few blocks.
fn few_states(kept_states: u32) -> Chain {
    let subnet = SubnetConfig {
        netuid: NETUID,
        ..SubnetConfig::default()
    };
    started(Spec::V461, subnet, kept_states)
}

fn started(spec: Spec, subnet: SubnetConfig, kept_states: u32) -> Chain {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let chain = Chain::start(ChainConfig {
        spec,
        start_ms: now.as_millis() as u64 - 12_000 * 12,
        subnets: vec![subnet],
        kept_states,
        ..ChainConfig::default()
    });
    chain.produce_to(10);
    chain
}

fn serve(chain: &Chain) -> (gradus_node::Node, Node) {
    let served = gradus_node::Node::serve(chain).expect("loopback");
    let node = Node::connect(&served.url(), limits()).expect("a node");
    (served, node)
}

/// The best block, since the next one takes what is submitted now.
fn best(node: &Node) -> Snapshot<'_> {
    node.at(node.best_head().expect("a head"))
        .expect("its state")
}

fn facts(node: &Node) -> Facts {
    best(node)
        .facts(NETUID, 0, pair().account())
        .expect("facts")
}

/// Weights that break no rule.
fn set(mechanism: Option<u8>) -> WeightsCall {
    WeightsCall::Set {
        netuid: NETUID,
        mechanism,
        uids: vec![2, 3, 4],
        values: vec![100, 200, 50],
        version_key: 0,
    }
}

fn sign(snapshot: &Snapshot<'_>, call: &WeightsCall, signer: &Keypair) -> Signed {
    let era = Era::mortal(16, snapshot.block().number);
    let birth = snapshot.node().block_hash(era.birth()).expect("answered");
    let context = ExtrinsicContext {
        nonce: snapshot
            .account(signer.account())
            .expect("an account")
            .nonce,
        era,
        birth_hash: birth.expect("the birth block"),
        genesis: snapshot.node().genesis(),
        tip: 0,
    };
    Unsigned::new(snapshot.capabilities(), call, &context)
        .expect("a known call")
        .sign(signer)
        .expect("its key")
}

fn account(bytes: [u8; 32]) -> AccountId {
    AccountId(bytes)
}

fn hash(bytes: [u8; 32]) -> Hash {
    Hash(bytes)
}
