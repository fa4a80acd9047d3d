//! The next block: what the runtime does first, then the extrinsics, then the header.

use super::pool::{Hold, Invalid, Waiting, nonce};
use super::{Notice, State};
use crate::block::{Applied, Block, Header};
use crate::events::{self, Event, Phase};
use crate::extrinsic::Extrinsic;
use crate::hex;
use crate::rules;
use crate::runtime::Key;
use crate::storage::Storage;
use parity_scale_codec::{Compact, Encode};
use scale_value::Value;
use serde_json::json;
use sp_crypto_hashing::blake2_256;

/// Pulses that the chain keeps.
const PULSES_KEPT: u64 = 400;

impl State {
    /// Makes a block on top of the best one, and returns its number.
    pub(super) fn produce(&mut self) -> u32 {
        let number = self.build(true);
        let best = self.best().clone();
        self.notify(&Notice::Head(best.hash));
        for applied in &best.applied {
            let status = json!({ "inBlock": hex::encode(&best.hash) });
            self.status(applied.hash, status);
        }
        self.advance_finality();
        self.revalidate();
        number
    }

    /// Adds a block; its listeners learn of it from the caller.
    pub(super) fn build(&mut self, with_extrinsics: bool) -> u32 {
        let parent = self.best().clone();
        let mut storage = self.best_storage().clone();
        let number = parent.header.number + 1;
        let time_ms = self.config.start_ms + u64::from(number) * self.config.block_time_ms;
        let mut events = Vec::new();
        storage.put(("System", "Number"), &[], number);
        storage.put(("System", "ParentHash"), &[], parent.hash);
        let parent_key = [Key::U32(number - 1)];
        storage.put(("System", "BlockHash"), &parent_key, parent.hash);
        for edit in std::mem::take(&mut self.edits) {
            edit(&mut storage, number);
        }
        for netuid in self.netuids() {
            let at = u64::from(number);
            let opened = rules::reveal::open(&mut storage, netuid, at, self.drop_reveals);
            events.extend(opened.into_iter().map(|e| (Phase::Initialization, e)));
            rules::epoch::step(&mut storage, netuid, at);
        }
        storage.put(("Timestamp", "Now"), &[], time_ms);
        self.store_pulses(&mut storage, time_ms);
        events.push((
            Phase::Extrinsic(0),
            Event::ExtrinsicSuccess { mandatory: true },
        ));
        let mut extrinsics = vec![inherent(&storage, time_ms)];
        let upgrade = self.upgrade.take();
        let mut applied = Vec::new();
        let alone = upgrade.as_ref().is_some_and(|new| !new.behind_extrinsics);
        if with_extrinsics && !alone {
            self.apply_all(
                &mut storage,
                number,
                &mut events,
                &mut extrinsics,
                &mut applied,
            );
        }
        if upgrade.is_some() {
            events.push((Phase::Extrinsic(0), Event::CodeUpdated));
        }
        let encoded = events::encode(storage.runtime(), &events);
        storage.put(("System", "EventCount"), &[], events.len() as u32);
        let key = storage.runtime().key(("System", "Events"), &[]);
        storage.put_raw(key, encoded);
        if let Some(new) = upgrade {
            // Behind everything: what the block stored is laid out by the old one.
            storage.upgrade(new.spec.runtime());
        }
        let header = Header {
            parent: parent.hash,
            number,
            state_root: storage.root(),
            extrinsics_root: blake2_256(&extrinsics.concat()),
            logs: self.logs(time_ms),
        };
        self.import(Block {
            hash: header.hash(),
            header,
            extrinsics,
            applied,
            storage: Some(storage),
        });
        number
    }

    fn store_pulses(&self, storage: &mut Storage, time_ms: u64) {
        let last: u64 = storage.get(("Drand", "LastStoredRound"), &[]);
        let mut newest = self.drand.newest_round(time_ms);
        if let Some(missed) = self.missed_from {
            newest = newest.min(missed.saturating_sub(1));
        }
        for round in last + 1..=newest {
            storage.put_pulse(round);
            if let Some(old) = round.checked_sub(PULSES_KEPT) {
                storage.remove(crate::storage::PULSES, &[Key::U64(old)]);
            }
        }
        if newest > last {
            storage.put(("Drand", "LastStoredRound"), &[], newest);
        }
    }

