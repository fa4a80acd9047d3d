//! A drive's questions, asked of all nodes.

use super::Landing;
use super::convert::outcome;
use super::era::era_is_remembered;
use super::look::{
    ARCHIVES, Discarded, find, in_one_line, of_discarded, of_hash, of_timelocked, unavailable,
};
use super::submit::submit_to_each;
use crate::node::{
    AgreeError, Agreed, Era, ExtrinsicContext, ExtrinsicError, Head, ReadError, Snapshot, Unsigned,
    WeightsCall, WeightsEvent, storage_index,
};
use crate::submission::{
    Account, Call, Chain, ChainError, CommitSet, Heads, Intent, Method, Order, Outcome, Place,
    Refusal, Row,
};
use crate::timelock::{BeaconSignature, EpochState};
use crate::{BlockRef, Hash};
use std::fmt::Debug;

impl Landing<'_> {
    /// An agreed answer, and who was left out of it told.
    fn agreed<T>(
        &mut self,
        number: u64,
        result: Result<Agreed<T>, AgreeError>,
    ) -> Result<T, ChainError> {
        match result {
            Ok(agreed) => {
                self.note(&agreed.excluded);
                Ok(agreed.value)
            }
            Err(error) => {
                let discarded = of_discarded(&error);
                if discarded == Discarded::TooMany {
                    return Err(ChainError::Pruned { number });
                }
                self.note(error.excluded());
                let mut why = in_one_line(&error);
                if discarded == Discarded::Somebody {
                    why = format!("{why}; {ARCHIVES}");
                }
                Err(ChainError::Unavailable { why })
            }
        }
    }

    fn read<T: PartialEq + Clone + Debug + Send>(
        &mut self,
        at: BlockRef,
        what: &'static str,
        ask: impl Fn(&Snapshot<'_>) -> Result<T, ReadError> + Sync,
    ) -> Result<T, ChainError> {
        let answer = self.endpoints.read_at(at, what, ask);
        self.agreed(at.number, answer)
    }
}

