//! A published audit file. What is read is written the same, and recomputing it ends in a difference, none, or a reason.
#![no_main]

use gradus_tasks::weights::AuditFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Ok(file) = AuditFile::parse(json) else {
        return;
    };
    let again = AuditFile::parse(file.to_json().as_bytes()).expect("what was read can be written");
    assert_eq!(again, file);
    let Ok(difference) = file.first_difference() else {
        return;
    };
    assert_eq!(again.first_difference().ok(), Some(difference.clone()));
    if let Some(difference) = difference {
        assert_ne!(difference.recorded, difference.recomputed);
        return;
    }
    // All of it came out again, so it is a vector that the chain could hold.
    let recipe = file.gradus.expect("without it nothing is recomputed");
    assert_eq!(recipe.weights.len(), recipe.hotkeys.len());
    assert!(
        recipe
            .weights
            .iter()
            .all(|weight| weight.is_finite() && *weight >= 0.0)
    );
    if cfg!(feature = "canary") {
        assert!(recipe.netuid == 56, "canary");
    }
});
