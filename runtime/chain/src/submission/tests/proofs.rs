//! What is a proof and what is not, answer by answer.

use super::run::*;
use super::toy::*;
use crate::submission::*;
use std::cell::RefCell;
use std::rc::Rc;

fn block(number: u64) -> BlockRef {
    BlockRef {
        number,
        hash: Hash::of(&number.to_le_bytes()),
    }
}

fn heads(best: u64, finalized: u64) -> Answer {
    Answer::Heads(Heads {
        best: block(best),
        finalized: block(finalized),
    })
}

fn account(at: u64, nonce: u32, spec_version: u32) -> Answer {
    let intent = intent(Way::Plain);
    let targets = intent.targets.iter();
    Answer::Account(Box::new(Account {
        at: block(at),
        time_ms: 0,
        nonce,
        spec_version,
        uid: Some(UID),
        last_update: 3,
        rate_limit_blocks: 10,
        commit_reveal_enabled: false,
        reveal_period_epochs: 1,
        epoch: crate::timelock::EpochState {
            last_epoch_block: 24,
            pending_epoch_at: 0,
            subnet_epoch_index: 7,
            tempo: 12,
            blocks_since_last_step: 6,
            block_number: at,
        },
        target_hotkeys: targets.map(|t| Some(t.hotkey)).collect(),
    }))
}

fn attempt(nonce: u32) -> Attempt {
    Attempt {
        at_block: 30,
        step: Step::Set,
        nonce,
        birth: block(30),
        era_period_blocks: 16,
        spec_version: SPEC,
        extrinsic: Bytes(vec![nonce as u8]),
        hash: Hash::of(&[nonce as u8]),
        timelock: None,
    }
}

fn planned() -> Record {
    Record::Planned {
        intent: Box::new(intent(Way::Plain)),
    }
}

fn signed(nonce: u32) -> Record {
    Record::Attempt {
        attempt: Box::new(attempt(nonce)),
    }
}

/// A machine that was restarted with an attempt that may be anywhere, nonce 4, blocks 31 to 45.
fn restarted() -> Machine {
    Machine::resume(&[planned(), signed(4)]).expect("in order")
}

fn absent(from: u64, to: u64, tip: u64) -> Answer {
    Answer::Found(Found {
        hash: attempt(4).hash,
        from,
        to,
        tip: block(tip),
        place: None,
    })
}

fn tell(machine: &mut Machine, answers: impl IntoIterator<Item = Answer>) {
    for answer in answers {
        assert_eq!(machine.tell(answer.clone()), Ok(true), "{answer:?}");
    }
}

fn death(machine: &Machine) -> Option<Death> {
    match machine.next() {
        Next::Keep(Record::Dead { proof, .. }) => Some(proof),
        Next::Ask(_) => None,
        other => panic!("{other:?}"),
    }
}

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

