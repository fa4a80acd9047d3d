//! Several intents in one process, and commits whose subnet runs no epochs.

use super::memory::*;
use super::run::*;
use super::toy::*;
use crate::submission::*;
use std::cell::RefCell;
use std::rc::Rc;

/// A clock of several chains.
struct Ticks(Vec<Shared>);

impl Clock for Ticks {
    fn sleep_ms(&mut self, milliseconds: u64) {
        self.0[0].borrow_mut().now_ms += milliseconds;
        if milliseconds >= u64::from(BLOCK_MS) {
            self.0.iter().for_each(tick);
        }
    }

    fn now_ms(&self) -> u64 {
        self.0[0].borrow().now_ms
    }

    fn stopped(&self) -> bool {
        false
    }
}

/// An intent, its journal, and its node.
struct One {
    machine: Machine,
    memory: Memory,
    node: Node,
}

impl One {
    fn new(name: &str, way: Way, toy: &Shared) -> Self {
        let dead = Rc::new(RefCell::new(false));
        let intent = Intent {
            id: IntentId::new(name).expect("a name"),
            ..intent(way)
        };
        let mut memory = Memory::new(&intent, dead.clone());
        Self {
            machine: memory.resume(),
            memory,
            node: Node {
                toy: toy.clone(),
                kill: Kill::Never,
                dead,
            },
        }
    }
}

fn drive_both(mut both: [One; 2], clock: &mut Ticks) -> ([One; 2], Vec<Driven>) {
    let [first, second] = &mut both;
    let mut drives = [
        Drive::new(&mut first.machine, &mut first.memory, LIMITS),
        Drive::new(&mut second.machine, &mut second.memory, LIMITS),
    ];
    let node = |one: &Node| Node {
        toy: one.toy.clone(),
        kill: Kill::Never,
        dead: one.dead.clone(),
    };
    let mut chains = [node(&first.node), node(&second.node)];
    let ends = drive_each(&mut drives, &mut chains, &mut ToyCipher, clock);
    let ends = ends
        .into_iter()
        .map(|end| end.expect("a node that answers"));
    let ends = ends.collect();
    (both, ends)
}

/// A chain whose subnet runs no epochs for as long as anybody looks.
fn without_epochs() -> Shared {
    let toy = chain(Way::Timelocked, &[]);
    toy.borrow_mut().change(|world| world.epoch.tempo = 300);
    toy
}

#[test]
fn a_commit_that_waits_does_not_hold_up_another_intent() {
    let toys = [without_epochs(), chain(Way::Plain, &[])];
    let both = [
        One::new("waits", Way::Timelocked, &toys[0]),
        One::new("plain", Way::Plain, &toys[1]),
    ];
    let (both, ends) = drive_both(both, &mut Ticks(toys.to_vec()));
    assert!(matches!(ends[0], Driven::Overdue { .. }), "{:?}", ends[0]);
    let Driven::Ended(Verdict::Verified { block }) = &ends[1] else {
        panic!("{:?}", ends[1]);
    };
    let waited_to = both[0].machine.finalized_number();
    assert!(block.number < START + 10, "{block}");
    assert!(waited_to > START + 100, "{waited_to}");
}

#[test]
fn extrinsics_of_one_hotkey_go_out_one_by_one() {
    let toy = chain(Way::Plain, &[Fault::Late]);
    let both = [
        One::new("first", Way::Plain, &toy),
        One::new("second", Way::Plain, &toy),
    ];
    let (both, ends) = drive_both(both, &mut Ticks(vec![toy.clone()]));
    for end in &ends {
        assert!(
            matches!(end, Driven::Ended(Verdict::Verified { .. })),
            "{end:?}"
        );
    }
    let nonce = |one: &One| one.machine.state().attempts()[0].nonce;
    assert_eq!(nonce(&both[1]), nonce(&both[0]) + 1);
    assert_eq!(toy.borrow().signed.len(), 2, "none was in another's way");
}

#[test]
fn a_commit_that_is_overdue_is_no_verdict_and_may_still_be_opened() {
    let toy = without_epochs();
    let mut one = One::new("waits", Way::Timelocked, &toy);
    let mut clock = Ticks(vec![toy.clone()]);
    let mut go = |one: &mut One| {
        // As a new process does.
        one.machine = one.memory.resume();
        drive(
            &mut one.machine,
            &mut one.memory,
            &mut one.node,
            &mut ToyCipher,
            &mut clock,
            &LIMITS,
        )
        .expect("a node that answers")
    };
    let first = go(&mut one);
    let Driven::Overdue { blocks } = first else {
        panic!("{first:?}");
    };
    assert_eq!(blocks, 101);
    assert!(matches!(one.machine.state().stage(), Stage::Committed));
    // Nothing of it is sent again by looking again.
    assert!(matches!(go(&mut one), Driven::Overdue { .. }));
    assert_eq!(toy.borrow().submitted.len(), 1);
    while toy.borrow().best().world.reveals == 0 {
        tick(&toy);
        assert!(toy.borrow().best().at.number < 900, "it is never opened");
    }
    for _ in 0..LAG {
        tick(&toy);
    }
    let end = go(&mut one);
    assert!(
        matches!(end, Driven::Ended(Verdict::Verified { .. })),
        "{end:?}"
    );
}
