use super::epoch::max_upscaled;
use super::*;
use crate::yuma::{Uid, Version, epoch};

fn neuron(uid: u16, stake_rao: u64, last_update: u64, registered_at: u64) -> Neuron {
    Neuron {
        uid,
        hotkey: format!("hotkey-{uid}"),
        coldkey: "coldkey".into(),
        stake_rao,
        validator_permit: true,
        last_update,
        registered_at,
        oldest_open_commit: None,
        incentive: 0,
        dividends: 0,
        weights: vec![],
        bonds: vec![],
    }
}

fn snapshot() -> Snapshot {
    let mut neurons = vec![
        neuron(0, 1000, 900, 1),
        neuron(1, 3000, 880, 2),
        neuron(2, 5, 899, 880),
        neuron(3, 0, 0, 700),
    ];
    neurons[0].weights = vec![(2, 65535), (3, 30000)];
    neurons[1].weights = vec![(2, 65535), (3, 65535)];
    neurons[1].bonds = vec![(2, 7), (3, 8)];
    Snapshot {
        version: VERSION,
        network: "local".into(),
        genesis: format!("0x{}", "00".repeat(32)),
        spec_version: 461,
        netuid: 56,
        mechanism: 0,
        block: 1000,
        block_hash: format!("0x{}", "11".repeat(32)),
        settings: Settings {
            tempo: 360,
            activity_cutoff_blocks: 100,
            stake_threshold_rao: 100,
            yuma3: true,
            kappa: 32767,
            bonds_penalty: 65535,
            bonds_moving_average_ppm: 900_000,
            liquid_alpha: false,
            weights_min: 1,
            max_weight: 65535,
            weights_version: 0,
            weights_rate_limit: 100,
            commit_reveal: true,
        },
        owner_hotkey: None,
        last_step_block: 650,
        emission_rao: 1_000_000,
        neurons,
    }
}

#[test]
fn what_does_not_count_is_left_out_by_blocks() {
    let input = snapshot().epoch_input(1000);
    input.check().unwrap();
    assert_eq!(
        input.stakes_rao,
        [1000, 3000, 0, 0],
        "stake below the threshold"
    );
    assert_eq!(
        input.active,
        [true, false, false, false],
        "the cut-off block itself counts"
    );
    assert!(snapshot().epoch_input(980).active[1]);
    // The second row is of the block at which uid 2 was registered.
    assert_eq!(input.weights[0], [(Uid(2), 65535), (Uid(3), 30000)]);
    assert_eq!(input.weights[1], [(Uid(3), 65535)]);
    // Uids 2 and 3 came after the last epoch's next block, 651.
    assert_eq!(input.bonds[1], []);
    let mut later = snapshot();
    later.last_step_block = 700;
    assert_eq!(later.epoch_input(1000).bonds[1], [(Uid(3), 8)]);
    later.last_step_block = 0;
    later.neurons[3].registered_at = 639;
    assert_eq!(later.epoch_input(1000).bonds[1], [(Uid(3), 8)]);
}

#[test]
fn an_open_commit_hides_weights_for_those_who_came_after_it() {
    let mut snapshot = snapshot();
    snapshot.neurons[0].oldest_open_commit = Some(879);
    assert_eq!(
        snapshot.epoch_input(1000).weights[0],
        [(Uid(3), 30000)],
        "uid 2 came at 880"
    );
    snapshot.neurons[0].oldest_open_commit = Some(880);
    assert_eq!(snapshot.epoch_input(1000).weights[0].len(), 2);
    snapshot.neurons[0].oldest_open_commit = Some(1);
    snapshot.settings.commit_reveal = false;
    assert_eq!(snapshot.epoch_input(1000).weights[0].len(), 2);
}

#[test]
fn the_owner_has_a_permit_and_no_threshold() {
    let mut snapshot = snapshot();
    snapshot.neurons[2].validator_permit = false;
    snapshot.owner_hotkey = Some("hotkey-2".into());
    snapshot.settings.yuma3 = false;
    let input = snapshot.epoch_input(1000);
    assert_eq!(input.owner, Some(Uid(2)));
    assert_eq!((input.permits[2], input.stakes_rao[2]), (true, 5));
    assert_eq!(input.hyperparameters.version, Version::Yuma2);
    snapshot.owner_hotkey = Some("somebody else".into());
    assert!(!snapshot.epoch_input(1000).permits[2]);
}

