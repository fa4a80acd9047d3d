mod refusals;

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
