//! What the chain stores of what is sent, and what is no intent.

use super::run::*;
use crate::AccountId;
use crate::Owner;
use crate::submission::*;
use crate::{BlockRef, Hash};

fn stored(values: &[u16]) -> Vec<u16> {
    let mut intent = intent(Way::Plain);
    let target = |(uid, value): (usize, &u16)| Target {
        uid: uid as u16,
        value: *value,
        hotkey: AccountId([1; 32]),
    };
    intent.targets = values.iter().enumerate().map(target).collect();
    let row = intent.stored_row();
    row.into_iter().map(|(_, value)| value).collect()
}

/// The cases of the chain's own test of its function, and ties that its order of operations decides.
#[test]
fn rows_are_scaled_as_the_chain_scales_them() {
    for same in [&[][..], &[0], &[0, 0], &[65_535], &[65_535, 65_535]] {
        assert_eq!(stored(same), same);
    }
    assert_eq!(stored(&[1]), [65_535]);
    assert_eq!(stored(&[0, 1]), [0, 65_535]);
    assert_eq!(stored(&[65_534]), [65_535]);
    assert_eq!(stored(&[0, 1, 65_534]), [0, 1, 65_535]);
    let mixed = [0, 1, 2, 3, 4, 65_533, 65_535];
    assert_eq!(stored(&mixed), mixed);
    // 65,535 / 2 is a half: away from zero.
    assert_eq!(stored(&[1, 2]), [32_768, 65_535]);
    // The same half above 32,768, where the quotient is cut off before it is multiplied: it comes out below.
    assert_eq!(stored(&[10_001, 20_002]), [32_768, 65_535]);
    assert_eq!(stored(&[20_001, 40_002]), [32_767, 65_535]);
    assert_eq!(stored(&[16_384, 32_768]), [32_768, 65_535]);
}

#[test]
fn storage_index_and_hash_are_the_chains() {
    let mut intent = intent(Way::Hash);
    assert_eq!(intent.storage_index(), 56);
    intent.mechanism = 2;
    assert_eq!(intent.storage_index(), 2 * 4_096 + 56);
    // SCALE by hand: account, index, three vectors with their lengths, version key.
    intent.targets.truncate(2);
    let mut bytes = vec![7; 32];
    bytes.extend((2_u16 * 4_096 + 56).to_le_bytes());
    for vector in [&[0_u16, 5][..], &[100, 40_000], &[9; 8]] {
        bytes.push((vector.len() as u8) << 2);
        bytes.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
    }
    bytes.extend(61_000_u64.to_le_bytes());
    assert_eq!(intent.commit_hash(&[9; 8]), Hash::of(&bytes));
}

#[test]
fn what_no_chain_takes_is_no_intent() {
    type Change = fn(&mut Intent);
    let changes: [(&str, Change); 11] = [
        ("profile", |i| i.profile.clear()),
        ("profile", |i| i.profile.push('\n')),
        ("weights", |i| i.targets.clear()),
        ("weights", |i| i.targets[1].uid = 0),
        ("weights", |i| {
            i.targets.iter_mut().for_each(|t| t.value = 0)
        }),
        ("netuid", |i| i.netuid = 0),
        ("netuid", |i| i.netuid = 4_096),
        ("mechanism", |i| i.mechanism = 16),
        ("attempts_max", |i| i.limits.attempts_max = 0),
        ("give_up_at_block", |i| i.limits.give_up_at_block = 30),
        ("salt", |i| {
            i.method = Method::HashCommit { salt: vec![1; 7] }
        }),
    ];
    assert_eq!(intent(Way::Hash).check(), Ok(()));
    for (name, change) in changes {
        let mut changed = intent(Way::Hash);
        change(&mut changed);
        let refused = changed.check();
        let error = refused.expect_err(name);
        // What somebody asked for is not this program's fault.
        let (field, owner) = match &error {
            IntentError::Asked { what, .. } => (what, Owner::Host),
            IntentError::Field { field, .. } => (field, Owner::Bug),
            IntentError::Id { .. } => panic!("{name}: {error}"),
        };
        assert_eq!((*field, error.owner()), (name, owner));
        let given = ["weights", "netuid", "mechanism"].contains(&name);
        assert_eq!(owner == Owner::Host, given, "{name}");
        let first = Record::Planned {
            intent: Box::new(changed),
        };
        assert!(matches!(State::begin(&first), Err(Disorder::Intent(_))));
    }
    for name in ["", "-a", "A", "a/b", "..", "a b", &"a".repeat(65)] {
        assert!(IntentId::new(name).is_err(), "{name}");
    }
    // Files, too, are checked.
    assert!(serde_json::from_str::<IntentId>("\"../a\"").is_err());
}

