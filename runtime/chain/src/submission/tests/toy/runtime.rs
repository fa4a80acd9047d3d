//! What blocks do to the state: the chain's rules for weights, as far as they decide anything here.

use super::*;
use crate::Hash;
use crate::timelock::{EpochState, WeightsPayload};

/// The state after a block, of one hotkey and mechanism.
#[derive(Clone, Debug)]
pub(in crate::submission::tests) struct World {
    pub(in crate::submission::tests) nonce: u32,
    pub(in crate::submission::tests) spec: u32,
    pub(in crate::submission::tests) uid: Option<u16>,
    pub(in crate::submission::tests) keys: Rc<BTreeMap<u16, AccountId>>,
    pub(in crate::submission::tests) row: Vec<(u16, u16)>,
    /// What set the row, and at which block: an extrinsic's or a commit's hash.
    pub(in crate::submission::tests) row_from: Option<(Hash, u64)>,
    pub(in crate::submission::tests) last_update: u64,
    pub(in crate::submission::tests) rate_limit: u64,
    pub(in crate::submission::tests) commit_reveal: bool,
    pub(in crate::submission::tests) epoch: EpochState,
    pub(in crate::submission::tests) period: u64,
    pub(in crate::submission::tests) hashes: Vec<OwnCommit>,
    /// Epoch, block, ciphertext, round.
    pub(in crate::submission::tests) locked: Vec<(u64, u64, Vec<u8>, u64)>,
    pub(in crate::submission::tests) reveals: u32,
    /// No round comes on chain in blocks from this one on, and before `beacon_back_from`.
    pub(in crate::submission::tests) beacon_silent_from: u64,
    pub(in crate::submission::tests) beacon_back_from: u64,
    pub(in crate::submission::tests) last_round: u64,
}

impl World {
    pub(super) fn new(commit_reveal: bool) -> Self {
        Self {
            nonce: 4,
            spec: SPEC,
            uid: Some(UID),
            keys: Rc::new(
                (0..8)
                    .map(|uid| (uid, AccountId([uid as u8; 32])))
                    .collect(),
            ),
            row: vec![(0, 65_535)],
            row_from: None,
            last_update: 3,
            rate_limit: 10,
            commit_reveal,
            epoch: EpochState {
                last_epoch_block: 0,
                pending_epoch_at: 0,
                subnet_epoch_index: 5,
                tempo: 12,
                blocks_since_last_step: 0,
                block_number: 0,
            },
            period: 1,
            hashes: Vec::new(),
            locked: Vec::new(),
            reveals: 0,
            beacon_silent_from: u64::MAX,
            beacon_back_from: u64::MAX,
            last_round: 1,
        }
    }

    /// What happens before extrinsics: commits open, the epoch runs; and the pulse, which comes after both.
    pub(super) fn begin_block(&mut self, number: u64, drops: bool) {
        self.reveals = 0;
        let epoch = self.epoch.opened_epoch(number);
        let due = epoch.saturating_sub(self.period);
        self.locked.retain(|(epoch, ..)| *epoch >= due);
        let commits = std::mem::take(&mut self.locked);
        for commit in commits {
            if commit.0 != due || commit.3 > self.last_round {
                self.locked.push(commit);
                continue;
            }
            let payload = WeightsPayload::decode(&commit.2[8..]).expect("own payloads");
            let opened = payload.hotkey == HOTKEY && !drops;
            if opened && self.set(&payload.uids, &payload.values).is_ok() {
                self.reveals += 1;
                self.row_from = Some((Hash::of(&commit.2), number));
            }
        }
        self.epoch.blocks_since_last_step += 1;
        if epoch > self.epoch.subnet_epoch_index {
            self.epoch.subnet_epoch_index = epoch;
            self.epoch.last_epoch_block = number;
            self.epoch.blocks_since_last_step = 0;
        }
        self.epoch.block_number = number;
        let silent = (self.beacon_silent_from..self.beacon_back_from).contains(&number);
        if !silent {
            self.last_round = (Toy::time_ms(number) - GENESIS_MS) / 3_000;
        }
    }

    /// An extrinsic's call. Its nonce is used whatever comes of it.
    pub(super) fn dispatch(
        &mut self,
        number: u64,
        extrinsic: &Extrinsic,
        fails: bool,
        for_good: bool,
    ) -> Outcome {
        self.nonce += 1;
        if fails {
            let error = match for_good {
                true => "NeuronNoValidatorPermit",
                false => "SettingWeightsTooFast",
            };
            return Outcome::Failed {
                error: error.into(),
            };
        }
        match self.call(number, extrinsic) {
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Failed {
                error: error.into(),
            },
        }
    }

    fn call(&mut self, number: u64, extrinsic: &Extrinsic) -> Result<(), &'static str> {
        self.uid.ok_or("HotKeyNotRegisteredInSubNet")?;
        let last_update = self.last_update;
        let soon = last_update != 0 && number - last_update < self.rate_limit;
        let epoch = self.epoch.subnet_epoch_index;
        match &extrinsic.call {
            Call::Set { uids, values, .. } => {
                if self.commit_reveal {
                    return Err("CommitRevealEnabled");
                }
                if soon {
                    return Err("SettingWeightsTooFast");
                }
                self.set(uids, values)?;
                self.row_from = Some((extrinsic.hash, number));
                self.last_update = number;
            }
            Call::CommitHash { hash, .. } => {
                self.commit_allowed(soon)?;
                self.hashes.push(OwnCommit {
                    hash: *hash,
                    epoch,
                    block_number: number,
                });
                self.last_update = number;
            }
            Call::CommitTimelocked { commit, round, .. } => {
                self.commit_allowed(soon)?;
                self.locked.push((epoch, number, commit.clone(), *round));
                self.last_update = number;
            }
            Call::Reveal {
                netuid,
                uids,
                values,
                salt,
                version_key,
                ..
            } => {
                let hashed = (HOTKEY.0, *netuid, uids, values, salt, *version_key);
                let hash = Hash::of(&parity_scale_codec::Encode::encode(&hashed));
                let at = self.hashes.iter().position(|own| own.hash == hash);
                let at = at.ok_or("NoWeightsCommitFound")?;
                let due = self.hashes[at].epoch + self.period;
                match due.cmp(&epoch) {
                    std::cmp::Ordering::Less => return Err("ExpiredWeightCommit"),
                    std::cmp::Ordering::Greater => return Err("RevealTooEarly"),
                    std::cmp::Ordering::Equal => {}
                }
                self.set(uids, values)?;
                self.hashes.drain(..=at);
                self.row_from = Some((extrinsic.hash, number));
            }
        }
        Ok(())
    }

    fn commit_allowed(&self, soon: bool) -> Result<(), &'static str> {
        match (self.commit_reveal, soon) {
            (false, _) => Err("CommitRevealDisabled"),
            (true, true) => Err("CommittingWeightsTooFast"),
            (true, false) => Ok(()),
        }
    }

    fn set(&mut self, uids: &[u16], values: &[u16]) -> Result<(), &'static str> {
        self.uid.ok_or("HotKeyNotRegisteredInSubNet")?;
        if uids.iter().any(|uid| !self.keys.contains_key(uid)) {
            return Err("UidVecContainInvalidOne");
        }
        // The chain's rule by another way: exact, since these values are few and small.
        let max = values.iter().copied().max().unwrap_or(0).max(1);
        let scale = |value: u16| (f64::from(value) * 65_535.0 / f64::from(max)).round() as u16;
        let values = values.iter().map(|value| scale(*value));
        self.row = uids.iter().copied().zip(values).collect();
        Ok(())
    }
}
