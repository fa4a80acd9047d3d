//! The chain: blocks, a pool, and what tests ask and do. Endpoints ([`crate::Node`]) share it.
//!
//! | module | is about |
//! |---|---|
//! | `pool` | extrinsics that wait, and why one is refused |
//! | `produce` | the next block |
//! | `faults` | forks, upgrades, and neurons that come and go |
//! | `report` | what was submitted, what was applied, what storage says |

mod faults;
mod pool;
mod produce;
mod report;

use crate::block::{Block, Header, slot_log};
use crate::config::{Blocks, ChainConfig};
use crate::drand::Drand;
use crate::fault::ChainFault;
use crate::genesis;
use crate::hex;
use crate::runtime::Spec;
use crate::storage::Storage;
pub(crate) use pool::Hold;
use pool::Pool;
pub(crate) use pool::nonce;
pub use report::Submission;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};

/// A change that a test makes in the next block.
type Edit = Box<dyn FnOnce(&mut Storage, u32) + Send>;

/// What connections tell their subscribers.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// A new best block.
    Head([u8; 32]),
    /// A block became final.
    Final([u8; 32]),
    /// Another runtime.
    Runtime,
    /// An extrinsic's status.
    Status([u8; 32], Json),
}

/// A chain. Clones are the same one.
#[derive(Clone)]
pub struct Chain(Arc<Mutex<State>>);

pub(crate) struct State {
    pub(crate) config: ChainConfig,
    pub(crate) drand: Arc<Drand>,
    blocks: HashMap<[u8; 32], Arc<Block>>,
    /// Hashes by number, up to the best block.
    canonical: Vec<[u8; 32]>,
    finalized: u32,
    finality_stalled: bool,
    pool: Pool,
    edits: Vec<Edit>,
    upgrade: Option<Upgrade>,
    drop_reveals: bool,
    missed_from: Option<u64>,
    /// Makes blocks of a fork differ from those they replace.
    forks: u64,
    listeners: Vec<Sender<Notice>>,
    submissions: Vec<Submission>,
    dropped: Vec<([u8; 32], String)>,
}

/// A runtime that the next block sets.
struct Upgrade {
    spec: Spec,
    behind_extrinsics: bool,
}

impl Chain {
    /// A chain with its genesis and one block.
    pub fn start(config: ChainConfig) -> Self {
        let drand = Arc::new(Drand::new(
            config.drand_seed,
            config.drand_genesis_s,
            config.drand_period_s,
        ));
        let storage = genesis::storage(&config, &drand);
        let header = Header {
            parent: [0; 32],
            number: 0,
            state_root: storage.root(),
            extrinsics_root: sp_crypto_hashing::blake2_256(&[]),
            logs: Vec::new(),
        };
        let hash = header.hash();
        let genesis = Block {
            header,
            hash,
            extrinsics: Vec::new(),
            applied: Vec::new(),
            storage: Some(storage),
        };
        let blocks = config.blocks;
        let state = State {
            config,
            drand,
            blocks: HashMap::from([(hash, Arc::new(genesis))]),
            canonical: vec![hash],
            finalized: 0,
            finality_stalled: false,
            pool: Pool::default(),
            edits: Vec::new(),
            upgrade: None,
            drop_reveals: false,
            missed_from: None,
            forks: 0,
            listeners: Vec::new(),
            submissions: Vec::new(),
            dropped: Vec::new(),
        };
        let chain = Self(Arc::new(Mutex::new(state)));
        chain.produce_block();
        if let Blocks::Every(interval) = blocks {
            let state = Arc::downgrade(&chain.0);
            std::thread::spawn(move || {
                loop {
                    std::thread::sleep(interval);
                    match state.upgrade() {
                        Some(state) => Self(state).produce_block(),
                        None => return,
                    };
                }
            });
        }
        chain
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no thread panicked with the chain")
    }

    /// Makes the next block now, and returns its number.
    pub fn produce_block(&self) -> u32 {
        self.lock().produce()
    }

    /// Makes blocks until one has this number.
    pub fn produce_to(&self, block_number: u32) {
        while self.best_number() < block_number {
            self.produce_block();
        }
    }

