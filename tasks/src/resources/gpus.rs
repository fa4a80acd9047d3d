//! Sizes to numbers of GPUs.

use super::{Play, ResourceError, Work, checked_params};
use crate::rules::{
    ContinuousSftGpus, EnvironmentEvaluation, EnvironmentGpus, GpuModel, KlFactor, RuleSet,
};

/// GPUs of one training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gpus {
    /// How many.
    pub count: u32,
    /// Which.
    pub model: GpuModel,
}

/// GPUs that a training gets.
///
/// `params`: the model's parameters; none or 0 where nobody knows.
///
/// # Errors
/// `NoSuchWork` for a task that the rule set's subnet did not have, `Number` for a model larger than any.
pub fn training_gpus(
    rules: &RuleSet,
    work: Work,
    params: Option<u64>,
) -> Result<Gpus, ResourceError> {
    let table = &rules.resources.training;
    let unknown = || ResourceError::NoSuchWork {
        rules: rules.id.clone(),
        work: work.to_string(),
    };
    let gpus = |count| Gpus {
        count,
        model: table.gpu,
    };
    match work {
        Work::ContinuousSft => {
            return match table.continuous_sft {
                ContinuousSftGpus::None {} => Err(unknown()),
                ContinuousSftGpus::Fixed { gpus: count } => Ok(gpus(count)),
            };
        }
        Work::Image => {
            return Ok(Gpus {
                count: table.image_gpus,
                model: table.image_gpu,
            });
        }
        _ => {}
    }
    let environment_without = match table.environment {
        EnvironmentGpus::None {} if matches!(work, Work::Environment { .. }) => {
            return Err(unknown());
        }
        EnvironmentGpus::None {} => 0,
        EnvironmentGpus::OwnFactor { without_gpus } => without_gpus,
    };
    let kl = match (work, table.kl) {
        (Work::Instruct { kl: true }, KlFactor::None {}) => return Err(unknown()),
        (Work::Instruct { kl: true }, KlFactor::Factor { factor }) => Some(factor),
        _ => None,
    };
    let Some(params) = checked_params(params)? else {
        return Ok(gpus(table.unknown_size_gpus));
    };
    let mut billions = params as f64 / 1e9;
    match work {
        Work::Dpo => billions *= f64::from(table.dpo_factor),
        Work::Grpo => billions *= f64::from(table.grpo_factor),
        Work::Environment { gpu_factor, .. } => match gpu_factor {
            Some(factor) => billions *= f64::from(factor),
            None => return Ok(gpus(environment_without)),
        },
        _ => {}
    }
    if let Some(factor) = kl {
        billions *= f64::from(factor);
    }
    let count = table
        .bands
        .iter()
        .find(|band| billions <= band.billions_max)
        .map_or(table.above_gpus, |band| band.gpus);
    Ok(gpus(count))
}

/// GPUs that an evaluation gets.
///
/// `params`: the base model's parameters; none or 0 where nobody knows.
///
/// # Errors
/// `NoSuchWork` for a task that the rule set's subnet did not have, `Number` for a model larger than any.
pub fn evaluation_gpus(
    rules: &RuleSet,
    work: Work,
    params: Option<u64>,
) -> Result<u32, ResourceError> {
    let table = &rules.resources.evaluation;
    let training = &rules.resources.training;
    let missing = match work {
        Work::ContinuousSft => matches!(training.continuous_sft, ContinuousSftGpus::None {}),
        Work::Instruct { kl } => kl && matches!(training.kl, KlFactor::None {}),
        Work::Environment { .. } => matches!(table.environment, EnvironmentEvaluation::None {}),
        _ => false,
    };
    if missing {
        return Err(ResourceError::NoSuchWork {
            rules: rules.id.clone(),
            work: work.to_string(),
        });
    }
    let factor = match (work, table.environment) {
        (
            Work::Environment { play, .. },
            EnvironmentEvaluation::Factor {
                factor,
                pair_gpus,
                individual_gpus,
            },
        ) => match play {
            Play::Pair => return Ok(pair_gpus),
            Play::Individual => return Ok(individual_gpus),
            Play::BySize => factor,
        },
        (Work::Dpo, _) => table.dpo_factor,
        (Work::Grpo, _) => table.grpo_factor,
        _ => 1,
    };
    let Some(params) = checked_params(params)? else {
        return Ok(table.unknown_size_gpus);
    };
    // Below 2^53 times a factor of at most 1,000.
    let params = params * u64::from(factor);
    Ok(table
        .bands
        .iter()
        .find(|band| params < band.params_below)
        .map_or(table.above_gpus, |band| band.gpus))
}