#[test]
fn a_search_that_left_blocks_out_proves_nothing() {
    let mut machine = restarted();
    tell(&mut machine, [heads(60, 50)]);
    for (from, to, tip) in [(32, 45, 60), (31, 45, 59), (46, 60, 60)] {
        assert_eq!(machine.tell(absent(from, to, tip)), Ok(false));
    }
    tell(&mut machine, [absent(31, 44, 60)]);
    assert_eq!(death(&machine), None, "block 45 was not searched");
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

#[test]
fn a_row_that_was_there_before_is_not_taken_for_the_intents() {
    let finalized = Record::Finalized {
        at_block: 45,
        block: block(40),
        outcome: Outcome::Succeeded,
    };
    let records = [planned(), signed(4), finalized];
    let intended = intent(Way::Plain);
    let verdict = |change: fn(&mut Row)| {
        let mut machine = Machine::resume(&records).expect("in order");
        tell(&mut machine, [heads(48, 45)]);
        assert_eq!(machine.next(), Next::Ask(Ask::Row { at: block(40) }));
        let targets = intended.targets.iter();
        let mut row = Row {
            at: block(40),
            uid: Some(UID),
            last_update: 40,
            row: intended.stored_row(),
            target_hotkeys: targets.map(|t| Some(t.hotkey)).collect(),
        };
        change(&mut row);
        tell(&mut machine, [Answer::Row(Box::new(row))]);
        match machine.next() {
            Next::Keep(Record::Ended { verdict, .. }) => Some(verdict),
            _ => None,
        }
    };
    let dropped = |reason| Some(Verdict::Dropped { reason });
    let block = block(40);
    assert_eq!(verdict(|_| ()), Some(Verdict::Verified { block }));
    let last_update = 39;
    let older = Dropped::NotUpdated { last_update };
    assert_eq!(verdict(|row| row.last_update = 39), dropped(older));
    let differs = |expected, found, position| Dropped::RowDiffers {
        position,
        expected,
        found,
    };
    let changed = differs(Some((1, 0)), Some((1, 1)), 2);
    assert_eq!(verdict(|row| row.row[2].1 = 1), dropped(changed));
    let longer = differs(None, Some((7, 0)), 4);
    assert_eq!(verdict(|row| row.row.push((7, 0))), dropped(longer));
    assert_eq!(
        verdict(|row| row.uid = None),
        dropped(Dropped::Deregistered)
    );
    assert_eq!(verdict(|row| row.at.number = 41), None, "another block's");
}

/// A second commit of the same hotkey in the same epoch: one event for two commits says of neither that it was set.
#[test]
fn events_that_may_be_another_commits_prove_nothing() {
    for (events, proven) in [(1, false), (2, true), (3, false)] {
        let (commit, other) = (b"own".to_vec(), Hash::of(b"other"));
        let mut attempt = attempt(4);
        attempt.step = Step::Commit;
        let timelock = Timelock {
            round: 100,
            commit: Bytes(commit.clone()),
        };
        attempt.timelock = Some(timelock);
        let records = [
            Record::Planned {
                intent: Box::new(intent(Way::Timelocked)),
            },
            Record::Attempt {
                attempt: Box::new(attempt),
            },
            Record::Finalized {
                at_block: 40,
                block: block(35),
                outcome: Outcome::Succeeded,
            },
            Record::Committed {
                at_block: 40,
                block: block(35),
                epoch: 7,
            },
        ];
        let mut machine = Machine::resume(&records).expect("in order");
        let own = |hash, epoch| OwnCommit {
            hash,
            epoch,
            block_number: 35,
        };
        // One of an older epoch leaves at the same block and has no event.
        let both = vec![
            own(other, 7),
            own(Hash::of(&commit), 7),
            own(Hash([2; 32]), 6),
        ];
        let set = |at, commits| {
            let at = block(at);
            Answer::Commits(CommitSet { at, commits })
        };
        tell(
            &mut machine,
            [heads(53, 50), set(50, vec![]), set(47, both)],
        );
        assert_eq!(
            machine.next(),
            Next::Ask(Ask::Commits { at: 48 }),
            "halfway"
        );
        tell(&mut machine, [set(48, vec![])]);
        assert_eq!(machine.next(), Next::Ask(Ask::Reveals { at: block(48) }));
        let payload = intent(Way::Timelocked).payload();
        let opened = |at, payload| Answer::Opened {
            at: block(at),
            payload: Ok(payload),
        };
        let reveals = Answer::Reveals {
            at: block(48),
            count: events,
        };
        tell(&mut machine, [reveals, opened(48, payload.clone())]);
        assert!(matches!(machine.next(), Next::Ask(Ask::Open { at, .. }) if at == block(47)));
        let mut foreign = machine.clone();
        tell(&mut machine, [opened(47, payload.clone())]);
        match machine.next() {
            Next::Keep(Record::Revealed { commits: 2, .. }) if proven => {}
            Next::Keep(Record::Ended {
                verdict:
                    Verdict::Dropped {
                        reason: Dropped::Unproven { .. },
                    },
                ..
            }) if !proven => {}
            other => panic!("{events}: {other:?}"),
        }
        // Whatever the events say, a commit that hides something else is not the intent's.
        let mut changed = payload.clone();
        changed.values[0] += 1;
        let mut hotkey = payload;
        hotkey.hotkey = crate::AccountId([8; 32]);
        for (payload, expected) in [
            (changed, Dropped::PayloadDiffers),
            (
                hotkey.clone(),
                Dropped::HotkeyMismatch {
                    found: hotkey.hotkey,
                },
            ),
        ] {
            tell(&mut foreign, [opened(47, payload)]);
            let Next::Keep(Record::Ended { verdict, .. }) = foreign.next() else {
                panic!("{expected:?}");
            };
            assert_eq!(verdict, Verdict::Dropped { reason: expected });
        }
    }
}

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
