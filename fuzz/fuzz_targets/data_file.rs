//! A data file: the first byte picks the format, the rest is the file. What is read has unique columns and only them.
#![no_main]

use std::sync::OnceLock;

use gradus_tasks::data::{DataFormat, DataSet};
use gradus_tasks::rules::RuleSet;
use libfuzzer_sys::fuzz_target;

static RULES: OnceLock<RuleSet> = OnceLock::new();

/// Panics inside the Parquet decoder and what it calls are caught and become errors; the fuzzer's hook would end the run
/// before that. Our own, and those that nobody catches, still end it.
fn let_the_decoder_panic() {
    let fuzzers = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let foreign = |file: &str| file.contains("/registry/src/") || file.starts_with("/rustc/");
        if info.location().is_none_or(|at| !foreign(at.file())) {
            fuzzers(info);
        }
    }));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, file)) = bytes.split_first() else {
        return;
    };
    let format = match first {
        b'a' => DataFormat::Json,
        b'l' => DataFormat::Jsonl,
        b'c' => DataFormat::Csv,
        _ => DataFormat::Parquet,
    };
    let rules = RULES.get_or_init(|| {
        let_the_decoder_panic();
        RuleSet::newest()
    });
    let Ok(data) = DataSet::from_bytes("fuzz", file, format, &rules.data) else {
        return;
    };
    let columns: std::collections::HashSet<&str> =
        data.columns.iter().map(String::as_str).collect();
    assert_eq!(columns.len(), data.columns.len(), "a column appears twice");
    for row in &data.rows {
        assert!(row.keys().all(|key| columns.contains(key.as_str())));
    }
    if cfg!(feature = "canary") {
        assert!(
            !(data.rows.len() == 3 && columns.contains("output")),
            "canary"
        );
    }
});
