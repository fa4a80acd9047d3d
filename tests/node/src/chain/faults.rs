//! Forks, upgrades, and neurons that come and go.

use super::pool::Hold;
use super::{Notice, State, Upgrade};
use crate::fault::{ChainFault, Retracted};
use crate::genesis;
use crate::hex;
use serde_json::json;

impl State {
    pub(super) fn inject(&mut self, fault: ChainFault) {
        match fault {
            ChainFault::Reorg { depth, retracted } => self.reorg(depth, retracted),
            ChainFault::Upgrade(spec) => {
                self.upgrade = Some(Upgrade {
                    spec,
                    behind_extrinsics: false,
                });
            }
            ChainFault::UpgradeBehindExtrinsics(spec) => {
                self.upgrade = Some(Upgrade {
                    spec,
                    behind_extrinsics: true,
                });
            }
            ChainFault::MissPulsesFrom(round) => self.missed_from = Some(round),
            ChainFault::StorePulses => self.missed_from = None,
            ChainFault::DropReveals(on) => self.drop_reveals = on,
            ChainFault::StallFinality(on) => self.finality_stalled = on,
            ChainFault::Replace {
                netuid,
                uid,
                neuron,
            } => self.edits.push(Box::new(move |storage, number| {
                genesis::replace_neuron(storage, netuid, uid, &neuron, u64::from(number));
            })),
            ChainFault::Register { netuid, neuron } => {
                self.edits.push(Box::new(move |storage, number| {
                    genesis::append_neuron(storage, netuid, &neuron, u64::from(number));
                }));
            }
            ChainFault::Shrink { netuid, size } => self.edits.push(Box::new(move |storage, _| {
                genesis::shrink(storage, netuid, size);
            })),
        }
    }

    /// Replaces the last blocks by as many and one more, at once.
    fn reorg(&mut self, depth: u32, retracted: Retracted) {
        let best = self.best_number();
        assert!(
            depth > 0 && best - self.finalized >= depth,
            "a fork of {depth} blocks reaches behind the final block {} of {best}",
            self.finalized
        );
        let lost = self.canonical.split_off((best - depth + 1) as usize);
        self.forks += 1;
        let mut back = Vec::new();
        for hash in lost {
            let block = self.blocks[&hash].clone();
            for applied in &block.applied {
                let status = json!({ "retracted": hex::encode(&hash) });
                self.status(applied.hash, status);
                self.pool.banned.remove(&applied.hash);
                let bytes = block.extrinsics.iter();
                let bytes =
                    bytes.filter(|bytes| sp_crypto_hashing::blake2_256(bytes) == applied.hash);
                back.extend(bytes.cloned());
            }
        }
        for _ in 0..=depth {
            self.build(false);
        }
        let head = self.best().hash;
        self.notify(&Notice::Head(head));
        for bytes in back {
            match retracted {
                Retracted::Pool => self.resubmit(&bytes),
                Retracted::Lost => {
                    let hash = sp_crypto_hashing::blake2_256(&bytes);
                    self.dropped.push((hash, "lost in a fork".into()));
                }
            }
        }
        self.advance_finality();
        self.revalidate();
    }

    /// Back to the pool, which is not a submission.
    fn resubmit(&mut self, bytes: &[u8]) {
        let recorded = self.submissions.len();
        let _ = self.submit(bytes, usize::MAX, Hold::None);
        self.submissions.truncate(recorded);
    }
}
