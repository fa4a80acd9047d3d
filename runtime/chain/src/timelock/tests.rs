use super::*;
use crate::AccountId;
use crate::keyfile::golden::bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::Deserialize;
use std::sync::LazyLock;

#[derive(Deserialize)]
struct Golden {
    drand: Drand,
    reveal_round_schedule: Schedule,
    commits_round_1000: Commits,
}

#[derive(Deserialize)]
struct Drand {
    public_key: String,
    genesis: u64,
    period: u32,
    round_1000_signature: String,
}

#[derive(Deserialize)]
struct Schedule {
    now: f64,
    cases: Vec<ScheduleCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleCase {
    last_epoch_block: u64,
    pending_epoch_at: u64,
    subnet_epoch_index: u64,
    tempo: u16,
    blocks_since_last_step: u64,
    current_block: u64,
    reveal_period_epochs: u64,
    block_time: f64,
    reveal_round: Option<u64>,
    reveal_block: Option<u64>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Commits {
    cases: Vec<CommitCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitCase {
    uids: Vec<u16>,
    values: Vec<u16>,
    version_key: u64,
    hotkey: String,
    commit: String,
    reveal_round: u64,
    payload_scale_hex: String,
}

static GOLDEN: LazyLock<Golden> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../tests/golden/timelock-vectors.json")).expect("golden")
});

/// Made by this crate, opened by the chain's own client (`open_commits.py`).
fn ours() -> Vec<String> {
    serde_json::from_str(include_str!("../../tests/golden/own-commits.json")).expect("golden")
}

/// A golden commit and what it hides.
pub(crate) fn golden_commit() -> (Vec<u8>, Vec<u8>) {
    let case = &GOLDEN.commits_round_1000.cases[0];
    (bytes(&case.commit), bytes(&case.payload_scale_hex))
}

fn beacon() -> Beacon {
    Beacon::new(
        &GOLDEN.drand.public_key,
        GOLDEN.drand.genesis,
        GOLDEN.drand.period,
    )
    .expect("golden")
}

fn signature() -> BeaconSignature {
    BeaconSignature(crate::hex::decode(&GOLDEN.drand.round_1000_signature).expect("48 bytes"))
}

fn payload(case: &CommitCase) -> WeightsPayload {
    WeightsPayload {
        hotkey: AccountId(crate::hex::decode(&case.hotkey).expect("32 bytes")),
        uids: case.uids.clone(),
        values: case.values.clone(),
        version_key: case.version_key,
    }
}

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

#[test]
fn every_golden_schedule_gives_its_block_and_round() {
    let schedule = &GOLDEN.reveal_round_schedule;
    assert_eq!(schedule.cases.len(), 49);
    for case in &schedule.cases {
        let state = EpochState {
            last_epoch_block: case.last_epoch_block,
            pending_epoch_at: case.pending_epoch_at,
            subnet_epoch_index: case.subnet_epoch_index,
            tempo: case.tempo,
            blocks_since_last_step: case.blocks_since_last_step,
            block_number: case.current_block,
        };
        let [block_time_ms, now_ms] =
            [case.block_time, schedule.now].map(|seconds| (seconds * 1e3) as u64);
        let found = reveal(
            &state,
            case.reveal_period_epochs,
            block_time_ms as u32,
            now_ms,
            &beacon(),
        );
        match (case.reveal_block, case.reveal_round, &case.error) {
            (Some(block_number), Some(round), None) => {
                assert_eq!(
                    found,
                    Ok(Reveal {
                        block_number,
                        round
                    }),
                    "{state:?}"
                );
            }
            (None, None, Some(_)) => assert_eq!(found, Err(ScheduleError::TempoZero), "{state:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_golden_commit_opens_to_its_payload_and_is_written_again() {
    assert_eq!(GOLDEN.commits_round_1000.cases.len(), 3);
    for case in &GOLDEN.commits_round_1000.cases {
        let wire = bytes(&case.commit);
        let ciphertext = Ciphertext::from_wire(&wire).expect("golden");
        assert_eq!(ciphertext.to_wire().expect("short"), wire);
        let opened = unlock(&ciphertext, &signature()).expect("golden");
        assert_eq!(opened, bytes(&case.payload_scale_hex));
        assert_eq!(WeightsPayload::decode(&opened), Ok(payload(case)));
        assert_eq!(payload(case).encode().expect("equal lengths"), opened);
    }
}

/// The bytes of `own-commits.json` were opened by the chain's own client; the same randomness still makes them.
#[test]
fn our_commits_are_those_that_the_chains_client_opened() {
    let cases = &GOLDEN.commits_round_1000.cases;
    let made = cases.iter().zip(1..).map(|(case, seed)| {
        let plain = payload(case).encode().expect("equal lengths");
        let locked = lock(&beacon(), case.reveal_round, &plain, &mut rng(seed)).expect("short");
        assert_eq!(unlock(&locked, &signature()).expect("ours"), plain);
        let wire = locked.to_wire().expect("short");
        assert_eq!(wire.len(), bytes(&case.commit).len());
        crate::hex::encode(&wire)[2..].to_owned()
    });
    let made: Vec<_> = made.collect();
    let shown = serde_json::to_string_pretty(&made).expect("texts");
    assert_eq!(
        made,
        ours(),
        "write this to own-commits.json, then run open_commits.py:\n{shown}"
    );
}

#[test]
fn a_signature_is_verified_for_its_round_and_network_alone() {
    let beacon = beacon();
    assert!(beacon.verifies(1000, &signature()));
    assert!(Beacon::quicknet().verifies(1000, &signature()));
    assert!(!beacon.verifies(1001, &signature()));
    for at in [0, 20, 47] {
        let mut changed = signature();
        changed.0[at] ^= 1;
        assert!(!beacon.verifies(1000, &changed), "byte {at}");
    }
    // Another network's key: the generator times 1.
    let other = "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8";
    assert!(
        !Beacon::new(other, 0, 3)
            .expect("a key")
            .verifies(1000, &signature())
    );
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
fn the_longest_commit_is_the_chains_limit() {
    let room = COMMIT_BYTES_MAX - 244;
    let locked = lock(&beacon(), 1000, &vec![0; room], &mut rng(1)).expect("just fits");
    assert_eq!(locked.to_wire().expect("just fits").len(), COMMIT_BYTES_MAX);
    let refused = lock(&beacon(), 1000, &vec![0; room + 1], &mut rng(1)).expect_err("one more");
    assert_eq!(
        refused,
        LockError::Wire(WireError::TooLong {
            found: COMMIT_BYTES_MAX + 1
        })
    );
    // A vector for a full subnet fits.
    let full = WeightsPayload {
        hotkey: AccountId([1; 32]),
        uids: (0..256).collect(),
        values: vec![65_535; 256],
        version_key: 61_000,
    };
    let locked = lock(&beacon(), 1000, &full.encode().expect("equal"), &mut rng(1)).expect("fits");
    assert_eq!(locked.to_wire().expect("fits").len(), 1_313);
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
