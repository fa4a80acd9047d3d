//! A journal and a clock for the toy chain.

use super::run::*;
use super::toy::*;
use crate::submission::journal::{self, Sum};
use crate::submission::*;
use std::cell::RefCell;
use std::rc::Rc;

/// Blocks after which an intent that has not ended never will.
const BLOCKS_MAX: u64 = 600;

/// When the process dies at the journal, counted over all records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Never,
    /// The record is lost.
    Before(u64),
    /// It is on disk, nobody knows.
    After(u64),
    /// Half of its line is.
    Torn(u64),
}

/// A journal in memory, in the bytes of a file.
pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    sum: Sum,
    pub(super) appends: u64,
    pub(super) cut: Cut,
    dead: Rc<RefCell<bool>>,
}

impl Memory {
    pub(super) fn new(intent: &Intent, dead: Rc<RefCell<bool>>) -> Self {
        let (bytes, sum) = journal::begin(&Record::Planned {
            intent: Box::new(intent.clone()),
        });
        Self {
            bytes,
            sum,
            appends: 0,
            cut: Cut::Never,
            dead,
        }
    }

    /// What a restart reads.
    pub(super) fn resume(&mut self) -> Machine {
        let contents = journal::read(&self.bytes).expect("own journal");
        if let Tail::Torn { keep_bytes } = contents.tail {
            self.bytes.truncate(keep_bytes as usize);
        }
        self.sum = contents.sum.expect("a record");
        Machine::resume(&contents.records).expect("own records")
    }
}

impl Journal for Memory {
    fn append(&mut self, record: &Record) -> Result<(), LedgerError> {
        self.appends += 1;
        let (line, sum) = journal::line(record, Some(&self.sum));
        let (kept, dies) = match self.cut {
            Cut::Before(at) if at == self.appends => (0, true),
            Cut::Torn(at) if at == self.appends => (line.len() / 2, true),
            Cut::After(at) if at == self.appends => (line.len(), true),
            _ => (line.len(), false),
        };
        self.bytes.extend(&line[..kept]);
        if dies {
            *self.dead.borrow_mut() = true;
            let path = "toy".into();
            return Err(LedgerError::Spoilt { path });
        }
        self.sum = sum;
        Ok(())
    }
}

/// How long drives try.
pub(super) const LIMITS: DriveLimits = DriveLimits {
    block_time_ms: BLOCK_MS,
    errors_max: 50,
    silent_pauses_max: 300,
    birth_age_blocks_max: ERA_PERIOD_BLOCKS / 2,
};

/// A clock that makes a block of each of its pauses.
pub(super) struct ToyClock {
    pub(super) toy: Shared,
    pub(super) dead: Rc<RefCell<bool>>,
    pub(super) blocks: Rc<RefCell<u64>>,
}

impl ToyClock {
    pub(super) fn new(toy: Shared, dead: Rc<RefCell<bool>>) -> Self {
        Self {
            toy,
            dead,
            blocks: Rc::default(),
        }
    }
}

impl Clock for ToyClock {
    fn sleep_ms(&mut self, milliseconds: u64) {
        self.toy.borrow_mut().now_ms += milliseconds;
        if milliseconds >= u64::from(BLOCK_MS) && !*self.dead.borrow() {
            *self.blocks.borrow_mut() += 1;
            tick(&self.toy);
        }
    }

    fn now_ms(&self) -> u64 {
        self.toy.borrow().now_ms
    }

    fn stopped(&self) -> bool {
        *self.dead.borrow() || *self.blocks.borrow() > BLOCKS_MAX
    }
}
