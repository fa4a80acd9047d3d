//! Nodes that a drive gives up on.

use super::answers::*;
use super::memory::*;
use super::run::*;
use super::toy::*;
use crate::Hash;
use crate::submission::*;
use std::cell::RefCell;
use std::rc::Rc;

fn drive_at(
    machine: &mut Machine,
    toy: &Shared,
    limits: &DriveLimits,
) -> Result<Driven, DriveError> {
    let dead = Rc::new(RefCell::new(false));
    let mut memory = Memory::new(&intent(Way::Plain), dead.clone());
    let mut node = Node {
        toy: toy.clone(),
        kill: Kill::Never,
        dead: dead.clone(),
    };
    let mut clock = ToyClock::new(toy.clone(), dead);
    drive(
        machine,
        &mut memory,
        &mut node,
        &mut ToyCipher,
        &mut clock,
        limits,
    )
}

#[test]
fn a_node_of_another_chain_is_not_asked_anything_else() {
    let mut other = intent(Way::Plain);
    other.genesis = Hash([5; 32]);
    let first = Record::Planned {
        intent: Box::new(other),
    };
    let mut machine = Machine::resume(&[first]).expect("an intent");
    let toy = chain(Way::Plain, &[]);
    let error = drive_at(&mut machine, &toy, &LIMITS).expect_err("another chain");
    assert!(matches!(error, DriveError::OtherChain { .. }), "{error}");
    assert_eq!(toy.borrow().calls, 1);
}

#[test]
fn a_node_whose_blocks_stand_still_is_an_error_and_not_a_verdict() {
    let mut machine = restarted();
    let toy = chain(Way::Plain, &[]);
    let limits = DriveLimits {
        // Pauses shorter than a block: the toy makes none.
        block_time_ms: BLOCK_MS - 1,
        silent_pauses_max: 20,
        ..LIMITS
    };
    let error = drive_at(&mut machine, &toy, &limits).expect_err("stands still");
    assert!(
        matches!(error, DriveError::Silent { number: 30, .. }),
        "{error}"
    );
    assert_eq!(toy.borrow().submitted, []);
}

#[test]
fn an_era_that_slow_answers_have_half_used_up_is_not_signed_for() {
    let toy = chain(Way::Plain, &[]);
    // By the clock alone too: blocks up to the newest that is known are not all there are.
    toy.borrow_mut().slow_signatures = vec![5, 6, 14];
    let mut machine = Machine::resume(&[planned()]).expect("an intent");
    drive_at(&mut machine, &toy, &LIMITS).expect("a verdict");
    let (attempts, toy) = (machine.state().attempts(), toy.borrow());
    assert_eq!((attempts.len(), toy.submitted.len()), (1, 1));
    assert!(
        toy.slow_signatures.is_empty(),
        "it was signed until it was quick"
    );
    // Three blocks until one is final, and the five that the last signature took.
    assert_eq!(attempts[0].birth.number, START + 14 + 6);
    let landed = toy.blocks.iter().find(|block| !block.extrinsics.is_empty());
    assert_eq!(
        landed.expect("in a block").at.number,
        attempts[0].birth.number + LAG + 5 + 1
    );
}

#[test]
fn a_birth_that_is_half_an_era_behind_the_newest_block_is_waited_for() {
    let mut machine = Machine::resume(&[planned()]).expect("an intent");
    let half = ERA_PERIOD_BLOCKS / 2;
    for (finalized, signs) in [(60 - half - 1, false), (60 - half, true)] {
        tell(&mut machine, [heads(60, finalized)]);
        let next = loop {
            match machine.next() {
                Next::Ask(Ask::Account { at }) => {
                    tell(&mut machine, [account(at.number, 4, SPEC)]);
                }
                next => break next,
            }
        };
        assert_eq!(next == Next::Ask(Ask::NewerHeads), !signs, "{next:?}");
        assert_eq!(matches!(next, Next::Ask(Ask::Sign { .. })), signs);
    }
}
