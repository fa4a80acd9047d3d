//! What is a proof that weights took effect, and what is not, answer by answer.

use super::answers::*;
use super::run::*;
use super::toy::*;
use crate::Hash;
use crate::submission::*;

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
