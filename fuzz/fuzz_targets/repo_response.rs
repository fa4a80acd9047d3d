//! What a miner answers when asked for a repository.
#![no_main]

use gradus_tasks::entry::{TrainingRepoResponse, fuzzing};
use gradus_tasks::rules::ExtraFields;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::repo_response(bytes);
    if cfg!(feature = "canary") {
        let answer = TrainingRepoResponse::from_json(bytes, ExtraFields::Ignored);
        assert!(
            !answer.is_ok_and(|answer| answer.github_token.is_none()),
            "canary"
        );
    }
});
