mod commits;

use crate::AccountId;
use crate::node::{
    ActivityCutoff, Facts, HashCommit, PendingCommits, Refusal, SubnetParameters, TimelockedCommit,
    Warning, WeightsCall, commit_hash, preflight, storage_index,
};
use crate::stored_values;
use crate::timelock::WeightsPayload;
use crate::{BlockRef, Hash};

const HOTKEY: AccountId = AccountId([7; 32]);

/// A hotkey at uid 3 of 8, with all that it needs, at block 1,000.
fn facts() -> Facts {
    let block = BlockRef {
        number: 1_000,
        hash: Hash([1; 32]),
    };
    Facts {
        block,
        hotkey: HOTKEY,
        mechanism: 0,
        parameters: SubnetParameters {
            netuid: 56,
            block,
            tempo: 360,
            num_uids: 8,
            min_allowed_weights: 2,
            weights_version_key: 100,
            weights_set_rate_limit_blocks: 100,
            commit_reveal_enabled: false,
            reveal_period_epochs: 1,
            commit_reveal_version: 4,
            stake_threshold_rao: 1_000,
            activity_cutoff: ActivityCutoff {
                blocks: 5_000,
                factor_milli: None,
            },
            mechanism_count: Some(2),
            owner_hotkey: AccountId([9; 32]),
            blocks_since_last_step: 100,
            last_epoch_block: Some(900),
            pending_epoch_at: Some(0),
            subnet_epoch_index: Some(5),
        },
        max_weight: u16::MAX,
        uid: Some(3),
        owner_uid: Some(0),
        validator_permit: true,
        total_stake_rao: Some(1_000),
        last_update: Some(901),
        pending: PendingCommits::default(),
        last_stored_round: Some(5_000),
        nonce: 12,
        metagraph_digest: Hash([2; 32]),
    }
}

fn committing() -> Facts {
    let mut facts = facts();
    facts.parameters.commit_reveal_enabled = true;
    facts
}

fn set() -> WeightsCall {
    vector(vec![0, 7], vec![65_535, 1])
}

fn vector(uids: Vec<u16>, values: Vec<u16>) -> WeightsCall {
    WeightsCall::Set {
        netuid: 56,
        mechanism: None,
        uids,
        values,
        version_key: 100,
    }
}

fn timelocked(round: u64, version: u16, size_bytes: usize) -> WeightsCall {
    WeightsCall::CommitTimelocked {
        netuid: 56,
        mechanism: Some(0),
        commit: vec![0; size_bytes],
        reveal_round: round,
        commit_reveal_version: version,
    }
}

fn refusals(facts: &Facts, call: &WeightsCall) -> Vec<Refusal> {
    preflight(facts, call, None, 75).err().unwrap_or_default()
}

/// Exactly one rule is broken, which the chain calls this.
#[track_caller]
fn only(facts: &Facts, call: &WeightsCall, chain_error: &str) -> Refusal {
    let mut found = refusals(facts, call);
    assert_eq!(found.len(), 1, "{found:?}");
    let refusal = found.pop().expect("one");
    assert_eq!(refusal.chain_error(), Some(chain_error), "{refusal}");
    refusal
}

#[test]
fn a_submission_that_breaks_no_rule_is_ready_for_the_next_block() {
    let ready = preflight(&facts(), &set(), None, 75).expect("ready");
    assert_eq!((ready.call, ready.uid, ready.nonce), ("set_weights", 3, 12));
    assert_eq!((ready.landing_block, ready.storage_index), (1_001, 56));
    assert_eq!(ready.warnings, []);
    let ready = preflight(&committing(), &timelocked(5_000, 4, 5_000), None, 75).expect("ready");
    assert_eq!(ready.call, "commit_timelocked_mechanism_weights");
}

#[test]
fn the_rate_limit_ends_at_a_block_that_is_named() {
    // 901 + 100: block 1,001 is the first that can take it, and the next one is.
    let mut facts = facts();
    assert_eq!(refusals(&facts, &set()), []);
    facts.last_update = Some(902);
    let refusal = only(&facts, &set(), "SettingWeightsTooFast");
    assert_eq!(refusal.retry_at_block(), Some(1_002));
    facts.last_update = Some(0);
    assert_eq!(refusals(&facts, &set()), []);
    let mut facts = committing();
    facts.last_update = Some(1_000);
    let refusal = only(
        &facts,
        &timelocked(5_000, 4, 300),
        "CommittingWeightsTooFast",
    );
    assert_eq!(refusal.retry_at_block(), Some(1_100));
}

