//! Submissions that are driven through real endpoints of a double of the chain, in processes that are killed.
//!
//! | module | is about |
//! |---|---|
//! | `child` | the process that is killed: this test's own binary, started again |
//! | `killing` | where it kills itself |
//! | `lands` | the three methods, and nodes that lie, swallow, lag or hang beside one that does not |
//! | `matrix` | a kill at every step × every fault |
//! | `places` | a disk that is full, a clock that is wrong, another chain |

mod child;
mod killing;
mod lands;
mod matrix;
mod places;

use gradus_chain::node::rpc::RpcLimits;
use gradus_chain::node::{AgreeError, AgreementPolicy, Endpoints, Profile};
use gradus_chain::submission::{DriveLimits, ERA_PERIOD_BLOCKS, Status, Word};
use gradus_chain::{AccountId, Keypair};
use gradus_node::{Blocks, Chain, ChainConfig, Neuron, SubnetConfig};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NETUID: u16 = 56;
/// As the runtime's constant says.
const BLOCK_TIME_MS: u32 = 250;
/// How much faster blocks come than they say.
const FASTER: u32 = 12;
/// Where weights go, by uid, and what is sent.
const VALUES: [(u16, u16); 3] = [(0, 100), (1, 200), (2, 50)];
/// What the chain stores of it: scaled to 65,535.
const STORED: [(u16, u16); 3] = [(0, 32_768), (1, 65_535), (2, 16_384)];
/// Miners at the first uids; validators follow.
const MINERS: u8 = 3;

/// The keys of a number.
fn pair(number: u16) -> Keypair {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&number.to_le_bytes());
    Keypair::from_seed(&seed)
}

fn miner(number: u8) -> AccountId {
    AccountId([number + 1; 32])
}

fn policy(required: usize) -> AgreementPolicy {
    AgreementPolicy {
        required,
        lag_blocks_max: 40,
        // Blocks come faster than they say.
        clock_skew_max: Duration::from_secs(86_400),
        limits: RpcLimits {
            connect: Duration::from_secs(2),
            call: Duration::from_millis(700),
            attempts: 2,
            back_off: Duration::from_millis(10),
            ..RpcLimits::default()
        },
        question: Duration::from_secs(3),
        // A third of a second is an era here.
        grace: Duration::from_millis(100),
        ..AgreementPolicy::default()
    }
}

fn limits() -> DriveLimits {
    DriveLimits {
        block_time_ms: BLOCK_TIME_MS,
        errors_max: 60,
        silent_pauses_max: 400,
        // A third of a second is an era here: what a busy machine takes to sign is no reason to ask again.
        birth_age_blocks_max: ERA_PERIOD_BLOCKS,
    }
}

/// A chain whose blocks come by themselves, with so many validators behind the miners.
fn chain(validators: u16, commit_reveal: bool, edit: impl FnOnce(&mut ChainConfig)) -> Chain {
    let mut neurons: Vec<_> = (0..MINERS).map(|at| Neuron::miner(miner(at).0)).collect();
    neurons.extend((0..validators).map(|at| Neuron::validator(pair(at).account().0)));
    let subnet = SubnetConfig {
        netuid: NETUID,
        neurons,
        commit_reveal,
        ..SubnetConfig::default()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut config = ChainConfig {
        blocks: Blocks::Every(Duration::from_millis(u64::from(BLOCK_TIME_MS / FASTER))),
        start_ms: now.expect("after 1970").as_millis() as u64,
        block_time_ms: u64::from(BLOCK_TIME_MS),
        kept_states: 4_096,
        subnets: vec![subnet],
        ..ChainConfig::default()
    };
    edit(&mut config);
    let chain = Chain::start(config);
    chain.produce_to(10);
    chain
}

fn connect(urls: &[String], required: usize) -> Result<Endpoints, AgreeError> {
    let profile = Profile::local(NETUID, urls.to_vec());
    Endpoints::connect(&profile, urls, policy(required))
}

/// The uid of a validator.
fn uid(number: u16) -> u16 {
    u16::from(MINERS) + number
}

/// The one intent of a status.
fn only(status: &Status) -> (Word, String) {
    let [intent] = &status.intents[..] else {
        panic!("{} intents", status.intents.len());
    };
    (intent.word, intent.reason.clone())
}