#[test]
fn whose_vector_counts_for_nothing_is_said_with_the_reason() {
    let mut snapshot = snapshot();
    let said = |snapshot: &Snapshot, uid| snapshot.uncounted(uid).map(|why| why.to_string());
    assert_eq!(said(&snapshot, 0), None);
    let small = "its stake weight is 5 rao, and 100 are the least that counts";
    assert_eq!(said(&snapshot, 2).as_deref(), Some(small));
    snapshot.neurons[2].validator_permit = false;
    assert_eq!(snapshot.uncounted(2), Some(Uncounted::NoPermit));
    snapshot.owner_hotkey = Some("hotkey-2".into());
    assert_eq!(snapshot.uncounted(2), None);
    snapshot.owner_hotkey = Some("hotkey-3".into());
    assert_eq!(snapshot.uncounted(3), Some(Uncounted::NoStake));
    // As the epoch counts them.
    let input = snapshot.epoch_input(1000);
    for uid in 0..4 {
        let counts = input.permits[uid] && input.stakes_rao[uid] > 0;
        assert_eq!(counts, snapshot.uncounted(uid as u16).is_none(), "{uid}");
    }
}

#[test]
fn a_row_that_is_set_is_a_row_of_its_block() {
    let then = snapshot().with_row(1, &[(2, 10), (3, 5)], 1000);
    assert_eq!(then.neurons[1].weights, [(2, 65535), (3, 32768)]);
    let input = then.epoch_input(1000);
    assert_eq!(
        (input.active[1], input.weights[1].len()),
        (true, 2),
        "nobody came since"
    );
    let earned = epoch(&input).unwrap().neurons;
    let before = epoch(&snapshot().epoch_input(1000)).unwrap().neurons;
    assert_eq!(before[1].validator_emission_rao, 0, "it was not active");
    assert!(earned[1].validator_emission_rao > 0);
}

#[test]
fn rows_are_scaled_up_as_the_chain_scales_them() {
    let values = |values: &[u16]| {
        let row: Vec<_> = (0u16..).zip(values.iter().copied()).collect();
        let scaled = max_upscaled(&row).into_iter().map(|(_, value)| value);
        scaled.collect::<Vec<_>>()
    };
    // From the chain's own tests.
    for (given, expected) in [
        (&[][..], &[][..]),
        (&[0, 0], &[0, 0]),
        (&[1], &[65535]),
        (&[65534], &[65535]),
        (&[0, 1, 65534], &[0, 1, 65535]),
        (
            &[0, 1, 2, 3, 4, 65533, 65535],
            &[0, 1, 2, 3, 4, 65533, 65535],
        ),
    ] {
        assert_eq!(values(given), expected);
    }
    // Halves go up, on both sides of the half of the range.
    assert_eq!(values(&[1, 2]), [32768, 65535]);
    assert_eq!(values(&[16384, 32768]), [32768, 65535]);
}

#[test]
fn a_file_comes_back_and_others_are_refused() {
    let snapshot = snapshot();
    let text = snapshot.to_json();
    assert_eq!(Snapshot::parse(text.as_bytes()).unwrap(), snapshot);
    let refused = |text: String| {
        Snapshot::parse(text.as_bytes())
            .unwrap_err()
            .to_string()
            .replace('\n', " ")
    };
    for (from, to, says) in [
        ("\"tempo\":360,", "", "missing field `tempo`"),
        (
            "\"tempo\":360,",
            "\"tempo\":360,\"temper\":1,",
            "unknown field `temper`",
        ),
        ("\"tempo\":360", "\"tempo\":-1", "invalid value"),
        ("\"version\":1,", "\"version\":2,", "version 2, expected 1"),
        (
            "\"uid\":3,",
            "\"uid\":4,",
            "neuron 3 of the snapshot has uid 4",
        ),
        ("hotkey-3", "hotkey-0", "at uids 0 and 3"),
        ("\"oldest_open_commit\":null,", "", "missing field"),
    ] {
        assert!(text.contains(from), "{from}");
        let message = refused(text.replace(from, to));
        assert!(message.contains(says), "{message}");
    }
    let mut empty = snapshot;
    empty.neurons.clear();
    assert!(refused(empty.to_json()).contains("the metagraph is empty"));
}
