use super::*;
use gradus_node::ChainFault;
use gradus_tasks::subnet::Snapshot;
use serde_json::json;
use std::fs;

const SPECS: [Spec; 3] = [Spec::V365, Spec::V439, Spec::V461];

/// Rao that wait for the next epoch: for miners, for validators by both kinds of stake.
const PENDING: [u64; 3] = [4_000_000_007, 3_000_000_000, 1_000_000_000];

/// Settings, rows and payments that differ from every default, and from each other.
fn furnish(storage: &mut Storage) {
    let of = [Key::U16(NETUID)];
    storage.put(item("Kappa"), &of, 31_000_u16);
    storage.put(item("BondsPenalty"), &of, 64_000_u16);
    storage.put(item("BondsMovingAverage"), &of, 875_000_u64);
    storage.put(item("Yuma3On"), &of, true);
    storage.put(item("PendingServerEmission"), &of, PENDING[0]);
    storage.put(item("PendingValidatorEmission"), &of, PENDING[1]);
    storage.put(item("PendingRootAlphaDivs"), &of, PENDING[2]);
    storage.put(item("Dividends"), &of, vec![40_000_u16, 25_535, 0, 0, 0]);
    storage.put(item("Incentive"), &of, vec![0_u16, 0, 50_000, 15_535, 0]);
    storage.put(item("LastUpdate"), &of, vec![9_u64, 8, 7, 6, 5]);
    for (uid, weights, bonds) in [
        (
            0_u16,
            vec![(2_u16, 65_535_u16), (3, 20_000)],
            vec![(2_u16, 65_535_u16), (4, 9)],
        ),
        (1, vec![(3, 65_535), (4, 1)], vec![(3, 4_000)]),
    ] {
        let slot = [Key::U16(NETUID), Key::U16(uid)];
        storage.put(item("Weights"), &slot, weights);
        storage.put(item("Bonds"), &slot, bonds);
    }
    for uid in 0..5_u16 {
        let slot = [Key::U16(NETUID), Key::U16(uid)];
        storage.put(item("BlockAtRegistration"), &slot, u64::from(uid));
    }
}

fn furnished(spec: Spec) -> Chain {
    let edit = |config: &mut ChainConfig| {
        config.spec = spec;
        let subnet = &mut config.subnets[0];
        subnet.tempo = 77;
        subnet.weights_set_rate_limit = 9;
        subnet.weights_version_key = 61_000;
        subnet.min_allowed_weights = 2;
        subnet.max_weights_limit = 40_000;
        subnet.activity_cutoff = 123;
    };
    chain(edit, furnish)
}

fn snapshot_of(finished: &Finished) -> Snapshot {
    assert_eq!(
        finished.code,
        Some(0),
        "{}{}",
        finished.stdout,
        finished.stderr
    );
    Snapshot::parse(finished.stdout.as_bytes()).expect("what weights read")
}

