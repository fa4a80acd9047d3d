//! Rules of commits, and of what they hide.

use super::*;

#[test]
fn each_rule_of_a_commit_is_refused_by_its_name() {
    let facts = committing();
    only(
        &facts,
        &timelocked(5_000, 3, 300),
        "IncorrectCommitRevealVersion",
    );
    only(&facts, &timelocked(4_999, 4, 300), "InvalidRevealRound");
    let long = refusals(&facts, &timelocked(5_000, 4, 5_001));
    assert_eq!(long, [Refusal::CommitTooLong { found: 5_001 }]);
    let mut open = facts.clone();
    open.parameters.commit_reveal_enabled = false;
    only(&open, &timelocked(5_000, 4, 300), "CommitRevealDisabled");
    let mut waiting = facts.clone();
    waiting.pending.timelocked = (0..10)
        .map(|number| TimelockedCommit {
            epoch: 5,
            commit_block: number,
            commit_hash: Hash::default(),
            commit: Vec::new(),
            reveal_round: 1,
        })
        .collect();
    only(
        &waiting,
        &timelocked(5_000, 4, 300),
        "TooManyUnrevealedCommits",
    );
    // Those of the epoch before do not count.
    waiting.pending.timelocked[0].epoch = 4;
    assert_eq!(refusals(&waiting, &timelocked(5_000, 4, 300)), []);
    let mut mechanism = facts.clone();
    mechanism.mechanism = 2;
    let call = WeightsCall::Commit {
        netuid: 56,
        mechanism: Some(2),
        commit_hash: Hash::default(),
    };
    only(&mechanism, &call, "MechanismDoesNotExist");
}

#[test]
fn what_a_commit_hides_is_checked_as_the_chain_will_without_a_word() {
    let hidden = WeightsPayload {
        hotkey: AccountId([8; 32]),
        uids: vec![0, 0],
        values: vec![1, 2],
        version_key: 99,
    };
    let call = timelocked(5_000, 4, 300);
    let found = preflight(&committing(), &call, Some(&hidden), 75).expect_err("refused");
    let names: Vec<_> = found.iter().map(Refusal::chain_error).collect();
    assert_eq!(
        names,
        [
            None,
            Some("IncorrectWeightVersionKey"),
            Some("DuplicateUids")
        ]
    );
    assert!(
        found[1].to_string().contains("without a word"),
        "{}",
        found[1]
    );
}

#[test]
fn a_hash_is_revealed_in_its_epoch_alone() {
    let mut facts = committing();
    let call = WeightsCall::Reveal {
        netuid: 56,
        mechanism: None,
        uids: vec![0, 7],
        values: vec![1, 2],
        salt: vec![3],
        version_key: 100,
    };
    only(&facts, &call, "NoWeightsCommitFound");
    let hash = commit_hash(HOTKEY, 56, &[0, 7], &[1, 2], &[3], 100);
    let at = |numbers| HashCommit {
        commit_hash: hash,
        numbers,
    };
    // The epoch at block 1,001 is 5: a commit of 4 can be revealed.
    for (numbers, expected) in [
        ([4, 900, 0], None),
        ([5, 900, 0], Some(("RevealTooEarly", Some(1_260)))),
        ([3, 900, 0], Some(("ExpiredWeightCommit", None))),
        ([6, 900, 0], Some(("RevealTooEarly", None))),
        ([900, 1_000, 1_360], None),
        ([900, 1_002, 1_360], Some(("RevealTooEarly", Some(1_002)))),
        ([400, 900, 1_000], Some(("ExpiredWeightCommit", None))),
    ] {
        facts.pending.hashed = vec![at(numbers)];
        match expected {
            None => assert_eq!(refusals(&facts, &call), [], "{numbers:?}"),
            Some((name, retry)) => {
                assert_eq!(
                    only(&facts, &call, name).retry_at_block(),
                    retry,
                    "{numbers:?}"
                );
            }
        }
    }
}