/// Whatever a plan of another version of this program says: a commit is in the format that this one writes.
#[test]
fn a_commit_says_the_format_that_it_is_in() {
    let mut intent = intent(Way::Timelocked);
    intent.method = Method::Timelocked {
        commit_reveal_version: 5,
    };
    let timelock = Timelock {
        round: 1_000,
        commit: Bytes(vec![1]),
    };
    let call = Call::of(&intent, Step::Commit, Some(&timelock));
    let Call::CommitTimelocked {
        commit_reveal_version,
        ..
    } = call
    else {
        panic!("{call:?}");
    };
    assert_eq!(commit_reveal_version, crate::timelock::COMMIT_VERSION);
}

/// The cipher that real drives use, with a round that has been out for years.
#[test]
fn the_beacons_cipher_opens_what_it_locked() {
    use rand_core::SeedableRng;
    let golden = include_str!("../../../tests/golden/timelock-vectors.json");
    let golden: serde_json::Value = serde_json::from_str(golden).expect("golden");
    let signature = golden["drand"]["round_1000_signature"].as_str();
    let signature = crate::hex::decode(signature.expect("a text")).expect("48 bytes");
    let signature = crate::timelock::BeaconSignature(signature);
    let rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
    let mut cipher = BeaconCipher::new(crate::timelock::Beacon::quicknet(), rng);
    let payload = intent(Way::Timelocked).payload().encode().expect("pairs");
    let commit = cipher.lock(1_000, &payload).expect("short");
    assert_eq!(cipher.unlock(&commit, &signature), Ok(payload.clone()));
    let other = cipher.lock(1_001, &payload).expect("short");
    assert!(cipher.unlock(&other, &signature).is_err());
    assert!(cipher.unlock(&commit[1..], &signature).is_err());
}

#[test]
fn how_it_ended_is_said_once() {
    let verdict = Verdict::Expired {
        reason: Expired::Abandoned,
    };
    let ended = Record::Ended {
        at_block: 31,
        verdict,
    };
    let planned = Record::Planned {
        intent: Box::new(intent(Way::Plain)),
    };
    let state = State::replay(&[planned, ended.clone()]).expect("in order");
    let status = IntentStatus::of(&state);
    let shown = format!("{}: {}", status.word, status.reason);
    assert_eq!(shown, "expired: given up by hand, nothing of it can land");
    // A line of progress has no word before it.
    assert_eq!(ended.to_string(), shown);
}

#[test]
fn failures_are_counted_since_the_last_success() {
    let ended = |name: &str, at: u64, fallback: bool, verified: bool| {
        let mut intent = intent(if fallback { Way::Fallback } else { Way::Plain });
        intent.id = IntentId::new(name).expect("a name");
        let first = Record::Planned {
            intent: Box::new(intent),
        };
        let mut status = IntentStatus::of(&State::begin(&first).expect("an intent"));
        status.last_block = at;
        let block = BlockRef {
            number: at,
            hash: Hash([0; 32]),
        };
        let reason = Expired::Attempts { count: 4 };
        status.verdict = Some(match verified {
            true => Verdict::Verified { block },
            false => Verdict::Expired { reason },
        });
        status
    };
    let mut status = Status::of("toy", []);
    status.intents = vec![
        ended("a", 10, false, false),
        ended("b", 20, false, true),
        ended("c", 30, false, false),
        ended("d", 40, true, true),
        ended("e", 50, false, false),
    ];
    let count =
        |status: &Status, mechanism| failures_in_a_row(status, 56, mechanism, super::toy::HOTKEY);
    assert_eq!(
        count(&status, 0),
        2,
        "fallback weights are no success of results"
    );
    assert_eq!(count(&status, 1), 0);
    status.intents.remove(1);
    assert_eq!(count(&status, 0), 3);
}
