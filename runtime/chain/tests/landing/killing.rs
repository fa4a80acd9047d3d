//! A journal and a chain that end the process at a point.

use super::child::Kill;
use gradus_chain::land::Landing;
use gradus_chain::submission::{
    Account, Call, ChainError, CommitSet, Heads, Intent, Journal, LedgerError, Order, Place,
    Record, Refusal, Row,
};
use gradus_chain::timelock::BeaconSignature;
use gradus_chain::{BlockRef, Hash};
use rustix::process::{Signal, getpid, kill_process};

impl Kill {
    pub(super) fn before(self, number: usize) {
        if self == Self::Before(number) {
            die();
        }
    }

    pub(super) fn after(self, number: usize) {
        if self == Self::After(number) {
            die();
        }
    }
}

fn die() {
    kill_process(getpid(), Signal::KILL).expect("one's own process");
    std::thread::park();
}

pub(super) struct Killing<J> {
    pub(super) journal: J,
    pub(super) number: usize,
    pub(super) kill: Kill,
}

impl<J: Journal> Journal for Killing<J> {
    fn append(&mut self, record: &Record) -> Result<(), LedgerError> {
        self.kill.before(self.number);
        self.journal.append(record)?;
        self.number += 1;
        Ok(())
    }
}

pub(super) struct Sending<'a> {
    pub(super) landing: Landing<'a>,
    pub(super) kill: Kill,
}

impl gradus_chain::submission::Chain for Sending<'_> {
    fn genesis(&mut self) -> Result<Hash, ChainError> {
        self.landing.genesis()
    }

    fn heads(&mut self) -> Result<Heads, ChainError> {
        self.landing.heads()
    }

    fn account(&mut self, intent: &Intent, at: BlockRef) -> Result<Account, ChainError> {
        self.landing.account(intent, at)
    }

    fn sign(&mut self, intent: &Intent, call: &Call, order: &Order) -> Result<Vec<u8>, ChainError> {
        self.landing.sign(intent, call, order)
    }

    fn submit(&mut self, extrinsic: &[u8]) -> Result<Result<(), Refusal>, ChainError> {
        if self.kill == Kill::BeforeSubmit {
            die();
        }
        let word = self.landing.submit(extrinsic);
        if self.kill == Kill::AfterSubmit {
            die();
        }
        word
    }

    fn find(
        &mut self,
        hash: Hash,
        from: u64,
        to: u64,
        tip: BlockRef,
    ) -> Result<Option<Place>, ChainError> {
        self.landing.find(hash, from, to, tip)
    }

    fn row(&mut self, intent: &Intent, at: BlockRef) -> Result<Row, ChainError> {
        self.landing.row(intent, at)
    }

    fn commits(&mut self, intent: &Intent, at: u64) -> Result<CommitSet, ChainError> {
        self.landing.commits(intent, at)
    }

    fn reveals(&mut self, intent: &Intent, at: BlockRef) -> Result<u32, ChainError> {
        self.landing.reveals(intent, at)
    }

    fn pulse(&mut self, round: u64, at: BlockRef) -> Result<Option<BeaconSignature>, ChainError> {
        self.landing.pulse(round, at)
    }
}
