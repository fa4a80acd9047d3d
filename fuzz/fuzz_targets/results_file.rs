//! Finished tournaments, over a small subnet. What gives a vector gives one that sums to 1, and a record of it that comes out again.
#![no_main]

use gradus_tasks::subnet::{Neuron, Settings, Snapshot, VERSION};
use gradus_tasks::weights::{ResultsFile, Rounding};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SUBNET: LazyLock<Snapshot> = LazyLock::new(|| {
    let burn = "5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu";
    let neuron = |(uid, hotkey): (u16, &str)| Neuron {
        uid,
        hotkey: hotkey.to_owned(),
        coldkey: "cold".to_owned(),
        stake_rao: 1,
        validator_permit: false,
        last_update: 0,
        registered_at: 0,
        oldest_open_commit: None,
        incentive: 0,
        dividends: 0,
        weights: vec![],
        bonds: vec![],
    };
    Snapshot {
        version: VERSION,
        network: "local".to_owned(),
        genesis: String::new(),
        spec_version: 461,
        netuid: 56,
        mechanism: 0,
        block: 1,
        block_hash: String::new(),
        settings: Settings {
            tempo: 360,
            activity_cutoff_blocks: 1,
            stake_threshold_rao: 1,
            yuma3: true,
            kappa: 1,
            bonds_penalty: 1,
            bonds_moving_average_ppm: 1,
            liquid_alpha: false,
            weights_min: 1,
            max_weight: u16::MAX,
            weights_version: 0,
            weights_rate_limit: 0,
            commit_reveal: false,
        },
        owner_hotkey: None,
        last_step_block: 0,
        emission_rao: 1,
        neurons: (0..).zip([burn, "a", "b", "c", "d"]).map(neuron).collect(),
    }
});

fuzz_target!(|json: &[u8]| {
    let Ok(file) = ResultsFile::parse(json) else {
        return;
    };
    for rounding in [Rounding::Reference, Rounding::Sdk10, Rounding::Sdk11] {
        let Ok(plan) = file.plan(&SUBNET, rounding, None) else {
            continue;
        };
        let tolerance = plan.rules.emission.total_tolerance;
        assert!(
            (plan.vector.total + plan.vector.nobodys() - 1.0).abs() < tolerance,
            "{}",
            plan.vector.total
        );
        assert!(
            plan.vector
                .weights
                .iter()
                .all(|weight| weight.is_finite() && *weight >= 0.0)
        );
        assert!(plan.values.iter().all(|(uid, _)| *uid < 5));
        assert!(plan.values.iter().any(|(_, value)| *value == u16::MAX));
        let written = plan.audit.to_json();
        let read = gradus_tasks::weights::AuditFile::parse(written.as_bytes()).expect("ours");
        assert_eq!(read, plan.audit);
        assert_eq!(
            read.first_difference().expect("ours can be recomputed"),
            None
        );
        if cfg!(feature = "canary") {
            assert!(
                json == include_bytes!("../seeds/results_file/three"),
                "canary"
            );
        }
    }
});
