//! Data and sizes to hours of training.

use super::draw::Hours;
use super::gpus::training_gpus;
use super::{ResourceError, Work, checked_params};
use crate::rules::{
    ContinuousSftHours, EnvironmentHours, GrpoHours, ImageHours, RuleSet, TextHours, Throughput,
};

/// What is known of a text task's data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tokens {
    /// Rows; their tokens are assumed.
    Rows(u64),
    /// Rows and their tokens, counted.
    Counted {
        /// Rows.
        rows: u64,
        /// Tokens of all of them, once.
        tokens: u64,
        /// What one GPU did in a trial, tokens/s.
        measured_per_s: Option<f64>,
    },
}

/// Where in a tournament a text task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextStage {
    /// A task of a group.
    Group,
    /// Any other.
    Other,
}

/// What a text task's hours depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextHoursInput {
    /// Instruct, chat, DPO, GRPO or continued fine-tuning.
    pub work: Work,
    /// Where it is.
    pub stage: TextStage,
    /// The model's parameters; none or 0 where nobody knows. Of continued fine-tuning, the lineage's first model's.
    pub params: Option<u64>,
    /// Its data; none before there are any.
    pub tokens: Option<Tokens>,
}

/// Hours of a text task.
///
/// # Errors
/// `NoSuchWork` for an image or environment task and for what the rule set does not have, `NoBin` for rows that no bin
/// holds, `Number` for a rate that is no rate, for no rows, and for a model larger than any.
pub fn text_hours(rules: &RuleSet, input: &TextHoursInput) -> Result<Hours, ResourceError> {
    let unknown = || ResourceError::NoSuchWork {
        rules: rules.id.clone(),
        work: input.work.to_string(),
    };
    if matches!(input.work, Work::Image | Work::Environment { .. }) {
        return Err(unknown());
    }
    let hours = &rules.resources.hours;
    let before_counting = match (input.work, hours.continuous_sft) {
        (Work::ContinuousSft, ContinuousSftHours::None {}) => return Err(unknown()),
        (
            Work::ContinuousSft,
            ContinuousSftHours::AsText {
                before_counting_hours,
            },
        ) => Some(before_counting_hours),
        _ => None,
    };
    if let (Some(hours), None | Some(Tokens::Rows(_))) = (before_counting, input.tokens) {
        return Ok(Hours::Fixed(hours));
    }
    match &hours.text {
        TextHours::ByRows {
            first_group_hours,
            bins,
        } => {
            if input.stage == TextStage::Group {
                return Ok(Hours::Fixed(*first_group_hours));
            }
            let rows = input.tokens.ok_or_else(no_rows)?.rows();
            bins.iter()
                .find(|bin| (bin.rows_min..=bin.rows_max).contains(&rows))
                .map(|bin| Hours::Drawn {
                    min: bin.hours_min,
                    max: bin.hours_max,
                })
                .ok_or_else(|| ResourceError::NoBin {
                    rules: rules.id.clone(),
                    rows,
                })
        }
        TextHours::Throughput(text) => {
            let params = checked_params(input.params)?.unwrap_or(text.params_default);
            if let (Work::Grpo, GrpoHours::BySize { bands, above_hours }) =
                (input.work, &hours.grpo)
            {
                let billions = params as f64 / 1e9;
                let hours = bands
                    .iter()
                    .find(|band| billions <= band.billions_max)
                    .map_or(*above_hours, |band| band.hours);
                return Ok(Hours::Fixed(hours.max(text.hours_min).min(text.hours_max)));
            }
            let tokens = input.tokens.ok_or_else(no_rows)?;
            by_throughput(rules, text, input.work, params, tokens).map(Hours::Fixed)
        }
    }
}

fn no_rows() -> ResourceError {
    ResourceError::Number {
        what: "the number of rows",
        found: "not known".to_owned(),
        expected: "at least the estimate of the data set's source",
    }
}

impl Tokens {
    fn rows(self) -> u64 {
        match self {
            Self::Rows(rows) | Self::Counted { rows, .. } => rows,
        }
    }
}

