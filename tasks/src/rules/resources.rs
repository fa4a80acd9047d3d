//! What a task gets, GPUs and hours: the section `[resources]` of a rule set.

mod hours;

pub use hours::{
    ContinuousSftHours, EnvironmentHours, GrpoHours, HoursBand, HoursRules, ImageHours,
    LongerImage, OverheadBand, RowBin, TextHours, Throughput,
};

use super::shape::{Broken, grows};
use serde::{Deserialize, Serialize};

/// What a task gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceRules {
    /// GPUs of trainings.
    pub training: TrainingGpus,
    /// GPUs of evaluations.
    pub evaluation: EvaluationGpus,
    /// How long trainings last.
    pub hours: HoursRules,
}

/// A model of GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GpuModel {
    /// NVIDIA A100.
    A100,
    /// NVIDIA H100.
    H100,
}

/// GPUs of trainings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingGpus {
    /// Which GPUs text and environment tasks get.
    pub gpu: GpuModel,
    /// How many a model of unknown size gets.
    pub unknown_size_gpus: u32,
    /// What a DPO task multiplies the size by.
    pub dpo_factor: u32,
    /// What a GRPO task multiplies the size by.
    pub grpo_factor: u32,
    /// Which GPUs image tasks get.
    pub image_gpu: GpuModel,
    /// How many.
    pub image_gpus: u32,
    /// GPUs by size after the factors; the first band that holds it counts.
    pub bands: Vec<SizeBand>,
    /// GPUs of larger models.
    pub above_gpus: u32,
    /// Tasks with a KL term.
    pub kl: KlFactor,
    /// Environment tasks.
    pub environment: EnvironmentGpus,
    /// Continued fine-tuning over tournaments.
    pub continuous_sft: ContinuousSftGpus,
}

/// GPUs up to a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeBand {
    /// The largest size, billions of parameters.
    pub billions_max: f64,
    /// GPUs.
    pub gpus: u32,
}

/// Tasks with a KL term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum KlFactor {
    /// There are none.
    None {},
    /// The size is multiplied, on top of the type's factor.
    Factor {
        /// By this.
        factor: u32,
    },
}

/// Environment tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnvironmentGpus {
    /// There are none.
    None {},
    /// Each environment has a factor.
    OwnFactor {
        /// GPUs where one has none.
        without_gpus: u32,
    },
}

/// Continued fine-tuning over tournaments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ContinuousSftGpus {
    /// There is none.
    None {},
    /// The same for each model.
    Fixed {
        /// GPUs.
        gpus: u32,
    },
}

/// GPUs of evaluations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationGpus {
    /// How many a model of unknown size gets.
    pub unknown_size_gpus: u32,
    /// What a DPO task multiplies the size by.
    pub dpo_factor: u32,
    /// What a GRPO task multiplies the size by.
    pub grpo_factor: u32,
    /// Evaluations at a time.
    pub jobs_max: u32,
    /// GPUs by size after the factors; the first band that holds it counts.
    pub bands: Vec<ParamsBand>,
    /// GPUs of larger models.
    pub above_gpus: u32,
    /// Environment tasks.
    pub environment: EnvironmentEvaluation,
    /// Where the GPUs come from.
    pub pool: EvaluationPool,
}

/// GPUs below a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamsBand {
    /// The first size that is too large, parameters.
    pub params_below: u64,
    /// GPUs.
    pub gpus: u32,
}

/// Environment tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnvironmentEvaluation {
    /// There are none.
    None {},
    /// By size, or by how they are played.
    Factor {
        /// What the size is multiplied by.
        factor: u32,
        /// GPUs of two models that play each other.
        pair_gpus: u32,
        /// GPUs of one model alone in an environment.
        individual_gpus: u32,
    },
}

/// Where the GPUs of evaluations come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum EvaluationPool {
    /// The validator's machine.
    Local {},
    /// Rented ones.
    Rented {
        /// At a time.
        gpus_max: u32,
    },
}

impl ResourceRules {
    pub(super) fn broken(&self) -> Option<Broken> {
        const GROWING: &str = "bands that grow in size and in GPUs, at least one, and more above";
        let training = &self.training;
        let bands = training
            .bands
            .iter()
            .map(|band| (band.billions_max, f64::from(band.gpus)));
        if !grows(bands, f64::from(training.above_gpus)) {
            let found = format!("{:?}, above {}", training.bands, training.above_gpus);
            return Some(("resources.training.bands", found, GROWING));
        }
        let evaluation = &self.evaluation;
        let bands = evaluation
            .bands
            .iter()
            .map(|band| (band.params_below, f64::from(band.gpus)));
        if !grows(bands, f64::from(evaluation.above_gpus)) {
            let found = format!("{:?}, above {}", evaluation.bands, evaluation.above_gpus);
            return Some(("resources.evaluation.bands", found, GROWING));
        }
        self.hours.broken()
    }
}