#[test]
fn each_rule_of_the_subnet_is_refused_by_its_name() {
    let edited = |edit: fn(&mut Facts)| {
        let mut facts = facts();
        edit(&mut facts);
        facts
    };
    type Case = (fn(&mut Facts), &'static str);
    let cases: [Case; 6] = [
        (|f| f.uid = None, "HotKeyNotRegisteredInSubNet"),
        (
            |f| f.total_stake_rao = Some(999),
            "NotEnoughStakeToSetWeights",
        ),
        (
            |f| f.parameters.weights_version_key = 101,
            "IncorrectWeightVersionKey",
        ),
        (
            |f| f.parameters.commit_reveal_enabled = true,
            "CommitRevealEnabled",
        ),
        (|f| f.validator_permit = false, "NeuronNoValidatorPermit"),
        (
            |f| f.parameters.min_allowed_weights = 3,
            "WeightVecLengthIsLow",
        ),
    ];
    for (edit, name) in cases {
        only(&edited(edit), &set(), name);
    }
    // The subnet's owner needs neither stake nor permit; a key of 0 takes all versions.
    let owner = edited(|f| {
        f.owner_uid = Some(3);
        f.total_stake_rao = Some(0);
        f.validator_permit = false;
        f.parameters.weights_version_key = 0;
    });
    assert_eq!(refusals(&owner, &set()), []);
    // A stake that no node knows is a warning.
    let unknown = edited(|f| f.total_stake_rao = None);
    let ready = preflight(&unknown, &set(), None, 75).expect("ready");
    assert_eq!(ready.warnings, [Warning::StakeUnknown]);
}

#[test]
fn each_rule_of_a_vector_is_refused_by_its_name() {
    let facts = facts();
    only(
        &facts,
        &vector(vec![0, 7], vec![1, 2, 3]),
        "WeightVecNotEqualSize",
    );
    only(&facts, &vector(vec![0, 0], vec![1, 2]), "DuplicateUids");
    only(
        &facts,
        &vector(vec![0, 8], vec![1, 2]),
        "UidVecContainInvalidOne",
    );
    only(&facts, &vector(vec![0], vec![1]), "WeightVecLengthIsLow");
    // A weight for oneself alone is exempt from length, permit and limit.
    let mut alone = facts.clone();
    alone.validator_permit = false;
    alone.max_weight = 1;
    assert_eq!(refusals(&alone, &vector(vec![3], vec![1])), []);
    let many = vector((0..9).map(|uid| uid % 8).collect(), vec![1; 9]);
    let names: Vec<_> = refusals(&facts, &many)
        .iter()
        .map(Refusal::chain_error)
        .collect();
    assert_eq!(
        names,
        [Some("UidsLengthExceedUidsInSubNet"), Some("DuplicateUids")]
    );
}

#[test]
fn the_largest_share_is_reckoned_as_the_chain_does() {
    let mut facts = facts();
    // Half is 32767.5 of 65,535: two equal weights are above 32,767 and not above 32,768.
    for (limit, allowed) in [(32_767, false), (32_768, true)] {
        facts.max_weight = limit;
        let found = refusals(&facts, &vector(vec![0, 1], vec![9, 9]));
        assert_eq!(found.is_empty(), allowed, "{limit}: {found:?}");
    }
    let refusal = {
        facts.max_weight = 32_768;
        only(&facts, &vector(vec![4, 5], vec![1, 9]), "MaxWeightExceeded")
    };
    assert_eq!(
        refusal,
        Refusal::MaxWeight {
            uid: 5,
            limit: 32_768
        }
    );
}

#[test]
fn stored_values_are_scaled_to_the_full_range() {
    assert_eq!(stored_values(&[100, 200]), [32_768, 65_535]);
    assert_eq!(stored_values(&[0, 0]), [0, 0]);
    assert_eq!(stored_values(&[]), [] as [u16; 0]);
    assert_eq!(stored_values(&[65_535, 1, 30_000]), [65_535, 1, 30_000]);
    // Above 32,768 the factor is rounded first, which costs nothing at the top.
    assert_eq!(stored_values(&[40_000, 20_000]), [65_535, 32_767]);
}

#[test]
fn a_validator_that_is_silent_is_warned_of_its_cut_off() {
    let mut facts = facts();
    facts.block.number = 4_650;
    assert_eq!(facts.activity(75), None);
    facts.block.number = 4_651;
    let Some(Warning::Activity {
        since_blocks,
        inactive_at_block,
        ..
    }) = facts.activity(75)
    else {
        panic!("no alarm");
    };
    assert_eq!((since_blocks, inactive_at_block), (3_750, 5_902));
    facts.parameters.activity_cutoff.blocks = u64::MAX;
    assert_eq!(facts.activity(100), None);
}

#[test]
fn mechanisms_are_4096_apart() {
    assert_eq!(storage_index(56, 0), Some(56));
    assert_eq!(storage_index(56, 1), Some(4_152));
    assert_eq!(storage_index(4_096, 0), None);
    assert_eq!(storage_index(56, 16), None);
}
