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