#[test]
fn a_snapshot_has_what_storage_has_in_three_specs_and_goes_through_a_simulation() {
    for spec in SPECS {
        let chain = furnished(spec);
        let (first, second) = (serve(&chain), serve(&chain));
        let done = ask(&[&first, &second], &["metagraph", "--json"]);
        let subnet = snapshot_of(&done);
        assert_eq!(done.stderr, "", "nobody was left out");
        let block = chain.block(FINAL as u32).unwrap();
        let hex = |bytes: &[u8]| gradus_node::hex::encode(bytes);
        assert_eq!(subnet.block_hash, hex(&block.hash));
        assert_eq!(subnet.genesis, hex(&chain.genesis_hash()));
        assert_eq!(
            (subnet.network.as_str(), subnet.netuid, subnet.mechanism),
            ("local", 56, 0)
        );
        assert_eq!(subnet.block, FINAL);
        assert_eq!(subnet.owner_hotkey, Some(address_of(1)));
        assert_eq!(subnet.owner_uid(), Some(1));
        assert_eq!(subnet.emission_rao, PENDING.iter().sum::<u64>());
        let settings = &subnet.settings;
        // Newer runtimes count by the tempo: the default is 13,889 thousandths of it.
        let factor: Option<u32> =
            chain
                .storage()
                .has(item("ActivityCutoffFactorMilli"))
                .then(|| {
                    chain
                        .storage()
                        .get(item("ActivityCutoffFactorMilli"), &[Key::U16(NETUID)])
                });
        let cutoff = factor.map_or(123, |factor| u64::from(factor) * 77 / 1_000);
        assert_eq!(settings.activity_cutoff_blocks, cutoff);
        assert_eq!(
            json!(settings),
            json!({
                "tempo": 77, "activity_cutoff_blocks": cutoff, "stake_threshold_rao": 1_000_000_000_000_u64,
                "yuma3": true, "kappa": 31_000, "bonds_penalty": 64_000, "bonds_moving_average_ppm": 875_000,
                "liquid_alpha": false, "weights_min": 2, "max_weight": 65_535, "weights_version": 61_000,
                "weights_rate_limit": 9, "commit_reveal": false,
            })
        );
        let neurons = &subnet.neurons;
        assert_eq!(neurons.len(), 5);
        for (uid, neuron) in (0_u8..).zip(neurons) {
            assert_eq!(neuron.hotkey, address_of(uid));
            assert_eq!(neuron.validator_permit, uid < 2);
            assert_eq!(neuron.last_update, 9 - u64::from(uid));
            assert_eq!(neuron.registered_at, u64::from(uid));
            let stake = if uid < 2 { 10_000_000_000_000 } else { 0 };
            assert_eq!(neuron.stake_rao, stake);
            assert_eq!(neuron.oldest_open_commit, None);
            assert_eq!(neuron.weights, chain.weights(NETUID, 0, uid.into()));
        }
        assert_ne!(neurons[0].coldkey, neurons[1].coldkey);
        let incentives: Vec<u16> = neurons.iter().map(|n| n.incentive).collect();
        let dividends: Vec<u16> = neurons.iter().map(|n| n.dividends).collect();
        assert_eq!(incentives, [0, 0, 50_000, 15_535, 0]);
        assert_eq!(dividends, [40_000, 25_535, 0, 0, 0]);
        assert_eq!(neurons[0].weights, [(2, 65_535), (3, 20_000)]);
        assert_eq!(neurons[0].bonds, [(2, 65_535), (4, 9)]);
        assert_eq!(neurons[1].bonds, [(3, 4_000)]);

        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("subnet.json");
        fs::write(&file, &done.stdout).unwrap();
        let simulated = finish(command().args(["weights", "simulate", "--json"]).arg(&file));
        let simulated = json_of(&simulated);
        assert_eq!(simulated["emission_rao"], json!(8_000_000_007_u64));
        let rows = simulated["neurons"].as_array().unwrap();
        let paid = |uid: u16| {
            let row = rows.iter().find(|row| row["uid"] == uid).unwrap();
            row["now"]["miner_rao"].as_u64().unwrap()
                + row["now"]["validator_rao"].as_u64().unwrap()
        };
        // Both validators have half of the stake; half of everything goes to miners.
        assert!(paid(0) > 0 && paid(1) > 0 && paid(2) + paid(3) > 3_900_000_000);
    }
}

/// Commits of four hotkeys: behind a hash and under a timelock, made in different epochs.
///
/// At block 33 with a tempo of 10 the counter stands at 3; by the block's number it is epoch 8, (33 + 57) / 11.
fn commit(storage: &mut Storage, are_counted: bool) {
    let hashed = |epoch: u64, block: u64| match are_counted {
        true => ([7_u8; 32], epoch, block, 0_u64),
        false => ([7; 32], block, 0, 0),
    };
    for (uid, commits) in [
        // Epochs 6 and 7 by the number.
        (0, vec![hashed(1, 12), hashed(2, 25)]),
        (1, vec![hashed(3, 31)]),
    ] {
        let slot = [Key::U16(NETUID), Key::Account(hotkey(uid))];
        storage.put(item("WeightCommits"), &slot, commits);
    }
    let now = [Key::U16(NETUID), Key::U64(if are_counted { 3 } else { 8 })];
    let timelocked = |uid: u8, block: u64| (hotkey(uid), block, vec![1_u8, 2, 3], 9_u64);
    let commits = [(1, 30), (2, 31), (2, 29), (3, 12), (90, 29)];
    let commits: Vec<_> = commits.map(|(uid, block)| timelocked(uid, block)).into();
    storage.put(item("TimelockedWeightCommits"), &now, commits);
}

