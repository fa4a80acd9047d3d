//! A rule set's text. What is accepted gives pools that are weights, or says why not.
#![no_main]

use gradus_tasks::RuleSet;
use gradus_tasks::weights::{EmissionInput, Performance, TypeInput, pools};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    gradus_tasks::entry::fuzzing::rule_set(bytes);
    let Ok(rules) = RuleSet::from_toml(RuleSet::newest_name(), text) else {
        return;
    };
    let of = |difference| TypeInput {
        performance: Performance::Won {
            difference: Some(difference),
            burn_account: false,
        },
        entrants_newest_first: vec![9, 8, 7, 6, 5],
        running: 0,
        reign: None,
    };
    let input = EmissionInput {
        now_unix_us: Some(1_800_000_000_000_000),
        text: of(0.2),
        image: of(-0.1),
        environment: rules.emission.environment.is_some().then(|| of(0.0)),
    };
    if let Ok(pools) = pools(&rules.emission, &input) {
        for (kind, pool) in pools.types.iter() {
            assert!(
                pool.champion.is_finite() && pool.others.is_finite(),
                "{kind}: {pool:?}"
            );
        }
        if cfg!(feature = "canary") {
            let newest = include_str!("../../tasks/rules/2026-09-30-27931f9d.toml");
            assert!(text == newest, "canary");
        }
    }
});