    fn apply_all(
        &mut self,
        storage: &mut Storage,
        number: u32,
        events: &mut Vec<(Phase, Event)>,
        extrinsics: &mut Vec<Vec<u8>>,
        applied: &mut Vec<Applied>,
    ) {
        while let Some(extrinsic) = self.next_ready(storage, number) {
            let hash = extrinsic.hash;
            if let Err(invalid) = self.validate(storage, &extrinsic, number) {
                self.drop_extrinsic(hash, "invalid", &format!("{invalid:?}"));
                continue;
            }
            self.pool
                .waiting
                .retain(|waiting| waiting.extrinsic.hash != hash);
            self.pool.banned.insert(hash);
            let phase = Phase::Extrinsic(extrinsics.len() as u32);
            let (who, at) = (extrinsic.account, u64::from(number));
            put_nonce(storage, who, extrinsic.nonce + 1);
            let result = rules::dispatch(storage, who, &extrinsic.call, at);
            let fee = (phase, Event::FeePaid { who });
            let error = match result {
                Ok(left) => {
                    events.extend(left.into_iter().map(|event| (phase, event)));
                    events.push(fee);
                    let success = Event::ExtrinsicSuccess { mandatory: false };
                    events.push((phase, success));
                    None
                }
                Err(error) => {
                    events.push(fee);
                    events.push((phase, Event::ExtrinsicFailed { error }));
                    Some(error.to_owned())
                }
            };
            extrinsics.push(extrinsic.bytes.clone());
            applied.push(Applied {
                hash,
                account: who,
                nonce: extrinsic.nonce,
                call: extrinsic.call.name().to_owned(),
                block_number: number,
                error,
            });
        }
    }

    /// The first extrinsic that waits and may be in the block.
    fn next_ready(&self, storage: &Storage, number: u32) -> Option<Extrinsic> {
        let ready = |waiting: &&Waiting| {
            let free = match waiting.hold {
                Hold::None => true,
                Hold::Until(block_number) => number >= block_number,
                Hold::Swallowed => false,
            };
            free && waiting.extrinsic.nonce <= nonce(storage, waiting.extrinsic.account)
        };
        let waiting = self.pool.waiting.iter().find(ready)?;
        Some(waiting.extrinsic.clone())
    }

    /// Drops what has become invalid.
    pub(super) fn revalidate(&mut self) {
        let storage = self.best_storage().clone();
        let number = self.best_number() + 1;
        let invalid: Vec<([u8; 32], Invalid)> = self
            .pool
            .waiting
            .iter()
            .filter_map(|waiting| {
                let valid = self.validate(&storage, &waiting.extrinsic, number);
                Some((waiting.extrinsic.hash, valid.err()?))
            })
            .collect();
        for (hash, invalid) in invalid {
            self.drop_extrinsic(hash, "invalid", &format!("{invalid:?}"));
        }
    }
}

/// The extrinsic that sets the block's time: bare, format 5.
fn inherent(storage: &Storage, time_ms: u64) -> Vec<u8> {
    let call = Value::unnamed_variant(
        "Timestamp",
        [Value::named_variant(
            "set",
            [("now", Value::u128(u128::from(time_ms)))],
        )],
    );
    let runtime = storage.runtime();
    let call = runtime.encode_value(&call, runtime.metadata().outer_enums().call_enum_ty());
    let mut bytes = Compact(call.len() as u32 + 1).encode();
    bytes.push(5);
    bytes.extend(call);
    bytes
}

fn put_nonce(storage: &mut Storage, account: [u8; 32], nonce: u32) {
    let number = |number: u64| Value::u128(u128::from(number));
    let info = Value::named_composite([
        ("nonce", number(u64::from(nonce))),
        ("consumers", number(0)),
        ("providers", number(1)),
        ("sufficients", number(0)),
        (
            "data",
            Value::named_composite([
                ("free", number(0)),
                ("reserved", number(0)),
                ("frozen", number(0)),
                ("flags", Value::u128(1 << 127)),
            ]),
        ),
    ]);
    storage.put(("System", "Account"), &[Key::Account(account)], info);
}
