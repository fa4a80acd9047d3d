//! Records and answers by hand.

use super::run::*;
use super::toy::*;
use crate::submission::*;
use crate::{BlockRef, Hash};

pub(super) fn block(number: u64) -> BlockRef {
    BlockRef {
        number,
        hash: Hash::of(&number.to_le_bytes()),
    }
}

pub(super) fn heads(best: u64, finalized: u64) -> Answer {
    Answer::Heads(Heads {
        best: block(best),
        finalized: block(finalized),
    })
}

pub(super) fn account(at: u64, nonce: u32, spec_version: u32) -> Answer {
    let intent = intent(Way::Plain);
    let targets = intent.targets.iter();
    Answer::Account(Box::new(Account {
        at: block(at),
        time_ms: 0,
        nonce,
        spec_version,
        uid: Some(UID),
        last_update: 3,
        rate_limit_blocks: 10,
        commit_reveal_enabled: false,
        reveal_period_epochs: 1,
        epoch: crate::timelock::EpochState {
            last_epoch_block: 24,
            pending_epoch_at: 0,
            subnet_epoch_index: 7,
            tempo: 12,
            blocks_since_last_step: 6,
            block_number: at,
        },
        target_hotkeys: targets.map(|t| Some(t.hotkey)).collect(),
    }))
}

pub(super) fn attempt(nonce: u32) -> Attempt {
    Attempt {
        at_block: 30,
        step: Step::Set,
        nonce,
        birth: block(30),
        era_period_blocks: 16,
        spec_version: SPEC,
        extrinsic: Bytes(vec![nonce as u8]),
        hash: Hash::of(&[nonce as u8]),
        timelock: None,
    }
}

pub(super) fn planned() -> Record {
    Record::Planned {
        intent: Box::new(intent(Way::Plain)),
    }
}

pub(super) fn signed(nonce: u32) -> Record {
    Record::Attempt {
        attempt: Box::new(attempt(nonce)),
    }
}

/// A machine that was restarted with an attempt that may be anywhere, nonce 4, blocks 31 to 45.
pub(super) fn restarted() -> Machine {
    Machine::resume(&[planned(), signed(4)]).expect("in order")
}

pub(super) fn absent(from: u64, to: u64, tip: u64) -> Answer {
    Answer::Found(Found {
        hash: attempt(4).hash,
        from,
        to,
        tip: block(tip),
        place: None,
    })
}

pub(super) fn tell(machine: &mut Machine, answers: impl IntoIterator<Item = Answer>) {
    for answer in answers {
        assert_eq!(machine.tell(answer.clone()), Ok(true), "{answer:?}");
    }
}

pub(super) fn death(machine: &Machine) -> Option<Death> {
    match machine.next() {
        Next::Keep(Record::Dead { proof, .. }) => Some(proof),
        Next::Ask(_) => None,
        other => panic!("{other:?}"),
    }
}
