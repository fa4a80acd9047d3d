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
    let mut memory = Memory::new(machine.state().intent(), dead.clone());
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
fn a_signer_that_may_take_long_is_asked_once() {
    // A person who has to press a key: eight blocks, and 300.
    for (blocks, era) in [(8, 32), (25, 64), (300, 512)] {
        let toy = chain(Way::Plain, &[]);
        toy.borrow_mut().slow_signatures = vec![blocks];
        toy.borrow_mut().signing_ms = blocks * u64::from(BLOCK_MS);
        let mut plan = intent(Way::Plain);
        plan.limits.give_up_at_block += blocks;
        let plan = Record::Planned {
            intent: Box::new(plan),
        };
        let mut machine = Machine::resume(&[plan]).expect("an intent");
        let driven = drive_at(&mut machine, &toy, &LIMITS).expect("a verdict");
        assert!(
            matches!(driven, Driven::Ended(Verdict::Verified { .. })),
            "{blocks}: {driven:?}"
        );
        assert_eq!(toy.borrow().signed.len(), 1, "{blocks}: asked again");
        let attempts = machine.state().attempts();
        assert_eq!(attempts[0].era_period_blocks, era, "{blocks}");
    }
}

#[test]
fn signatures_that_always_come_too_late_are_an_error_that_says_so() {
    let toy = chain(Way::Plain, &[]);
    toy.borrow_mut().slow_signatures = vec![9; 20];
    let mut machine = Machine::resume(&[planned()]).expect("an intent");
    let error = drive_at(&mut machine, &toy, &LIMITS).expect_err("too late");
    let expected = "5 signatures in a row came too late, the last after 108000 ms";
    assert!(error.to_string().contains(expected), "{error}");
    assert!(error.to_string().contains("--signer-timeout"), "{error}");
    assert_eq!(toy.borrow().submitted, []);
}

#[test]
fn a_signature_that_came_when_the_intent_was_too_old_is_not_used() {
    let toy = chain(Way::Plain, &[]);
    toy.borrow_mut().slow_signatures = vec![20];
    toy.borrow_mut().signing_ms = 20 * u64::from(BLOCK_MS);
    let mut plan = intent(Way::Plain);
    plan.limits.give_up_at_block = START + LAG + 10;
    let plan = Record::Planned {
        intent: Box::new(plan),
    };
    let mut machine = Machine::resume(&[plan]).expect("an intent");
    let driven = drive_at(&mut machine, &toy, &LIMITS).expect("a verdict");
    let gave_up = Driven::Ended(Verdict::Expired {
        reason: Expired::GaveUp {
            at_block: START + LAG + 10,
        },
    });
    assert_eq!(driven, gave_up);
    assert_eq!(toy.borrow().submitted, []);
}

/// The chain takes no commit whose round is out already, and everybody can open one.
#[test]
fn a_commit_is_not_sent_in_another_epoch_than_it_was_locked_for() {
    for blocks in 0..14 {
        let toy = chain(Way::Timelocked, &[]);
        toy.borrow_mut().slow_signatures = vec![blocks];
        toy.borrow_mut().signing_ms = blocks * u64::from(BLOCK_MS);
        let plan = Record::Planned {
            intent: Box::new(intent(Way::Timelocked)),
        };
        let mut machine = Machine::resume(&[plan]).expect("an intent");
        drive_at(&mut machine, &toy, &LIMITS).expect("a verdict");
        let toy = toy.borrow();
        let landed = toy.blocks.iter().find(|block| !block.extrinsics.is_empty());
        let landed = landed.expect("in a block");
        let Call::CommitTimelocked { round, .. } = &landed.extrinsics[0].0.call else {
            panic!("{:?}", landed.extrinsics);
        };
        assert!(landed.world.last_round < *round, "{blocks}");
    }
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
