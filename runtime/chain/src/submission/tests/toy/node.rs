//! A node of the toy chain as a driver sees it, with the faults of nodes.

use super::*;
use crate::timelock::{Beacon, BeaconSignature};
use crate::{BlockRef, Hash};
use std::sync::LazyLock;

/// When the process dies, counted over all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::submission::tests) enum Kill {
    Never,
    /// Before the call of this number has an effect.
    BeforeCall(u64),
    /// After it, before anybody learns of it.
    AfterCall(u64),
}

/// A connection to the chain, and the clock that goes with it.
#[derive(Debug)]
pub(in crate::submission::tests) struct Node {
    pub(in crate::submission::tests) toy: Shared,
    pub(in crate::submission::tests) kill: Kill,
    pub(in crate::submission::tests) dead: Rc<RefCell<bool>>,
}

impl Node {
    /// Counts a call; fails if the process dies at it.
    fn enter(&self) -> Result<u64, ChainError> {
        let mut toy = self.toy.borrow_mut();
        toy.calls += 1;
        if self.kill == Kill::BeforeCall(toy.calls) {
            *self.dead.borrow_mut() = true;
        }
        let flaky = toy.has(Fault::Flaky) && toy.calls.is_multiple_of(3);
        if *self.dead.borrow() || flaky {
            return Err(ChainError::Unavailable { why: "toy".into() });
        }
        Ok(toy.calls)
    }

    fn leave<T>(&self, call: u64, value: T) -> Result<T, ChainError> {
        if self.kill == Kill::AfterCall(call) {
            *self.dead.borrow_mut() = true;
            return Err(ChainError::Unavailable { why: "toy".into() });
        }
        Ok(value)
    }

    fn world(&self, number: u64, hash: Option<Hash>) -> Result<(BlockRef, Rc<World>), ChainError> {
        let toy = self.toy.borrow();
        let block = toy.block(number);
        let block = block.filter(|block| hash.is_none_or(|hash| block.at.hash == hash));
        let Some(block) = block else {
            return Err(ChainError::Unavailable {
                why: "no such block".into(),
            });
        };
        if toy.best().at.number - number >= toy.keeps {
            return Err(ChainError::Pruned { number });
        }
        Ok((block.at, block.world.clone()))
    }
}

fn target_hotkeys(intent: &Intent, world: &World) -> Vec<Option<AccountId>> {
    let targets = intent.targets.iter();
    targets.map(|t| world.keys.get(&t.uid).copied()).collect()
}

impl Chain for Node {
    fn genesis(&mut self) -> Result<Hash, ChainError> {
        let call = self.enter()?;
        let genesis = self.toy.borrow().blocks[0].at.hash;
        self.leave(call, genesis)
    }

    fn heads(&mut self) -> Result<Heads, ChainError> {
        let call = self.enter()?;
        let toy = self.toy.borrow();
        let back = match toy.has(Fault::Lagging) && call.is_multiple_of(2) {
            true => 6,
            false => 0,
        };
        let number = toy.best().at.number - back;
        let at = |number: u64| toy.block(number).expect("there").at;
        let heads = Heads {
            best: at(number),
            finalized: at(number - LAG),
        };
        self.leave(call, heads)
    }

    fn account(&mut self, intent: &Intent, at: BlockRef) -> Result<Account, ChainError> {
        let call = self.enter()?;
        let (at, world) = self.world(at.number, Some(at.hash))?;
        let account = Account {
            at,
            time_ms: Toy::time_ms(at.number),
            nonce: world.nonce,
            spec_version: world.spec,
            uid: world.uid,
            last_update: world.uid.map_or(0, |_| world.last_update),
            rate_limit_blocks: world.rate_limit,
            commit_reveal_enabled: world.commit_reveal,
            reveal_period_epochs: world.period,
            epoch: world.epoch,
            target_hotkeys: target_hotkeys(intent, &world),
        };
        self.leave(call, account)
    }

    fn signing_ms(&self) -> u64 {
        self.toy.borrow().signing_ms
    }

    fn sign(&mut self, _: &Intent, call: &Call, order: &Order) -> Result<Vec<u8>, ChainError> {
        let count = self.enter()?;
        let mut toy = self.toy.borrow_mut();
        for _ in 0..toy.slow_signatures.pop().unwrap_or_default() {
            toy.grow();
            toy.now_ms += u64::from(BLOCK_MS);
        }
        // Signatures are random, so no two extrinsics are alike.
        let bytes = format!("{call:?} {order:?} {}", toy.signed.len()).into_bytes();
        let extrinsic = Extrinsic {
            hash: Hash::of(&bytes),
            call: call.clone(),
            order: *order,
            held_until: 0,
        };
        toy.signed.insert(extrinsic.hash, extrinsic);
        self.leave(count, bytes)
    }