    /// Lets something go wrong from the next block on.
    pub fn inject(&self, fault: ChainFault) {
        self.lock().inject(fault);
    }

    /// Changes storage at the beginning of the next block, whose number is the second argument.
    pub fn edit(&self, change: impl FnOnce(&mut Storage, u32) + Send + 'static) {
        self.lock().edits.push(Box::new(change));
    }

    /// Block 0's hash.
    pub fn genesis_hash(&self) -> [u8; 32] {
        self.lock().canonical[0]
    }

    /// The best block's number.
    pub fn best_number(&self) -> u32 {
        self.lock().best_number()
    }

    /// The newest final block's number.
    pub fn finalized_number(&self) -> u32 {
        self.lock().finalized
    }

    /// Storage after the best block.
    pub fn storage(&self) -> Storage {
        self.lock().best_storage().clone()
    }

    /// The canonical block with a number.
    pub fn block(&self, block_number: u32) -> Option<Arc<Block>> {
        let state = self.lock();
        let hash = state.hash_at(block_number)?;
        state.block(hash)
    }

    /// The beacon whose pulses the chain stores.
    pub fn drand(&self) -> Arc<Drand> {
        self.lock().drand.clone()
    }

    pub(crate) fn listen(&self) -> Receiver<Notice> {
        let (sender, receiver) = channel();
        self.lock().listeners.push(sender);
        receiver
    }
}

impl State {
    pub(crate) fn best_number(&self) -> u32 {
        self.canonical.len() as u32 - 1
    }

    pub(crate) fn finalized_number(&self) -> u32 {
        self.finalized
    }

    pub(crate) fn hash_at(&self, block_number: u32) -> Option<[u8; 32]> {
        self.canonical.get(block_number as usize).copied()
    }

    pub(crate) fn block(&self, hash: [u8; 32]) -> Option<Arc<Block>> {
        self.blocks.get(&hash).cloned()
    }

    fn best(&self) -> &Arc<Block> {
        &self.blocks[self.canonical.last().expect("a genesis")]
    }

    pub(crate) fn best_storage(&self) -> &Storage {
        let storage = self.best().storage.as_ref();
        storage.expect("the best block's storage is kept")
    }

    pub(crate) fn netuids(&self) -> Vec<u16> {
        self.config
            .subnets
            .iter()
            .map(|subnet| subnet.netuid)
            .collect()
    }

    fn notify(&mut self, notice: &Notice) {
        self.listeners
            .retain(|listener| listener.send(notice.clone()).is_ok());
    }

    fn status(&mut self, hash: [u8; 32], status: Json) {
        self.notify(&Notice::Status(hash, status));
    }

    /// Adds a block on top of the best one.
    fn import(&mut self, block: Block) {
        let runtime_before = self.best_storage().runtime().spec();
        let runtime_after = block.storage.as_ref().map(|s| s.runtime().spec());
        self.canonical.push(block.hash);
        self.blocks.insert(block.hash, Arc::new(block));
        let kept = self.config.kept_states as usize;
        if let Some(old) = self.canonical.len().checked_sub(kept + 1)
            && let Some(block) = self.blocks.get_mut(&self.canonical[old])
        {
            Arc::make_mut(block).storage = None;
        }
        if runtime_after != Some(runtime_before) {
            self.notify(&Notice::Runtime);
        }
    }

    fn advance_finality(&mut self) {
        if self.finality_stalled {
            return;
        }
        let target = self.best_number().saturating_sub(self.config.finality_lag);
        while self.finalized < target {
            self.finalized += 1;
            let hash = self.canonical[self.finalized as usize];
            self.notify(&Notice::Final(hash));
            for applied in self.blocks[&hash].applied.clone() {
                let status = serde_json::json!({ "finalized": hex::encode(&hash) });
                self.status(applied.hash, status);
            }
        }
    }

    /// The digest of the next block: its slot.
    fn logs(&self, time_ms: u64) -> Vec<Vec<u8>> {
        vec![slot_log(
            time_ms / self.config.block_time_ms.max(1) + self.forks,
        )]
    }
}
