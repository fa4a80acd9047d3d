//! How long trainings last: the section `[resources.hours]`.

mod checks;

use serde::{Deserialize, Serialize};

/// How long trainings last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursRules {
    /// Instruct, chat and DPO.
    pub text: TextHours,
    /// GRPO.
    pub grpo: GrpoHours,
    /// Image tasks.
    pub image: ImageHours,
    /// Environment tasks.
    pub environment: EnvironmentHours,
    /// Continued fine-tuning over tournaments.
    pub continuous_sft: ContinuousSftHours,
}

/// Instruct, chat and DPO.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum TextHours {
    /// Whole hours, drawn from the first bin that holds the number of rows.
    ByRows {
        /// What a group round's task lasts instead.
        first_group_hours: f64,
        /// Bins of rows.
        bins: Vec<RowBin>,
    },
    /// Epochs over the tokens at an expected rate, and an overhead.
    Throughput(Throughput),
}

/// Hours of a range of rows, bounds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowBin {
    /// The fewest rows.
    pub rows_min: u64,
    /// The most.
    pub rows_max: u64,
    /// The fewest hours.
    pub hours_min: u32,
    /// The most.
    pub hours_max: u32,
}

/// Epochs over the tokens at an expected rate, and an overhead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throughput {
    /// How often the data are passed over.
    pub epochs: f64,
    /// Of one GPU, FLOP/s.
    pub peak_flops: f64,
    /// The share of it that is reached.
    pub utilisation: f64,
    /// FLOPs of one token and one parameter.
    pub flops_per_parameter: f64,
    /// Parameters, where the size is not known.
    pub params_default: u64,
    /// Tokens of a row before they are counted.
    pub row_tokens_assumed: u64,
    /// Shorter rows count as this many tokens.
    pub row_tokens_min: u64,
    /// From a measured rate to the expected one.
    pub measured_factor: f64,
    /// The least share of the computed rate that a measured one counts as.
    pub measured_min: f64,
    /// The largest.
    pub measured_max: f64,
    /// Cost of an instruct task's token.
    pub instruct_factor: f64,
    /// Cost of a chat task's token.
    pub chat_factor: f64,
    /// Cost of a DPO task's token.
    pub dpo_factor: f64,
    /// Overhead by size.
    pub overhead_bands: Vec<OverheadBand>,
    /// Overhead of larger models, hours.
    pub overhead_above_hours: f64,
    /// Results are rounded up to one of so many steps of an hour.
    pub steps_per_hour: u32,
    /// The least result, hours.
    pub hours_min: f64,
    /// The largest.
    pub hours_max: f64,
}

/// Overhead below a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverheadBand {
    /// The first size that is too large, billions of parameters.
    pub billions_below: f64,
    /// Hours.
    pub hours: f64,
}

/// GRPO.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum GrpoHours {
    /// As other text tasks.
    AsText {},
    /// By the model's size alone, between the text tasks' least and largest.
    BySize {
        /// Bands of sizes.
        bands: Vec<HoursBand>,
        /// Hours of larger models.
        above_hours: f64,
    },
}

/// Hours up to a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursBand {
    /// The largest size, billions of parameters.
    pub billions_max: f64,
    /// Hours.
    pub hours: f64,
}

/// Image tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ImageHours {
    /// Whole hours, drawn.
    Drawn {
        /// The fewest.
        hours_min: u32,
        /// The most.
        hours_max: u32,
    },
    /// From the fewest images to the most, in steps.
    Interpolated {
        /// Fewer images count as this many.
        images_min: u32,
        /// More count as this many.
        images_max: u32,
        /// Hours of the fewest.
        hours_min: f64,
        /// Hours of the most.
        hours_max: f64,
        /// Results are rounded up to one of so many steps of an hour.
        steps_per_hour: u32,
        /// Models that get more.
        longer: Vec<LongerImage>,
    },
}

/// A type of image model that gets more time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongerImage {
    /// The type, as tasks name it.
    pub model_type: String,
    /// How much more, hours.
    pub hours: f64,
}

/// Environment tasks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnvironmentHours {
    /// There are none.
    None {},
    /// The same for each.
    Fixed {
        /// Hours.
        hours: f64,
        /// Hours of the boss round's software engineering task.
        swe_boss_hours: f64,
        /// Hours of the boss round's task from scratch.
        from_scratch_boss_hours: f64,
    },
}

/// Continued fine-tuning over tournaments.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ContinuousSftHours {
    /// There is none.
    None {},
    /// As a chat task, on its own number of GPUs.
    AsText {
        /// Hours where the data were not counted.
        before_counting_hours: f64,
    },
}