impl Chain for Landing<'_> {
    fn genesis(&mut self) -> Result<Hash, ChainError> {
        Ok(self.endpoints.genesis())
    }

    fn heads(&mut self) -> Result<Heads, ChainError> {
        // Nodes may be on different branches of what is not final; then the final block is the best that all have.
        let pinned = match self.endpoints.pin(Head::Best) {
            Ok(pinned) => pinned,
            Err(error) if !error.is_of_a_fork() => return Err(unavailable(&error)),
            Err(_) => self
                .endpoints
                .pin(Head::Finalized)
                .map_err(|error| unavailable(&error))?,
        };
        let heads = Heads {
            best: pinned.block,
            finalized: pinned.finalized,
        };
        let excluded = pinned.excluded;
        self.note(&excluded);
        Ok(heads)
    }

    fn account(&mut self, intent: &Intent, at: BlockRef) -> Result<Account, ChainError> {
        let (uids, _) = intent.vectors();
        let (netuid, hotkey, index) = (intent.netuid, intent.hotkey, intent.storage_index());
        self.read(at, "what an attempt depends on", |snapshot| {
            let parameters = snapshot.subnet(netuid)?;
            let uid = snapshot.uid(netuid, hotkey)?;
            let last_update = match uid {
                Some(uid) => snapshot.last_update(index, uid)?.unwrap_or_default(),
                None => 0,
            };
            // A runtime that counts epochs by the tempo alone has none of these; no commit is made under it.
            let epoch = parameters.epoch_state().unwrap_or(EpochState {
                last_epoch_block: 0,
                pending_epoch_at: 0,
                subnet_epoch_index: 0,
                tempo: 0,
                blocks_since_last_step: parameters.blocks_since_last_step,
                block_number: at.number,
            });
            Ok(Account {
                at,
                time_ms: snapshot.timestamp_ms()?,
                nonce: snapshot.account(hotkey)?.nonce,
                spec_version: snapshot.capabilities().runtime().version().spec_version,
                uid,
                last_update,
                rate_limit_blocks: parameters.weights_set_rate_limit_blocks,
                commit_reveal_enabled: parameters.commit_reveal_enabled,
                reveal_period_epochs: parameters.reveal_period_epochs,
                epoch,
                target_hotkeys: snapshot.hotkeys(netuid, &uids)?,
            })
        })
    }

    fn signing_ms(&self) -> u64 {
        u64::try_from(self.signer.time_limit().as_millis()).unwrap_or(u64::MAX)
    }

    fn sign(&mut self, intent: &Intent, call: &Call, order: &Order) -> Result<Vec<u8>, ChainError> {
        if self.signer.account() != intent.hotkey {
            let (found, expected) = (self.signer.account(), intent.hotkey);
            let why = format!("the signer holds {found}, the intent is {expected}'s");
            return Err(ChainError::Sign { why });
        }
        let call = WeightsCall::from(call);
        let context = ExtrinsicContext {
            nonce: order.nonce,
            era: Era::mortal(order.era_period_blocks, order.birth.number),
            birth_hash: order.birth.hash,
            genesis: self.endpoints.genesis(),
            tip: 0,
        };
        // What is signed is what enough nodes' metadata make of the call, all of its bytes.
        let time_limit = self.signer.time_limit();
        let (spec_version, unsigned) = self.read(order.birth, "the call's bytes", |snapshot| {
            let capabilities = snapshot.capabilities();
            let spec_version = capabilities.runtime().version().spec_version;
            let bytes = era_is_remembered(capabilities, order.era_period_blocks, time_limit);
            let bytes = bytes.and_then(|()| {
                let unsigned = Unsigned::new(capabilities, &call, &context);
                unsigned.map_err(|error| in_one_line(&error))
            });
            Ok((spec_version, bytes))
        })?;
        if spec_version != order.spec_version {
            let why = format!(
                "block {} has runtime {spec_version}, the order is for {}",
                order.birth.number, order.spec_version
            );
            return Err(ChainError::Unavailable { why });
        }
        let unsigned: Unsigned = unsigned.map_err(|why| ChainError::Sign { why })?;
        let signed = unsigned.sign(self.signer);
        let signed = signed.map_err(|error: ExtrinsicError| ChainError::Sign {
            why: in_one_line(&error),
        })?;
        Ok(signed.bytes)
    }

    fn submit(&mut self, extrinsic: &[u8]) -> Result<Result<(), Refusal>, ChainError> {
        submit_to_each(self.endpoints, extrinsic)
    }

    fn find(
        &mut self,
        hash: Hash,
        from: u64,
        to: u64,
        tip: BlockRef,
    ) -> Result<Option<Place>, ChainError> {
        let answer = self.endpoints.ask("where the extrinsic is", |node| {
            find(node, hash, (from, to), tip)
        });
        let Some(block) = self.agreed(to, answer)? else {
            return Ok(None);
        };
        // By itself: nodes that do not keep the block's events any more still know where it is.
        let answer = self.endpoints.ask("what became of the extrinsic", |node| {
            let found = node.inclusion(block.hash, &hash)?;
            Ok(outcome(found.and_then(|found| found.dispatch)))
        });
        let outcome = match self.agreed(block.number, answer) {
            Err(ChainError::Pruned { .. }) => Outcome::Unknown,
            answer => answer?,
        };
        Ok(Some(Place { block, outcome }))
    }

    fn row(&mut self, intent: &Intent, at: BlockRef) -> Result<Row, ChainError> {
        let (uids, _) = intent.vectors();
        let (netuid, hotkey, index) = (intent.netuid, intent.hotkey, intent.storage_index());
        self.read(at, "the row of weights", |snapshot| {
            let uid = snapshot.uid(netuid, hotkey)?;
            let (last_update, row) = match uid {
                Some(uid) => (
                    snapshot.last_update(index, uid)?.unwrap_or_default(),
                    snapshot.weights_row(index, uid)?,
                ),
                None => (0, Vec::new()),
            };
            Ok(Row {
                at,
                uid,
                last_update,
                row,
                target_hotkeys: snapshot.hotkeys(netuid, &uids)?,
            })
        })
    }

    fn commits(&mut self, intent: &Intent, at: u64) -> Result<CommitSet, ChainError> {
        let block = self.endpoints.block_at(at);
        let at: BlockRef = self.agreed(at, block)?;
        let (hotkey, index) = (intent.hotkey, intent.storage_index());
        let hashed = matches!(intent.method, Method::HashCommit { .. });
        let commits = self.read(at, "commits that wait", |snapshot| {
            let pending = snapshot.pending_commits(index, hotkey)?;
            Ok(match hashed {
                true => pending.hashed.iter().map(of_hash).collect(),
                false => pending.timelocked.iter().map(of_timelocked).collect(),
            })
        })?;
        Ok(CommitSet { at, commits })
    }

    fn reveals(&mut self, intent: &Intent, at: BlockRef) -> Result<u32, ChainError> {
        let expected = WeightsEvent::TimelockedRevealed {
            hotkey: intent.hotkey,
            storage_index: storage_index(intent.netuid, intent.mechanism).unwrap_or_default(),
        };
        self.read(at, "the block's events", |snapshot| {
            let events = snapshot.events()?;
            let own = events
                .iter()
                .filter(|event| event.about_weights().as_ref() == Some(&expected));
            Ok(u32::try_from(own.count()).unwrap_or(u32::MAX))
        })
    }

    fn pulse(&mut self, round: u64, at: BlockRef) -> Result<Option<BeaconSignature>, ChainError> {
        self.read(at, "the beacon's pulse", |snapshot| {
            snapshot.pulse_signature(round)
        })
    }
}