fn by_throughput(
    rules: &RuleSet,
    text: &Throughput,
    work: Work,
    params: u64,
    tokens: Tokens,
) -> Result<f64, ResourceError> {
    const WHOLE: u64 = 1 << 53;
    let too_many = |tokens: u128| ResourceError::Number {
        what: "the number of tokens",
        found: tokens.to_string(),
        expected: "1 to 2^53",
    };
    let (tokens, measured) = match tokens {
        Tokens::Rows(rows) => (u128::from(rows) * u128::from(text.row_tokens_assumed), None),
        Tokens::Counted {
            rows,
            tokens,
            measured_per_s,
        } => {
            let least = u128::from(rows) * u128::from(text.row_tokens_min);
            // Without either, there is nothing to size the task by.
            if rows == 0 || tokens == 0 {
                return Err(too_many(0));
            }
            (least.max(u128::from(tokens)), measured_per_s)
        }
    };
    if tokens == 0 || tokens > u128::from(WHOLE) {
        return Err(too_many(tokens));
    }
    let tokens = tokens as f64;
    let size = params as f64;
    // The number of GPUs is that of the task without its KL term: the subnet sizes hours so.
    let counted = match work {
        Work::Instruct { .. } => Work::Instruct { kl: false },
        other => other,
    };
    let gpus = training_gpus(rules, counted, Some(params))?.count;
    let computed = text.peak_flops * text.utilisation / (text.flops_per_parameter * size);
    let rate = match measured {
        Some(rate) if !(rate.is_finite() && rate >= 0.0) => {
            return Err(ResourceError::Number {
                what: "the measured rate, tokens/s",
                found: rate.to_string(),
                expected: "a finite number from 0",
            });
        }
        // A rate of 0 is one that was not measured.
        Some(rate) if rate > 0.0 => (rate * text.measured_factor)
            .max(computed * text.measured_min)
            .min(computed * text.measured_max),
        _ => computed,
    };
    let factor = match work {
        Work::Instruct { .. } | Work::Grpo => text.instruct_factor,
        Work::Dpo => text.dpo_factor,
        _ => text.chat_factor,
    };
    let seconds = text.epochs * tokens * factor / (rate * f64::from(gpus));
    let billions = size / 1e9;
    let overhead = text
        .overhead_bands
        .iter()
        .find(|band| billions < band.billions_below)
        .map_or(text.overhead_above_hours, |band| band.hours);
    let hours = seconds / 3600.0 + overhead;
    let steps = f64::from(text.steps_per_hour);
    let hours = ((hours * steps).ceil() / steps).max(text.hours_min);
    Ok(hours.min(text.hours_max))
}

/// Hours of an image task of `images` pictures, for a model of type `model_type`.
pub fn image_hours(rules: &RuleSet, images: u32, model_type: &str) -> Hours {
    match &rules.resources.hours.image {
        ImageHours::Drawn {
            hours_min,
            hours_max,
        } => Hours::Drawn {
            min: *hours_min,
            max: *hours_max,
        },
        ImageHours::Interpolated {
            images_min,
            images_max,
            hours_min,
            hours_max,
            steps_per_hour,
            longer,
        } => {
            let mut hours = *hours_min;
            if images_max > images_min {
                let share = f64::from(images.clamp(*images_min, *images_max) - images_min)
                    / f64::from(images_max - images_min);
                let steps = f64::from(*steps_per_hour);
                hours = ((hours_min + share * (hours_max - hours_min)) * steps).ceil() / steps;
            }
            let more = longer.iter().find(|known| known.model_type == model_type);
            Hours::Fixed(more.map_or(hours, |more| hours + more.hours))
        }
    }
}

/// Where in a tournament an environment task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentStart {
    /// Not one of the following.
    Other,
    /// The boss round's software engineering task.
    SweBoss,
    /// The boss round's task from scratch.
    FromScratchBoss,
}

/// Hours of an environment task.
///
/// # Errors
/// `NoSuchWork` where the rule set has none.
pub fn environment_hours(rules: &RuleSet, start: EnvironmentStart) -> Result<Hours, ResourceError> {
    match rules.resources.hours.environment {
        EnvironmentHours::None {} => Err(ResourceError::NoSuchWork {
            rules: rules.id.clone(),
            work: "environment".to_owned(),
        }),
        EnvironmentHours::Fixed {
            hours,
            swe_boss_hours,
            from_scratch_boss_hours,
        } => Ok(Hours::Fixed(match start {
            EnvironmentStart::Other => hours,
            EnvironmentStart::SweBoss => swe_boss_hours,
            EnvironmentStart::FromScratchBoss => from_scratch_boss_hours,
        })),
    }
}
