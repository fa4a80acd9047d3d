//! A chain in memory: blocks with all of their state, a pool, eras, nonces, finality that lags, forks, epochs that open commits, a beacon.

mod fault;
mod node;
mod runtime;

pub(super) use fault::{FAULTS, Fault};
pub(super) use node::{Kill, Node, ToyCipher};
pub(super) use runtime::World;

use crate::AccountId;
use crate::submission::*;
use crate::{BlockRef, Hash};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Blocks until one is final.
pub(super) const LAG: u64 = 3;
/// The runtime's version at first.
pub(super) const SPEC: u32 = 461;
/// quicknet's genesis, milliseconds: block 0's time.
const GENESIS_MS: u64 = 1_692_803_367_000;
/// Milliseconds between blocks.
pub(super) const BLOCK_MS: u32 = 12_000;
/// The first block that intents are made at.
pub(super) const START: u64 = 30;

pub(super) const HOTKEY: AccountId = AccountId([7; 32]);
pub(super) const UID: u16 = 2;

/// An extrinsic as the toy signs it.
#[derive(Clone, Debug)]
pub(super) struct Extrinsic {
    pub(super) hash: Hash,
    pub(super) call: Call,
    pub(super) order: Order,
    /// Not before this block.
    pub(super) held_until: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) at: BlockRef,
    pub(super) world: Rc<World>,
    pub(super) extrinsics: Vec<(Extrinsic, Outcome)>,
}

#[derive(Debug)]
pub(super) struct Toy {
    pub(super) blocks: Vec<Block>,
    pub(super) pool: Vec<Extrinsic>,
    pub(super) signed: BTreeMap<Hash, Extrinsic>,
    /// Every hash that was handed over, in order.
    pub(super) submitted: Vec<Hash>,
    pub(super) faults: Vec<Fault>,
    /// Faults that have had their turn.
    pub(super) spent: BTreeSet<usize>,
    pub(super) forks: u64,
    pub(super) calls: u64,
    /// The drive's clock.
    pub(super) now_ms: u64,
    /// How many blocks signing takes, the last first; then none.
    pub(super) slow_signatures: Vec<u64>,
    /// How long a signature may take.
    pub(super) signing_ms: u64,
    /// Whether commits fail when they open.
    pub(super) drops: bool,
    /// Blocks whose state is kept, back from the newest.
    pub(super) keeps: u64,
}

pub(super) type Shared = Rc<RefCell<Toy>>;

impl Toy {
    pub(super) fn new(commit_reveal: bool, faults: &[Fault]) -> Shared {
        let mut toy = Self {
            blocks: Vec::new(),
            pool: Vec::new(),
            signed: BTreeMap::new(),
            submitted: Vec::new(),
            faults: faults.to_vec(),
            spent: BTreeSet::new(),
            forks: 0,
            calls: 0,
            now_ms: 0,
            slow_signatures: Vec::new(),
            signing_ms: 0,
            drops: faults.contains(&Fault::SilentDrop),
            keeps: u64::MAX,
        };
        let mut world = World::new(commit_reveal);
        if faults.contains(&Fault::PulseMissing) {
            world.beacon_silent_from = 1;
        }
        if faults.contains(&Fault::JustSet) {
            world.last_update = START + LAG;
        }
        toy.blocks.push(Block {
            at: BlockRef {
                number: 0,
                hash: Hash::of(b"block 0"),
            },
            world: Rc::new(world),
            extrinsics: Vec::new(),
        });
        while toy.finalized() < START {
            toy.grow();
        }
        Rc::new(RefCell::new(toy))
    }

    pub(super) fn best(&self) -> &Block {
        self.blocks.last().expect("block 0")
    }

    pub(super) fn finalized(&self) -> u64 {
        self.best().at.number.saturating_sub(LAG)
    }

