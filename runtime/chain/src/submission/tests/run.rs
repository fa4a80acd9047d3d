//! One intent on the toy chain, with faults and kills, and an audit of what came of it.

use super::toy::*;
use crate::AccountId;
use crate::submission::journal::{self, Sum};
use crate::submission::*;
use std::cell::RefCell;
use std::rc::Rc;

/// Blocks after which an intent that has not ended never will.
const BLOCKS_MAX: u64 = 600;

/// The four ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Hash,
    Timelocked,
    Fallback,
}

pub(super) const WAYS: [Way; 4] = [Way::Plain, Way::Hash, Way::Timelocked, Way::Fallback];

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

pub(super) fn intent(way: Way) -> Intent {
    let target = |uid: u16, value| Target {
        uid,
        value,
        hotkey: AccountId([uid as u8; 32]),
    };
    Intent {
        id: IntentId::new("t-1").expect("a name"),
        profile: "toy".into(),
        genesis: Hash::of(b"block 0"),
        netuid: 56,
        mechanism: 0,
        hotkey: HOTKEY,
        targets: vec![
            target(0, 100),
            target(5, 40_000),
            target(1, 0),
            target(6, 7),
        ],
        version_key: 61_000,
        method: match way {
            Way::Plain | Way::Fallback => Method::Plain,
            Way::Hash => Method::HashCommit { salt: vec![9; 8] },
            Way::Timelocked => Method::Timelocked {
                commit_reveal_version: 4,
            },
        },
        origin: match way {
            Way::Fallback => Origin::Fallback {
                rule: FallbackRule {
                    stale_blocks: 15,
                    failures_min: 2,
                },
                failures: 2,
            },
            _ => Origin::Results,
        },
        created_at_block: START,
        limits: Limits {
            attempts_max: 4,
            give_up_at_block: START + 150,
            overdue_blocks: 100,
        },
    }
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
};

/// A clock that makes a block of each of its pauses.
pub(super) struct ToyClock {
    toy: Shared,
    dead: Rc<RefCell<bool>>,
    blocks: Rc<RefCell<u64>>,
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
        if milliseconds >= u64::from(BLOCK_MS) && !*self.dead.borrow() {
            *self.blocks.borrow_mut() += 1;
            tick(&self.toy);
        }
    }

    fn stopped(&self) -> bool {
        *self.dead.borrow() || *self.blocks.borrow() > BLOCKS_MAX
    }
}

/// A block goes by, and what goes wrong with it.
pub(super) fn tick(toy: &Shared) {
    let mut toy = toy.borrow_mut();
    toy.grow();
    let ours = !toy.best().extrinsics.is_empty();
    if ours && toy.once(Fault::ForkLoss) {
        toy.fork(2, false);
    }
    if ours && toy.once(Fault::ForkKeep) {
        toy.fork(2, true);
    }
    let world = toy.best().world.clone();
    let settled = toy.block(toy.finalized().saturating_sub(1)).expect("there");
    let committed = !settled.world.locked.is_empty() || !settled.world.hashes.is_empty();
    if committed && toy.once(Fault::CommitTaken) {
        toy.change(|world| {
            world.locked.clear();
            world.hashes.clear();
        });
    }
    if !world.locked.is_empty() && toy.once(Fault::PulseLate) {
        let due = world.epoch.last_epoch_block + u64::from(world.epoch.tempo);
        toy.change(|world| {
            world.beacon_silent_from = due - 1;
            world.beacon_back_from = due + 8;
        });
    }
}

/// The chain before the driver starts, with what is wrong from the beginning.
pub(super) fn chain(way: Way, faults: &[Fault]) -> Shared {
    let committing = matches!(way, Way::Hash | Way::Timelocked);
    let toy = Toy::new(committing, faults);
    {
        let mut toy = toy.borrow_mut();
        if toy.has(Fault::TargetGone) {
            toy.change(|world| {
                Rc::make_mut(&mut world.keys).insert(5, AccountId([98; 32]));
            });
        }
        if toy.has(Fault::Shrinks) {
            toy.change(|world| Rc::make_mut(&mut world.keys).retain(|uid, _| *uid < 6));
        }
        if toy.has(Fault::Pruning) {
            toy.keeps = LAG + 2;
        }
    }
    toy
}

/// What came of it.
pub(super) struct Report {
    pub(super) verdict: Verdict,
    pub(super) records: Vec<Record>,
    pub(super) toy: Shared,
    pub(super) appends: u64,
    pub(super) calls: u64,
}

/// Everything that decides a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) way: Way,
    pub(super) faults: Vec<Fault>,
    pub(super) cuts: Vec<Cut>,
    pub(super) kills: Vec<Kill>,
    /// Blocks that pass while the process is dead.
    pub(super) downtime: u64,
}

impl Plan {
    pub(super) fn new(way: Way, fault: Fault) -> Self {
        Self {
            way,
            faults: vec![fault],
            cuts: vec![],
            kills: vec![],
            downtime: 0,
        }
    }

    /// Runs until the verdict, dying where the plan says, and audits.
    pub(super) fn run(&self) -> Report {
        let toy = chain(self.way, &self.faults);
        let dead = Rc::new(RefCell::new(false));
        let blocks = Rc::new(RefCell::new(0));
        let intent = intent(self.way);
        let mut memory = Memory::new(&intent, dead.clone());
        let mut cuts = self.cuts.iter().copied();
        let mut kills = self.kills.iter().copied();
        memory.cut = cuts.next().unwrap_or(Cut::Never);
        let mut kill = kills.next().unwrap_or(Kill::Never);
        let verdict = loop {
            let mut machine = memory.resume();
            let mut node = Node {
                toy: toy.clone(),
                kill,
                dead: dead.clone(),
            };
            let mut clock = ToyClock {
                toy: toy.clone(),
                dead: dead.clone(),
                blocks: blocks.clone(),
            };
            let mut cipher = ToyCipher;
            let driven = drive(
                &mut machine,
                &mut memory,
                &mut node,
                &mut cipher,
                &mut clock,
                &LIMITS,
            );
            let died = std::mem::take(&mut *dead.borrow_mut());
            match driven {
                Ok(Driven::Ended(verdict)) if !died => break verdict,
                _ if died => {
                    match (memory.cut, kill) {
                        (cut, _) if cut != Cut::Never && reached(cut, memory.appends) => {
                            memory.cut = cuts.next().unwrap_or(Cut::Never);
                        }
                        _ => kill = kills.next().unwrap_or(Kill::Never),
                    }
                    for _ in 0..self.downtime {
                        tick(&toy);
                    }
                }
                other => panic!("{self:?}: {other:?} after {} blocks", blocks.borrow()),
            }
        };
        let records = journal::read(&memory.bytes).expect("own journal").records;
        let calls = toy.borrow().calls;
        let report = Report {
            verdict,
            records,
            toy,
            appends: memory.appends,
            calls,
        };
        report.audit(self, &intent);
        report
    }
}

fn reached(cut: Cut, appends: u64) -> bool {
    match cut {
        Cut::Never => false,
        Cut::Before(at) | Cut::After(at) | Cut::Torn(at) => appends >= at,
    }
}
