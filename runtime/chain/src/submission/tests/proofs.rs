//! What is a proof that nothing can land, and what is not, answer by answer.

use super::answers::*;
use super::toy::*;
use crate::submission::*;
use crate::{BlockRef, Hash};

#[test]
fn an_era_is_over_when_its_last_block_is_final_and_not_before() {
    let mut machine = restarted();
    assert_eq!(
        machine.next(),
        Next::Ask(Ask::Heads),
        "it looks, it does not submit"
    );
    tell(&mut machine, [heads(60, 44)]);
    let ask = Ask::Find {
        hash: attempt(4).hash,
        from: 31,
        to: 45,
        tip: block(60),
    };
    assert_eq!(machine.next(), Next::Ask(ask));
    tell(&mut machine, [absent(31, 45, 60)]);
    assert_eq!(death(&machine), None, "block 45 may still be replaced");
    tell(&mut machine, [account(44, 4, SPEC), heads(61, 45)]);
    tell(&mut machine, [absent(45, 45, 61)]);
    assert_eq!(death(&machine), Some(Death::EraOver { last_block: 45 }));
}

/// A long era's final blocks, each of which costs a node two calls.
#[test]
fn a_long_era_is_searched_in_parts_that_a_node_answers_in_time() {
    let mut long = attempt(4);
    long.era_period_blocks = 64;
    let long = Record::Attempt {
        attempt: Box::new(long),
    };
    let mut machine = Machine::resume(&[planned(), long]).expect("in order");
    tell(&mut machine, [heads(120, 110)]);
    for (from, to) in [(31, 62), (63, 93)] {
        let ask = Ask::Find {
            hash: attempt(4).hash,
            from,
            to,
            tip: block(120),
        };
        assert_eq!(machine.next(), Next::Ask(ask));
        assert_eq!(death(&machine), None);
        tell(&mut machine, [absent(from, to, 120)]);
    }
    assert_eq!(death(&machine), Some(Death::EraOver { last_block: 93 }));
}

#[test]
fn a_search_that_left_blocks_out_proves_nothing() {
    let mut machine = restarted();
    tell(&mut machine, [heads(60, 50)]);
    for (from, to, tip) in [(32, 45, 60), (31, 45, 59), (46, 60, 60)] {
        assert_eq!(machine.tell(absent(from, to, tip)), Ok(false));
    }
    tell(&mut machine, [absent(31, 44, 60)]);
    assert_eq!(death(&machine), None, "block 45 was not searched");
    // Neither is the nonce's use, if the block that has it may be the attempt's own.
    let mut machine = restarted();
    tell(&mut machine, [heads(40, 37), account(37, 5, SPEC + 1)]);
    tell(&mut machine, [absent(31, 36, 40)]);
    assert_eq!(death(&machine), None, "block 37 was not searched");
}

#[test]
fn a_used_nonce_and_a_newer_runtime_are_proofs_at_the_searched_final_block_alone() {
    for (nonce, spec, proof) in [
        (4, SPEC, None),
        (5, SPEC, Some(Death::NonceUsed { next_nonce: 5 })),
        (4, SPEC + 1, Some(Death::SpecChanged { found: SPEC + 1 })),
        // A runtime that is older than the signature's may be followed by the right one.
        (4, SPEC - 1, None),
        (3, SPEC, None),
    ] {
        let mut machine = restarted();
        tell(&mut machine, [heads(40, 37)]);
        tell(&mut machine, [account(37, nonce, spec), absent(31, 40, 40)]);
        assert_eq!(death(&machine), proof, "{nonce}, {spec}");
        // The same said of the best block is no proof.
        let mut machine = restarted();
        tell(&mut machine, [heads(40, 37), absent(31, 40, 40)]);
        tell(&mut machine, [account(40, nonce, spec)]);
        assert_eq!(machine.next(), Next::Ask(Ask::Account { at: block(37) }));
    }
}

#[test]
fn answers_that_are_older_than_what_is_known_are_not_used() {
    let mut machine = restarted();
    assert_eq!(
        machine.tell(heads(33, 29)),
        Ok(false),
        "older than the records"
    );
    tell(&mut machine, [heads(40, 37)]);
    assert_eq!(machine.tell(heads(39, 36)), Ok(false));
    assert_eq!(machine.tell(heads(36, 37)), Ok(false), "best below final");
    assert_eq!(machine.tell(account(36, 9, SPEC)), Ok(false));
    assert_eq!(machine.finalized_number(), 37);
    let other = BlockRef {
        number: 37,
        hash: Hash([1; 32]),
    };
    let lie = Answer::Heads(Heads {
        best: block(41),
        finalized: other,
    });
    assert!(matches!(
        machine.tell(lie),
        Err(TellError::Finality { number: 37, .. })
    ));
}

#[test]
fn a_nonce_that_could_let_two_land_is_refused_wherever_it_comes_from() {
    let dead = |proof| Record::Dead {
        at_block: 45,
        proof,
    };
    let again = |nonce| {
        let mut attempt = attempt(nonce);
        (attempt.at_block, attempt.birth) = (45, block(45));
        Record::Attempt {
            attempt: Box::new(attempt),
        }
    };
    let follows =
        |proof, nonce| State::replay(&[planned(), signed(4), dead(proof), again(nonce)]).is_ok();
    let era = || Death::EraOver { last_block: 45 };
    let used = || Death::NonceUsed { next_nonce: 5 };
    assert!(follows(era(), 4) && follows(era(), 5));
    assert!(!follows(era(), 3));
    assert!(follows(used(), 5));
    assert!(!follows(used(), 4));
    // Two that are alive.
    assert!(State::replay(&[planned(), signed(4), again(5)]).is_err());
    // Alive and given up.
    let reason = Expired::GaveUp { at_block: 45 };
    let verdict = Verdict::Expired { reason };
    let at_block = 45;
    let ended = Record::Ended { at_block, verdict };
    assert!(State::replay(&[planned(), signed(4), ended.clone()]).is_err());
    assert!(State::replay(&[planned(), signed(4), dead(era()), ended]).is_ok());
    // Verified without a look.
    let verdict = Verdict::Verified { block: block(45) };
    let verified = Record::Ended { at_block, verdict };
    assert!(State::replay(&[planned(), verified.clone()]).is_err());
    let finalized = |outcome| Record::Finalized {
        at_block: 45,
        block: block(40),
        outcome,
    };
    let error = "X".to_owned();
    let failed = finalized(Outcome::Failed { error });
    assert!(State::replay(&[planned(), signed(4), failed, verified.clone()]).is_err());
    let succeeded = finalized(Outcome::Succeeded);
    assert!(State::replay(&[planned(), signed(4), succeeded, verified]).is_ok());
    // Blocks that go back.
    assert!(matches!(
        State::replay(&[planned(), signed(4), Record::Sent { at_block: 29 }]),
        Err(Disorder::Backwards { .. })
    ));
}

#[test]
fn what_is_not_settled_at_the_best_block_is_not_signed() {
    let settled = |best: Answer| {
        let mut machine = Machine::resume(&[planned()]).expect("an intent");
        tell(&mut machine, [heads(33, 30), account(30, 4, SPEC), best]);
        machine.next()
    };
    let Next::Ask(Ask::Sign { order }) = settled(account(33, 4, SPEC)) else {
        panic!("settled");
    };
    assert_eq!((order.nonce, order.birth), (4, block(30)));
    for best in [account(33, 5, SPEC), account(33, 4, SPEC + 1)] {
        assert_eq!(settled(best), Next::Ask(Ask::NewerHeads));
    }
}