    pub(super) fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).expect("small"))
    }

    /// Whether a fault is there and has not had its turn; it has then.
    pub(super) fn once(&mut self, fault: Fault) -> bool {
        let at =
            (0..self.faults.len()).find(|at| self.faults[*at] == fault && !self.spent.contains(at));
        at.is_some_and(|at| self.spent.insert(at))
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// One more block, with what the pool has for it.
    pub(super) fn grow(&mut self) {
        let number = self.best().at.number + 1;
        let mut world = (*self.best().world).clone();
        world.begin_block(number, self.drops);
        let mut extrinsics = Vec::new();
        let pool = std::mem::take(&mut self.pool);
        for extrinsic in pool {
            if extrinsic.held_until > number {
                self.pool.push(extrinsic);
                continue;
            }
            if self.is_valid(&extrinsic, number, &world) {
                if self.has(Fault::TargetSwapped) && self.once(Fault::TargetSwapped) {
                    Rc::make_mut(&mut world.keys).insert(5, AccountId([99; 32]));
                }
                let fails = self.has(Fault::Fails) || self.once(Fault::FailsOnce);
                let outcome = world.dispatch(number, &extrinsic, fails, self.has(Fault::Fails));
                extrinsics.push((extrinsic, outcome));
            } else if self.may_be_valid_later(&extrinsic, number) {
                self.pool.push(extrinsic);
            }
        }
        let hash = Hash::of(format!("block {number} of fork {}", self.forks).as_bytes());
        self.blocks.push(Block {
            at: BlockRef { number, hash },
            world: Rc::new(world),
            extrinsics,
        });
    }

    fn is_valid(&self, extrinsic: &Extrinsic, number: u64, world: &World) -> bool {
        let Order {
            nonce,
            birth,
            era_period_blocks,
            spec_version,
            ..
        } = extrinsic.order;
        let born = self
            .block(birth.number)
            .is_some_and(|block| block.at == birth);
        born && number > birth.number
            && number < birth.number + era_period_blocks
            && spec_version == world.spec
            && nonce == world.nonce
    }

    fn may_be_valid_later(&self, extrinsic: &Extrinsic, number: u64) -> bool {
        number + 1 < extrinsic.order.birth.number + extrinsic.order.era_period_blocks
    }

    /// Takes back what is not final, `depth` blocks at most, and grows one more than that without the pool's help or with it.
    pub(super) fn fork(&mut self, depth: u64, keep: bool) {
        let depth = depth.min(LAG).min(self.best().at.number);
        self.forks += 1;
        let cut = self.blocks.len() - usize::try_from(depth).expect("small");
        let retracted = self.blocks.split_off(cut);
        let waiting = std::mem::take(&mut self.pool);
        for _ in 0..=depth {
            self.grow();
        }
        self.pool = waiting;
        if keep {
            let back = retracted.into_iter().flat_map(|block| block.extrinsics);
            self.pool.extend(back.map(|(extrinsic, _)| extrinsic));
        }
    }

    /// Lets go what was held for good, once its era is over by one block: the last blocks are replaced by others that have it.
    pub(super) fn fork_in(&mut self) {
        let best = self.best().at.number;
        let over = |e: &Extrinsic| best == e.order.birth.number + e.order.era_period_blocks;
        let held = |e: &&mut Extrinsic| e.held_until == u64::MAX && over(e);
        let Some(extrinsic) = self.pool.iter_mut().find(held) else {
            return;
        };
        extrinsic.held_until = 0;
        self.forks += 1;
        let cut = self.blocks.len() - usize::try_from(LAG).expect("small");
        self.blocks.truncate(cut);
        for _ in 0..=LAG {
            self.grow();
        }
    }

    /// Changes the state of the newest block, as an extrinsic of somebody else would.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut World)) {
        let newest = self.blocks.last_mut().expect("block 0");
        let mut world = (*newest.world).clone();
        change(&mut world);
        newest.world = Rc::new(world);
    }

    /// The time of a block, milliseconds since 1970.
    pub(super) fn time_ms(number: u64) -> u64 {
        GENESIS_MS + number * u64::from(BLOCK_MS)
    }
}