#[test]
fn the_oldest_commit_that_is_open_is_told_from_those_that_are_expired() {
    let (old, new) = (Spec::V365, Spec::V461);
    for (spec, period, expected) in [
        (new, 1, [Some(25), Some(30), Some(29), Some(12), None]),
        (new, 2, [Some(12), Some(30), Some(29), Some(12), None]),
        // Timelocked commits are as old as their blocks.
        (old, 1, [Some(25), Some(30), Some(29), None, None]),
        (old, 2, [Some(12), Some(30), Some(29), Some(12), None]),
    ] {
        let edit = move |config: &mut ChainConfig| {
            config.spec = spec;
            config.subnets[0].tempo = 10;
            config.subnets[0].commit_reveal = true;
            config.subnets[0].reveal_period_epochs = period;
        };
        let chain = chain(edit, |_| ());
        chain.edit(move |storage, _| commit(storage, spec == new));
        chain.produce_to(BEST + 3);
        let node = serve(&chain);
        let subnet = snapshot_of(&ask(&[&node], &["metagraph", "--json", "--block", "33"]));
        assert!(subnet.settings.commit_reveal);
        let open = subnet.neurons.iter().map(|n| n.oldest_open_commit);
        assert!(
            open.clone().eq(expected),
            "{spec:?}, {period}: {:?}",
            open.collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_block_of_the_past_has_who_was_there_then() {
    let chain = plain();
    let neuron = Box::new(Neuron::miner([77; 32]));
    chain.inject(ChainFault::Replace {
        netuid: NETUID,
        uid: 4,
        neuron,
    });
    chain.produce_to(BEST + 4);
    let node = serve(&chain);
    let hotkey_then = |block: &str| {
        let subnet = snapshot_of(&ask(&[&node], &["metagraph", "--json", "--block", block]));
        assert_eq!(subnet.block.to_string(), block);
        subnet.neurons[4].hotkey.clone()
    };
    assert_eq!(hotkey_then("32"), address_of(4));
    assert_eq!(hotkey_then("33"), address::encode(&[77; 32]));
    ask(&[&node], &["metagraph", "--block", "35"]).complains(1, &["block 35 is not final", "34"]);
}

#[test]
fn a_block_whose_state_is_gone_is_for_archive_nodes() {
    let chain = chain(|config| config.kept_states = 5, |_| ());
    let node = serve(&chain);
    for command in ["metagraph", "hyperparams"] {
        let done = ask(&[&node], &[command, "--block", "3"]);
        done.complains(
            1,
            &[
                "block 3 cannot be read",
                "archive",
                &node.url(),
                "discarded",
            ],
        );
    }
}

#[test]
fn people_read_tables() {
    let chain = furnished(Spec::V461);
    let node = serve(&chain);
    let metagraph = ask(&[&node], &["metagraph"]);
    assert_eq!(metagraph.code, Some(0), "{}", metagraph.stderr);
    let line = |uid: u8| {
        let mut lines = metagraph.stdout.lines();
        lines.find(|line| line.contains(&address_of(uid))).unwrap()
    };
    for text in ["10000.000", "yes", "0.61036", " 21 "] {
        assert!(line(0).contains(text), "{text}: {}", metagraph.stdout);
    }
    assert!(line(1).contains("owner"), "{}", metagraph.stdout);
    assert!(line(2).contains("0.76295"), "{}", metagraph.stdout);

    let shown = ask(&[&node], &["hyperparams"]);
    let value = |name: &str| {
        let mut lines = shown.stdout.lines().map(str::split_whitespace);
        let mut line = lines
            .find(|line| line.clone().next() == Some(name))
            .unwrap();
        line.nth(1).unwrap().to_owned()
    };
    for (name, expected) in [
        ("tempo", "77"),
        ("max_weight", "65535"),
        ("kappa", "31000"),
        ("yuma3", "on"),
        ("liquid_alpha", "off"),
        ("bonds_moving_average", "875000"),
        ("weights_rate_limit", "9"),
        ("stake_threshold", "1000000000000"),
        ("next_epoch_emission", "8000000007"),
        ("owner_hotkey", &address_of(1)),
    ] {
        assert_eq!(value(name), expected, "{}", shown.stdout);
    }
    let json = json_of(&ask(&[&node], &["hyperparams", "--json"]));
    assert_eq!(json["parameters"]["tempo"], 77);
    assert_eq!(json["epoch"]["kappa"], 31_000);
    assert_eq!(json["epoch"]["pending"]["server_rao"], json!(PENDING[0]));
    assert_eq!(json["endpoints"], json!([node.url()]));
}

#[test]
fn the_next_epoch_pays_the_first_mechanism_its_part() {
    let edit = |config: &mut ChainConfig| config.subnets[0].mechanisms = 2;
    let chain = chain(edit, |storage| {
        furnish(storage);
        let of = [Key::U16(NETUID)];
        storage.put(
            item("MechanismEmissionSplit"),
            &of,
            vec![13_107_u16, 52_428],
        );
    });
    let node = serve(&chain);
    let subnet = snapshot_of(&ask(&[&node], &["metagraph", "--json"]));
    // A fifth, and what rounding loses.
    assert_eq!(subnet.emission_rao, 1_600_000_002);
}

#[test]
fn a_subnet_that_is_not_there_is_named() {
    let chain = plain();
    let node = serve(&chain);
    for command in ["metagraph", "hyperparams"] {
        ask(&[&node], &[command, "--netuid", "57"])
            .complains(1, &["subnet 57 does not exist", "netuid"]);
    }
}
