//! What each number of a rule set may be. A number that is not here is checked by its section.
//!
//! Ranges are held before a file's fields are read, so that a message names the field, its value and the range,
//! whatever the type that holds it.

use super::shape::Broken;
use toml::{Table, Value};

struct Range {
    /// The keys down to the number; what is in arrays has the array's.
    field: &'static str,
    min: f64,
    max: f64,
    expected: &'static str,
}

const fn within(field: &'static str, min: f64, max: f64, expected: &'static str) -> Range {
    Range {
        field,
        min,
        max,
        expected,
    }
}

#[rustfmt::skip]
const RANGES: &[Range] = &[
    within("data.file_bytes_max", 1.0, 4_294_967_296.0, "1 to 4294967296"),
    within("data.empty_row_fraction_max", 0.0, 1.0, "0 to 1"),
    within("data.chat_messages_min", 1.0, 1_000.0, "1 to 1000"),
    within("text.sequence_len", 2.0, 1_073_741_824.0, "2 to 1073741824"),
    within("text.halve_below_multiple", 1.0, 1_000.0, "1 to 1000"),
    within("text.sample_len_min", 1.0, 1_000_000.0, "1 to 1000000"),
    within("text.max_position_default", 2.0, 1_073_741_824.0, "2 to 1073741824"),
    within("text.tokenizer_max_length_ceiling", 2.0, 1_073_741_824.0, "2 to 1073741824"),
    within("text.completion_chunks_max", 1.0, 1_000_000.0, "1 to 1000000"),
    within("dpo.beta", 0.000001, 1_000.0, "0.000001 to 1000"),
    within("dpo.max_length_default", 2.0, 1_073_741_824.0, "2 to 1073741824"),
    within("split.test_fraction", 0.0, 1.0, "0 to 1"),
    within("split.test_rows_max", 1.0, 1_000_000_000.0, "1 to 1000000000"),
    within("split.seed", 0.0, 4_294_967_295.0, "0 to 4294967295"),
    within("degenerate.best_loss_min", 0.0, 1_000.0, "0 to 1000"),
    within("degenerate.best_loss_min_dpo", 0.0, 1_000.0, "0 to 1000"),
    within("degenerate.best_loss_max_instruct", 0.0, 1_000.0, "0 to 1000"),
    within("degenerate.dpo_no_learning_min", 0.0, 1_000.0, "0 to 1000"),
    within("degenerate.dpo_no_learning_max", 0.0, 1_000.0, "0 to 1000"),
    within("ranking.points_first", -1_000.0, 1_000.0, "-1000 to 1000"),
    within("ranking.points_last", -1_000.0, 1_000.0, "-1000 to 1000"),
    within("ranking.points_invalid", -1_000.0, 1_000.0, "-1000 to 1000"),
    within("ranking.last_fraction", 0.0, 1.0, "0 to 1"),
    within("ranking.last_applies_above", 0.0, 1_000_000.0, "0 to 1000000"),
    within("paired.dead_zone", 0.0, 1_000.0, "0 to 1000"),
    within("paired.resamples", 1.0, 10_000_000.0, "1 to 10000000"),
    within("paired.seed", 0.0, 9_007_199_254_740_991.0, "0 to 9007199254740991"),
    within("paired.confidence", 0.0, 1.0, "0 to 1"),
    within("paired.win_rate_min", 0.0, 1.0, "0 to 1"),
    within("paired.gap_min_abs", 0.0, 1_000.0, "0 to 1000"),
    within("paired.gap_min_rel", 0.0, 1_000.0, "0 to 1000"),
    within("paired.chunk_elements", 1.0, 1_000_000_000.0, "1 to 1000000000"),
    within("performance.environment.share.challenger", 0.0, 1_000.0, "0 to 1000"),
    within("performance.environment.share.boss", 0.0, 1_000.0, "0 to 1000"),
    within("performance.environment.share.environment", 0.001, 1_000.0, "0.001 to 1000"),
    within("emission.decay.start_unix_s", 0.0, 253_402_300_799.0, "0 to 253402300799"),
    within("emission.split.lag", 0.0, 1_000.0, "0 to 1000"),
    within("emission.split.window", 1.0, 1_000.0, "1 to 1000"),
    within("emission.split.entrants_min", 0.0, 1_000_000.0, "0 to 1000000"),
    within("emission.version_key", 0.0, 9_007_199_254_740_991.0, "0 to 9007199254740991"),
    within("emission.fallback.stale_blocks", 0.0, 1_000_000_000.0, "0 to 1000000000"),
    within("emission.fallback.failures_min", 0.0, 1_000_000.0, "0 to 1000000"),
    within("entry.ping_batch", 1.0, 10_000.0, "1 to 10000"),
    within("entry.wait_minutes", 1.0, 10_080.0, "1 to 10080"),
    within("entry.text.field_min", 1.0, 10_000.0, "1 to 10000"),
    within("entry.text.fee_rao", 0.0, 1_000_000_000_000_000.0, "0 to 1000000000000000"),
    within("entry.image.field_min", 1.0, 10_000.0, "1 to 10000"),
    within("entry.image.fee_rao", 0.0, 1_000_000_000_000_000.0, "0 to 1000000000000000"),
    within("entry.environment.field_min", 1.0, 10_000.0, "1 to 10000"),
    within("entry.environment.fee_rao", 0.0, 1_000_000_000_000_000.0, "0 to 1000000000000000"),
    within("entry.datasets.max", 0.0, 64.0, "0 to 64"),
    within("entry.licence.clone_limit_s", 1.0, 86_400.0, "1 to 86400"),
    within("entry.obfuscation.limit_s", 1.0, 86_400.0, "1 to 86400"),
    within("entry.duplicates.text_probe_bytes", 0.0, 1_048_576.0, "0 to 1048576"),
    within("entry.review.pairwise_before_round", 0.0, 1_000.0, "0 to 1000"),
    within("schedule.hours", 1.0, 8_760.0, "1 to 8760"),
    within("schedule.window_minutes", 1.0, 1_440.0, "1 to 1440"),
    within("resources.training.unknown_size_gpus", 1.0, 64.0, "1 to 64"),
    within("resources.training.dpo_factor", 1.0, 1_000.0, "1 to 1000"),
    within("resources.training.grpo_factor", 1.0, 1_000.0, "1 to 1000"),
    within("resources.training.image_gpus", 1.0, 64.0, "1 to 64"),
    within("resources.training.bands.billions_max", 0.001, 1_000_000.0, "0.001 to 1000000"),
    within("resources.training.bands.gpus", 1.0, 64.0, "1 to 64"),
    within("resources.training.above_gpus", 1.0, 64.0, "1 to 64"),
    within("resources.training.kl.factor", 1.0, 1_000.0, "1 to 1000"),
    within("resources.training.environment.without_gpus", 1.0, 64.0, "1 to 64"),
    within("resources.training.continuous_sft.gpus", 1.0, 64.0, "1 to 64"),
    within("resources.evaluation.unknown_size_gpus", 1.0, 64.0, "1 to 64"),
    within("resources.evaluation.dpo_factor", 1.0, 1_000.0, "1 to 1000"),
    within("resources.evaluation.grpo_factor", 1.0, 1_000.0, "1 to 1000"),
    within("resources.evaluation.jobs_max", 1.0, 100_000.0, "1 to 100000"),
    within("resources.evaluation.bands.params_below", 1.0, 1_000_000_000_000_000.0, "1 to 1000000000000000"),
    within("resources.evaluation.bands.gpus", 1.0, 64.0, "1 to 64"),
    within("resources.evaluation.above_gpus", 1.0, 64.0, "1 to 64"),
    within("resources.evaluation.environment.factor", 1.0, 1_000.0, "1 to 1000"),
    within("resources.evaluation.environment.pair_gpus", 1.0, 64.0, "1 to 64"),
    within("resources.evaluation.environment.individual_gpus", 1.0, 64.0, "1 to 64"),
    within("resources.evaluation.pool.gpus_max", 1.0, 100_000.0, "1 to 100000"),
    within("resources.hours.text.first_group_hours", 0.25, 168.0, "0.25 to 168"),
    within("resources.hours.text.bins.rows_min", 0.0, 1_000_000_000_000.0, "0 to 1000000000000"),
    within("resources.hours.text.bins.rows_max", 0.0, 1_000_000_000_000.0, "0 to 1000000000000"),
    within("resources.hours.text.bins.hours_min", 1.0, 168.0, "1 to 168"),
    within("resources.hours.text.bins.hours_max", 1.0, 168.0, "1 to 168"),
    within("resources.hours.text.epochs", 0.001, 1_000.0, "0.001 to 1000"),
    within("resources.hours.text.peak_flops", 1_000_000_000.0, 1_000_000_000_000_000_000.0, "1000000000 to 1000000000000000000"),
    within("resources.hours.text.utilisation", 0.0001, 1.0, "0.0001 to 1"),
    within("resources.hours.text.flops_per_parameter", 0.001, 1_000.0, "0.001 to 1000"),
    within("resources.hours.text.params_default", 1.0, 1_000_000_000_000_000.0, "1 to 1000000000000000"),
    within("resources.hours.text.row_tokens_assumed", 1.0, 1_000_000_000.0, "1 to 1000000000"),
    within("resources.hours.text.row_tokens_min", 0.0, 1_000_000_000.0, "0 to 1000000000"),
    within("resources.hours.text.measured_factor", 0.001, 1_000.0, "0.001 to 1000"),
    within("resources.hours.text.measured_min", 0.0001, 1_000.0, "0.0001 to 1000"),
    within("resources.hours.text.measured_max", 0.0001, 1_000.0, "0.0001 to 1000"),
    within("resources.hours.text.instruct_factor", 0.001, 1_000.0, "0.001 to 1000"),
    within("resources.hours.text.chat_factor", 0.001, 1_000.0, "0.001 to 1000"),
    within("resources.hours.text.dpo_factor", 0.001, 1_000.0, "0.001 to 1000"),
    within("resources.hours.text.overhead_bands.billions_below", 0.001, 1_000_000.0, "0.001 to 1000000"),
    within("resources.hours.text.overhead_bands.hours", 0.0, 168.0, "0 to 168"),
    within("resources.hours.text.overhead_above_hours", 0.0, 168.0, "0 to 168"),
    within("resources.hours.text.steps_per_hour", 1.0, 60.0, "1 to 60"),
    within("resources.hours.text.hours_min", 0.0, 168.0, "0 to 168"),
    within("resources.hours.text.hours_max", 0.0, 168.0, "0 to 168"),
    within("resources.hours.grpo.bands.billions_max", 0.001, 1_000_000.0, "0.001 to 1000000"),
    within("resources.hours.grpo.bands.hours", 0.0, 168.0, "0 to 168"),
    within("resources.hours.grpo.above_hours", 0.0, 168.0, "0 to 168"),
    within("resources.hours.image.hours_min", 0.25, 168.0, "0.25 to 168"),
    within("resources.hours.image.hours_max", 0.25, 168.0, "0.25 to 168"),
    within("resources.hours.image.images_min", 1.0, 1_000_000.0, "1 to 1000000"),
    within("resources.hours.image.images_max", 1.0, 1_000_000.0, "1 to 1000000"),
    within("resources.hours.image.steps_per_hour", 1.0, 60.0, "1 to 60"),
    within("resources.hours.image.longer.hours", 0.0, 168.0, "0 to 168"),
    within("resources.hours.environment.hours", 0.25, 168.0, "0.25 to 168"),
    within("resources.hours.environment.swe_boss_hours", 0.25, 168.0, "0.25 to 168"),
    within("resources.hours.environment.from_scratch_boss_hours", 0.25, 168.0, "0.25 to 168"),
    within("resources.hours.continuous_sft.before_counting_hours", 0.25, 168.0, "0.25 to 168"),
    within("attempts.training", 1.0, 1_000.0, "1 to 1000"),
    within("attempts.training_retry_s", 1.0, 86_400.0, "1 to 86400"),
    within("attempts.evaluation", 1.0, 1_000.0, "1 to 1000"),
    within("attempts.environment_evaluation.max", 1.0, 1_000.0, "1 to 1000"),
];

/// The first number that is out of its range.
pub(super) fn out_of_range(file: &Table) -> Option<Broken> {
    RANGES.iter().find_map(|range| {
        let (first, rest) = range.field.split_once('.').unwrap_or((range.field, ""));
        let found = breach(file.get(first)?, rest, range)?;
        Some((range.field, found, range.expected))
    })
}

fn breach(value: &Value, rest: &str, range: &Range) -> Option<String> {
    if let Value::Array(items) = value {
        return items.iter().find_map(|item| breach(item, rest, range));
    }
    if !rest.is_empty() {
        let (next, rest) = rest.split_once('.').unwrap_or((rest, ""));
        return breach(value.as_table()?.get(next)?, rest, range);
    }
    let number = match value {
        // Bounds are far below 2^53, so that no whole number comes within one by rounding.
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        // Another type is the schema's to refuse.
        _ => return None,
    };
    (!(range.min..=range.max).contains(&number)).then(|| value.to_string())
}

/// Whether a number of this name has a range here.
#[cfg(test)]
pub(super) fn has(field: &str) -> bool {
    RANGES.iter().any(|range| range.field == field)
}
