//! What was submitted, what was applied, what storage says.

use super::{Chain, State};
use crate::block::Applied;
use crate::call::Call;
use crate::fault::RpcError;
use crate::hex;
use crate::rules::dispatch::TimelockedCommit;
use crate::rules::subnet::{self, item, storage_index};
use crate::runtime::Key;
use serde_json::{Value as Json, json};

/// An extrinsic that somebody handed in, as often as they did.
#[derive(Clone, Debug)]
pub struct Submission {
    /// BLAKE2b-256 of its bytes.
    pub hash: [u8; 32],
    /// Who signed.
    pub account: [u8; 32],
    /// Its nonce.
    pub nonce: u32,
    /// The call.
    pub call: Call,
    /// Which endpoint it came in at, in the order in which they were opened.
    pub endpoint: usize,
    /// The best block's number then.
    pub best_number: u32,
    /// What the pool said; faults of the endpoint come after it.
    pub result: Result<(), RpcError>,
}

impl Chain {
    /// Everything that reached the pool and decoded, in order.
    pub fn submissions(&self) -> Vec<Submission> {
        self.lock().submissions.clone()
    }

    /// Signed extrinsics in canonical blocks, in order.
    pub fn applied(&self) -> Vec<Applied> {
        self.lock().applied()
    }

    /// How many different extrinsics with weights an account has in canonical blocks, those that failed included.
    pub fn applied_by(&self, account: [u8; 32]) -> usize {
        let applied = self.applied();
        applied.iter().filter(|a| a.account == account).count()
    }

    /// Why an extrinsic will never be in a block, if the chain has forgotten it.
    pub fn dropped(&self, hash: [u8; 32]) -> Option<String> {
        let state = self.lock();
        let dropped = state.dropped.iter().rev().find(|(h, _)| *h == hash);
        dropped.map(|(_, why)| why.clone())
    }

    /// Hashes of what waits for a block, everywhere.
    pub fn waiting(&self) -> Vec<[u8; 32]> {
        let state = self.lock();
        let waiting = state.pool.waiting.iter();
        waiting.map(|waiting| waiting.extrinsic.hash).collect()
    }

    /// A uid's weights: pairs of uid and value.
    pub fn weights(&self, netuid: u16, mecid: u8, uid: u16) -> Vec<(u16, u16)> {
        let keys = [Key::U16(storage_index(netuid, mecid)), Key::U16(uid)];
        self.storage().get(item("Weights"), &keys)
    }

    /// When a uid set or committed weights last.
    pub fn last_update(&self, netuid: u16, mecid: u8, uid: u16) -> u64 {
        subnet::last_update(&self.storage(), storage_index(netuid, mecid), uid)
    }

    /// A subnet after the best block, for people: uids, weights, commits, epochs.
    pub fn dump(&self, netuid: u16) -> Json {
        let state = self.lock();
        let storage = state.best_storage();
        let keys = [Key::U16(netuid)];
        let number = |name| -> u64 {
            match storage.has(item(name)) {
                true => storage.get(item(name), &keys),
                false => 0,
            }
        };
        let size = subnet::size(storage, netuid);
        let mechanisms = (0..subnet::mechanism_count(storage, netuid)).map(|mecid| {
            let index = storage_index(netuid, mecid);
            let weights = (0..size).map(|uid| {
                let slot = [Key::U16(index), Key::U16(uid)];
                let weights: Vec<(u16, u16)> = storage.get(item("Weights"), &slot);
                json!({
                    "uid": uid,
                    "last_update": subnet::last_update(storage, index, uid),
                    "weights": weights,
                })
            });
            let prefix = storage
                .runtime()
                .key(item("TimelockedWeightCommits"), &[Key::U16(index)]);
            let epochs = storage.keys(&prefix, None, usize::MAX);
            let commits = epochs.iter().filter_map(|key| {
                let epoch = u64::from_le_bytes(*key.last_chunk()?);
                let slot = [Key::U16(index), Key::U64(epoch)];
                let commits: Vec<TimelockedCommit> =
                    storage.get(item("TimelockedWeightCommits"), &slot);
                let commits = commits.iter().map(|(who, block, bytes, round)| {
                    json!({
                        "hotkey": hex::encode(who),
                        "block_number": block,
                        "commit_bytes": bytes.len(),
                        "round": round,
                    })
                });
                Some(json!({ "epoch": epoch, "commits": commits.collect::<Vec<_>>() }))
            });
            json!({
                "mecid": mecid,
                "uids": weights.collect::<Vec<_>>(),
                "timelocked_commits": commits.collect::<Vec<_>>(),
            })
        });
        json!({
            "netuid": netuid,
            "block_number": state.best_number(),
            "spec_version": storage.runtime().spec().version(),
            "last_epoch_block": number("LastEpochBlock"),
            "subnet_epoch_index": number("SubnetEpochIndex"),
            "mechanisms": mechanisms.collect::<Vec<_>>(),
        })
    }
}

impl State {
    fn applied(&self) -> Vec<Applied> {
        let blocks = self.canonical.iter().map(|hash| &self.blocks[hash]);
        blocks.flat_map(|block| block.applied.clone()).collect()
    }
}
