//! One intent on the toy chain, with faults and kills, and an audit of what came of it.

use super::memory::*;
use super::toy::*;
use crate::AccountId;
use crate::Hash;
use crate::submission::journal;
use crate::submission::*;
use std::cell::RefCell;
use std::rc::Rc;

/// The four ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Hash,
    Timelocked,
    Fallback,
}

pub(super) const WAYS: [Way; 4] = [Way::Plain, Way::Hash, Way::Timelocked, Way::Fallback];

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

/// A block goes by, and what goes wrong with it.
pub(super) fn tick(toy: &Shared) {
    let mut toy = toy.borrow_mut();
    toy.grow();
    toy.fork_in();
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
        } else if toy.has(Fault::KeepsSome) {
            toy.keeps = 13;
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
