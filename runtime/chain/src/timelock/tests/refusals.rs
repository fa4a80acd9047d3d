use super::super::*;
use super::{GOLDEN, beacon, payload, rng, signature};
use crate::keyfile::golden::bytes;

#[test]
fn what_does_not_open_says_why() {
    let wire = bytes(&GOLDEN.commits_round_1000.cases[0].commit);
    let opened = |change: &dyn Fn(&mut Ciphertext)| {
        let mut ciphertext = Ciphertext::from_wire(&wire).expect("golden");
        change(&mut ciphertext);
        unlock(&ciphertext, &signature()).expect_err("changed")
    };
    assert_eq!(opened(&|c| c.u[5] ^= 1), UnlockError::Point);
    assert_eq!(opened(&|c| c.v[0] ^= 1), UnlockError::OtherRoundOrChanged);
    assert_eq!(opened(&|c| c.w[31] ^= 1), UnlockError::OtherRoundOrChanged);
    assert_eq!(opened(&|c| c.sealed[0] ^= 1), UnlockError::PayloadChanged);
    assert_eq!(opened(&|c| c.nonce[0] ^= 1), UnlockError::PayloadChanged);
    let golden = Ciphertext::from_wire(&wire).expect("golden");
    let no_point = unlock(&golden, &BeaconSignature([0xff; 48])).expect_err("no point");
    assert_eq!(no_point, UnlockError::Signature);
    let other_round = lock(&beacon(), 1001, b"x", &mut rng(1)).expect("short");
    let refused = unlock(&other_round, &signature()).expect_err("another round");
    assert_eq!(refused, UnlockError::OtherRoundOrChanged);
}

/// Lengths come from the chain's storage: whatever they say, nothing is reserved for them.
#[test]
fn commits_with_other_lengths_are_refused_before_anything_is_reserved() {
    let wire = bytes(&GOLDEN.commits_round_1000.cases[0].commit);
    for length in 0..wire.len() {
        let refused = Ciphertext::from_wire(&wire[..length]).expect_err("cut off");
        assert!(
            matches!(refused, WireError::Short { .. }),
            "{length}: {refused}"
        );
    }
    let trailing = Ciphertext::from_wire(&[&wire[..], b"x"].concat()).expect_err("more");
    assert_eq!(trailing, WireError::Trailing { found: 1 });
    for at in [96, 136, 176, 184, wire.len() - 36, wire.len() - 16] {
        for length in [0_u64, 1, 31, 33, 1 << 40, u64::MAX - 20, u64::MAX] {
            let mut changed = wire.clone();
            changed[at..at + 8].copy_from_slice(&length.to_le_bytes());
            let refused = Ciphertext::from_wire(&changed).expect_err("another length");
            assert!(
                matches!(refused, WireError::Length { .. }),
                "{at} {length}: {refused}"
            );
        }
    }
    // Both lengths of the body agree, and lie.
    let mut lies = wire.clone();
    lies[176..184].copy_from_slice(&(u64::MAX).to_le_bytes());
    lies[184..192].copy_from_slice(&(u64::MAX - 28).to_le_bytes());
    let refused = Ciphertext::from_wire(&lies).expect_err("too long");
    assert_eq!(
        refused,
        WireError::Short {
            field: "sealed payload"
        }
    );
    let mut suite = wire.clone();
    *suite.last_mut().expect("long") = b'!';
    assert_eq!(
        Ciphertext::from_wire(&suite).expect_err("another cipher"),
        WireError::Suite
    );
    let long = Ciphertext::from_wire(&[0; COMMIT_BYTES_MAX + 1]).expect_err("long");
    assert_eq!(
        long,
        WireError::TooLong {
            found: COMMIT_BYTES_MAX + 1
        }
    );
}

#[test]
fn payloads_that_the_chain_would_drop_are_refused() {
    let good = payload(&GOLDEN.commits_round_1000.cases[0]);
    let unequal = WeightsPayload {
        values: vec![1],
        ..good.clone()
    };
    assert_eq!(
        unequal.encode(),
        Err(PayloadError::Length { uids: 2, values: 1 })
    );
    let encoded = good.encode().expect("equal lengths");
    for length in 0..encoded.len() {
        assert_eq!(
            WeightsPayload::decode(&encoded[..length]),
            Err(PayloadError::Malformed),
            "{length}"
        );
    }
    assert_eq!(
        WeightsPayload::decode(&[&encoded[..], b"x"].concat()),
        Err(PayloadError::Malformed)
    );
    let short_key = [&[4, 7, 0, 0][..], &[0; 8]].concat();
    assert_eq!(
        WeightsPayload::decode(&short_key),
        Err(PayloadError::Hotkey { found: 1 })
    );
    // A length of 2^30 - 1 with nothing behind it.
    let lies = [&encoded[..33], &[0xfe, 0xff, 0xff, 0xff]].concat();
    assert_eq!(WeightsPayload::decode(&lies), Err(PayloadError::Malformed));
}

#[test]
fn states_that_no_chain_has_end_the_search() {
    let state = EpochState {
        last_epoch_block: 0,
        pending_epoch_at: 0,
        subnet_epoch_index: 0,
        tempo: 360,
        blocks_since_last_step: 0,
        block_number: 0,
    };
    let of = |state: &EpochState, period| reveal(state, period, 12_000, 0, &beacon());
    assert!(matches!(
        of(&state, u64::MAX),
        Err(ScheduleError::Period { .. })
    ));
    for broken in [
        EpochState {
            subnet_epoch_index: u64::MAX,
            ..state
        },
        EpochState {
            last_epoch_block: u64::MAX,
            ..state
        },
        EpochState {
            blocks_since_last_step: u64::MAX,
            ..state
        },
        EpochState {
            block_number: u64::MAX,
            ..state
        },
    ] {
        assert!(
            matches!(of(&broken, 1), Err(ScheduleError::Overflow { .. })),
            "{broken:?}"
        );
    }
    // Its last epoch lies ahead: the longest time without one still ends it.
    let ahead = EpochState {
        last_epoch_block: 1 << 40,
        ..state
    };
    assert_eq!(of(&ahead, 1).map(|reveal| reveal.block_number), Ok(50_402));
    // Nothing to wait for: it opens in the block in which it lands.
    assert_eq!(of(&state, 0).map(|reveal| reveal.block_number), Ok(1));
}

#[test]
fn beacons_that_cannot_be_are_refused_and_rounds_count_from_one() {
    let key = &GOLDEN.drand.public_key;
    assert_eq!(
        Beacon::new("00", 0, 3).expect_err("no key"),
        BeaconError::PublicKey
    );
    assert_eq!(
        Beacon::new(&"ff".repeat(96), 0, 3).expect_err("no point"),
        BeaconError::PublicKey
    );
    assert_eq!(
        Beacon::new(key, 0, 0).expect_err("no period"),
        BeaconError::Period
    );
    assert_eq!(
        Beacon::new(key, u64::MAX, 3).expect_err("never"),
        BeaconError::Genesis { found: u64::MAX }
    );
    let beacon = Beacon::new(key, 100, 3).expect("a key");
    for (time_ms, round) in [
        (0, 1),
        (100_000, 1),
        (105_999, 1),
        (106_000, 2),
        (130_000, 10),
    ] {
        assert_eq!(beacon.round_before(time_ms), round, "{time_ms}");
    }
}
