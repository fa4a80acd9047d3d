//! Rows of weights and bonds, and commits that wait to be opened.

use super::Snapshot;
use crate::AccountId;
use crate::Hash;
use crate::node::client::ReadError;
use crate::node::items;
use parity_scale_codec::Encode;
use serde::Serialize;

/// A hotkey's timelocked commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimelockedCommit {
    /// The epoch that it was made in.
    pub epoch: u64,
    /// The block that took it.
    pub commit_block: u64,
    /// BLAKE2b-256 of the ciphertext, as its event has it.
    pub commit_hash: Hash,
    /// The ciphertext.
    #[serde(skip)]
    pub commit: Vec<u8>,
    /// The round that opens it.
    pub reveal_round: u64,
}

/// A hotkey's hash commit: the numbers are blocks or epochs, as the runtime has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HashCommit {
    /// The hash.
    pub commit_hash: Hash,
    /// The epoch or block that it was made in, and the first and last block of its reveal where the runtime has them.
    pub numbers: [u64; 3],
}

/// All commits of a hotkey that are not opened yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PendingCommits {
    /// Those that the chain opens.
    pub timelocked: Vec<TimelockedCommit>,
    /// Those behind a hash.
    pub hashed: Vec<HashCommit>,
}

type StoredTimelocked = Vec<([u8; 32], u64, Vec<u8>, u64)>;
type StoredHashed = Vec<([u8; 32], u64, u64, u64)>;

impl Snapshot<'_> {
    /// A uid's weights as they were set last: uid and value, none if none were set.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn weights_row(&self, storage_index: u16, uid: u16) -> Result<Vec<(u16, u16)>, ReadError> {
        let (index, uid) = (storage_index.encode(), uid.encode());
        Ok(self
            .one(items::WEIGHTS, &[&index, &uid])?
            .unwrap_or_default())
    }

    /// A hotkey's uid; `None` if it is not registered.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn uid(&self, netuid: u16, hotkey: AccountId) -> Result<Option<u16>, ReadError> {
        self.one(items::UIDS, &[&netuid.encode(), &hotkey.0])
    }

    /// Who has each of these uids; `None` where nobody has.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn hotkeys(&self, netuid: u16, uids: &[u16]) -> Result<Vec<Option<AccountId>>, ReadError> {
        let netuid = netuid.encode();
        let num_uids: u16 = self
            .one(items::SUBNETWORK_N, &[&netuid])?
            .unwrap_or_default();
        let encoded: Vec<Vec<u8>> = uids.iter().map(Encode::encode).collect();
        let keys: Vec<Vec<&[u8]>> = encoded
            .iter()
            .map(|uid| vec![&netuid[..], &uid[..]])
            .collect();
        let found = self.each::<[u8; 32]>(items::KEYS, &keys)?;
        let hotkeys = uids.iter().zip(found);
        // What is behind the last uid is what a smaller subnet left, or a default.
        Ok(hotkeys
            .map(|(uid, hotkey)| hotkey.filter(|_| *uid < num_uids).map(AccountId))
            .collect())
    }

    /// The block at which a uid's weights were set or committed last, 0 if never; `None` if there is no such uid.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn last_update(&self, storage_index: u16, uid: u16) -> Result<Option<u64>, ReadError> {
        let all: Vec<u64> = self
            .one(items::LAST_UPDATE, &[&storage_index.encode()])?
            .unwrap_or_default();
        Ok(all.get(usize::from(uid)).copied())
    }

    /// A hotkey's commits that are not opened yet, oldest first; none where the runtime has no such commits.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn pending_commits(
        &self,
        storage_index: u16,
        hotkey: AccountId,
    ) -> Result<PendingCommits, ReadError> {
        let mut pending = PendingCommits::default();
        let index = storage_index.encode();
        if self.stored_by().has(items::TIMELOCKED_COMMITS) {
            let mut epochs = Vec::new();
            for key in self.keys(items::TIMELOCKED_COMMITS, &[&index])? {
                // The hasher leaves the key at the end.
                let epoch = key.last_chunk().map(|bytes| u64::from_le_bytes(*bytes));
                epochs.extend(epoch);
            }
            epochs.sort_unstable();
            let encoded: Vec<Vec<u8>> = epochs.iter().map(Encode::encode).collect();
            let keys: Vec<Vec<&[u8]>> = encoded
                .iter()
                .map(|epoch| vec![&index[..], &epoch[..]])
                .collect();
            let stored = self.each::<StoredTimelocked>(items::TIMELOCKED_COMMITS, &keys)?;
            for (epoch, commits) in epochs.into_iter().zip(stored) {
                for (account, commit_block, commit, reveal_round) in commits.unwrap_or_default() {
                    if account == hotkey.0 {
                        pending.timelocked.push(TimelockedCommit {
                            epoch,
                            commit_block,
                            commit_hash: Hash::of(&commit),
                            commit,
                            reveal_round,
                        });
                    }
                }
            }
        }
        if self.stored_by().has(items::WEIGHT_COMMITS) {
            let stored: Option<StoredHashed> =
                self.one(items::WEIGHT_COMMITS, &[&index, &hotkey.0])?;
            for (hash, first, second, third) in stored.unwrap_or_default() {
                pending.hashed.push(HashCommit {
                    commit_hash: Hash(hash),
                    numbers: [first, second, third],
                });
            }
        }
        Ok(pending)
    }
}
