//! A tournament's file. What is accepted waits for something or has a result, is read as it is written, and its result pays.
#![no_main]

use gradus_tasks::tournament::{Journal, fuzzing};
use gradus_tasks::weights::shares;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::tournament_events(bytes);
    let Ok(tournament) = Journal::replay_bytes(bytes) else {
        return;
    };
    if let Some(result) = tournament.result() {
        let emission = &tournament.rules().emission;
        let paid: f64 = shares(emission, 0.1, &result.results)
            .expect("positions are from 1")
            .iter()
            .map(|share| share.share)
            .sum();
        assert!(paid < 1.0 + 1e-9, "{paid}");
    }
    if cfg!(feature = "canary") {
        let seeds: [&[u8]; 4] = [
            include_bytes!("../seeds/tournament/environment"),
            include_bytes!("../seeds/tournament/environment_start"),
            include_bytes!("../seeds/tournament/text"),
            include_bytes!("../seeds/tournament/text_start"),
        ];
        assert!(seeds.contains(&bytes), "canary");
    }
});
