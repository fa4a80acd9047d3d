//! Restarts before nodes that keep few states: whatever they still keep is found.

use super::memory::*;
use super::run::*;
use super::toy::*;
use crate::submission::*;
use std::cell::RefCell;
use std::rc::Rc;

/// A process that ends once a stage is reached, and another that begins when the commit has been opened `since` blocks ago, at a node that keeps the
/// states of `keeps` blocks.
fn restarted(ends: fn(&Stage) -> bool, since: u64, keeps: u64) -> Verdict {
    let toy = chain(Way::Timelocked, &[]);
    // The commit waits for longer than states are kept.
    toy.borrow_mut().change(|world| world.epoch.tempo = 90);
    let dead = Rc::new(RefCell::new(false));
    let mut memory = Memory::new(&intent(Way::Timelocked), dead.clone());
    let mut machine = memory.resume();
    let mut node = Node {
        toy: toy.clone(),
        kill: Kill::Never,
        dead: dead.clone(),
    };
    let mut clock = ToyClock::new(toy.clone(), dead);
    let mut drive = Drive::new(&mut machine, &mut memory, LIMITS);
    while !ends(drive.machine().state().stage()) {
        let turn = drive
            .turn(&mut node, &mut ToyCipher, &clock)
            .expect("a turn");
        let Turn::Pause { milliseconds } = turn else {
            panic!("{turn:?}");
        };
        clock.sleep_ms(milliseconds);
    }
    while toy.borrow().best().world.reveals == 0 {
        tick(&toy);
    }
    (0..since).for_each(|_| tick(&toy));
    toy.borrow_mut().keeps = keeps;
    let driven = super::super::drive(
        &mut memory.resume(),
        &mut memory,
        &mut node,
        &mut ToyCipher,
        &mut clock,
        &LIMITS,
    );
    match driven.expect("a node that answers") {
        Driven::Ended(verdict) => verdict,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_took_a_commit_out_is_found_though_most_states_before_it_are_gone() {
    let stages: [fn(&Stage) -> bool; 2] = [
        |stage| *stage == Stage::Committed,
        // Where it landed is not known yet, and what it did there is not kept any more.
        |stage| matches!(stage, Stage::Alive { .. }),
    ];
    for stage in stages {
        for since in [LAG, 7, 20] {
            // The block that opened it, and the one before.
            let verdict = restarted(stage, since, since + 2);
            assert!(verdict.is_verified(), "{since}: {verdict}");
            let verdict = restarted(stage, since, since + 1);
            let Verdict::Dropped {
                reason: Dropped::Unproven { missing },
            } = verdict
            else {
                panic!("{since}: {verdict}");
            };
            assert!(missing.contains("the commits"), "{missing}");
        }
    }
}