    fn submit(&mut self, extrinsic: &[u8]) -> Result<Result<(), Refusal>, ChainError> {
        let call = self.enter()?;
        let mut toy = self.toy.borrow_mut();
        let hash = Hash::of(extrinsic);
        let mut extrinsic = toy.signed[&hash].clone();
        toy.submitted.push(hash);
        let refusal = |kind, custom| {
            Err(Refusal {
                kind,
                code: 1010,
                custom: Some(custom),
                message: "Invalid Transaction".into(),
            })
        };
        if toy.has(Fault::RefusedForGood) {
            return self.leave(call, refusal(RefusalKind::Permanent, 19));
        }
        if toy.once(Fault::RefusedPassing) {
            return self.leave(call, refusal(RefusalKind::Passing, 6));
        }
        if toy.once(Fault::Lost) {
            return self.leave(call, Ok(()));
        }
        if toy.once(Fault::Late) {
            extrinsic.held_until = extrinsic.order.birth.number + ERA_PERIOD_BLOCKS - 1;
        }
        if toy.once(Fault::ForkIn) {
            extrinsic.held_until = u64::MAX;
        }
        if toy.once(Fault::Upgrade) {
            toy.change(|world| world.spec += 1);
        }
        if toy.once(Fault::NonceTaken) {
            toy.change(|world| world.nonce += 1);
        }
        if toy.once(Fault::Deregistered) {
            toy.change(|world| world.uid = None);
        }
        toy.pool.push(extrinsic);
        if toy.once(Fault::RefusedAndTaken) {
            return self.leave(call, refusal(RefusalKind::Permanent, 19));
        }
        if toy.once(Fault::AnswerLost) {
            return Err(ChainError::Unavailable { why: "toy".into() });
        }
        self.leave(call, Ok(()))
    }

    fn find(
        &mut self,
        hash: Hash,
        from: u64,
        to: u64,
        tip: BlockRef,
    ) -> Result<Option<Place>, ChainError> {
        let call = self.enter()?;
        let mut toy = self.toy.borrow_mut();
        if !toy.best().extrinsics.is_empty() && toy.once(Fault::ForkMeanwhile) {
            toy.fork(1, true);
        }
        if toy.block(tip.number).is_none_or(|block| block.at != tip) {
            return Err(ChainError::Unavailable {
                why: "retracted".into(),
            });
        }
        let mut place = None;
        for number in from..=to {
            let block = toy.block(number).expect("up to the tip");
            let known = toy.best().at.number - number < toy.keeps;
            let here = block.extrinsics.iter().find(|(e, _)| e.hash == hash);
            if let Some((_, outcome)) = here {
                place = Some(Place {
                    block: block.at,
                    outcome: match known {
                        true => outcome.clone(),
                        false => Outcome::Unknown,
                    },
                });
            }
        }
        self.leave(call, place)
    }

    fn row(&mut self, intent: &Intent, at: BlockRef) -> Result<Row, ChainError> {
        let call = self.enter()?;
        let (at, world) = self.world(at.number, Some(at.hash))?;
        let row = Row {
            at,
            uid: world.uid,
            last_update: world.uid.map_or(0, |_| world.last_update),
            row: world.row.clone(),
            target_hotkeys: target_hotkeys(intent, &world),
        };
        self.leave(call, row)
    }

    fn commits(&mut self, intent: &Intent, at: u64) -> Result<CommitSet, ChainError> {
        let call = self.enter()?;
        let (at, world) = self.world(at, None)?;
        let commits = match intent.method {
            Method::HashCommit { .. } => world.hashes.clone(),
            _ => {
                let own = |(epoch, block, bytes, _): &(u64, u64, Vec<u8>, u64)| OwnCommit {
                    hash: Hash::of(bytes),
                    epoch: *epoch,
                    block_number: *block,
                };
                world.locked.iter().map(own).collect()
            }
        };
        self.leave(call, CommitSet { at, commits })
    }

    fn reveals(&mut self, _: &Intent, at: BlockRef) -> Result<u32, ChainError> {
        let call = self.enter()?;
        let (_, world) = self.world(at.number, Some(at.hash))?;
        self.leave(call, world.reveals)
    }

    fn pulse(&mut self, round: u64, at: BlockRef) -> Result<Option<BeaconSignature>, ChainError> {
        let call = self.enter()?;
        let (_, world) = self.world(at.number, Some(at.hash))?;
        let mut signature = BeaconSignature([0; 48]);
        signature.0[..8].copy_from_slice(&round.to_le_bytes());
        self.leave(call, (round <= world.last_round).then_some(signature))
    }
}

/// A cipher that hides nothing: the round, and the payload.
#[derive(Debug)]
pub(in crate::submission::tests) struct ToyCipher;

static BEACON: LazyLock<Beacon> = LazyLock::new(Beacon::quicknet);

impl Cipher for ToyCipher {
    fn beacon(&self) -> &Beacon {
        &BEACON
    }

    fn lock(&mut self, round: u64, payload: &[u8]) -> Result<Vec<u8>, String> {
        Ok([&round.to_le_bytes(), payload].concat())
    }

    fn unlock(&self, commit: &[u8], signature: &BeaconSignature) -> Result<Vec<u8>, String> {
        match commit[..8] == signature.0[..8] {
            true => Ok(commit[8..].to_vec()),
            false => Err("another round's".into()),
        }
    }
}
