//! How many GPUs a task gets, and for how long: the rule set's tables, applied.
//!
//! | function | answers |
//! |---|---|
//! | [`training_gpus`] | GPUs of one training |
//! | [`evaluation_gpus`] | GPUs of one evaluation |
//! | [`text_hours`] | hours of instruct, chat, DPO, GRPO and continued fine-tuning |
//! | [`image_hours`], [`environment_hours`] | hours of the others |
//!
//! Floating-point operations are in the subnet's order, so that results are equal, not close. Hours that older rules draw
//! come as a range, and whoever has the randomness [picks](Hours::pick).

mod draw;
mod gpus;
mod hours;

pub use draw::Hours;
pub use gpus::{Gpus, evaluation_gpus, training_gpus};
pub use hours::{
    EnvironmentStart, TextHoursInput, TextStage, Tokens, environment_hours, image_hours, text_hours,
};

use crate::Owner;
use std::fmt;

/// What is trained or evaluated, as far as GPUs and hours depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Answers to instructions.
    Instruct {
        /// Whether the loss has a KL term.
        kl: bool,
    },
    /// Conversations.
    Chat,
    /// Preferences.
    Dpo,
    /// Rewards.
    Grpo,
    /// A lineage of fine-tunings that goes on over tournaments.
    ContinuousSft,
    /// Pictures.
    Image,
    /// Environments.
    Environment {
        /// What the environment multiplies the size by when it trains, if it has such a factor.
        gpu_factor: Option<u32>,
        /// How it is evaluated.
        play: Play,
    },
}

/// How an environment is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Two models against each other.
    Pair,
    /// One model.
    Individual,
    /// As the model's size asks.
    BySize,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instruct { kl: false } => "instruct",
            Self::Instruct { kl: true } => "instruct with a KL term",
            Self::Chat => "chat",
            Self::Dpo => "DPO",
            Self::Grpo => "GRPO",
            Self::ContinuousSft => "continued fine-tuning",
            Self::Image => "image",
            Self::Environment { .. } => "environment",
        })
    }
}

/// The largest model, in parameters: whole numbers up to it are exact as f64.
pub const PARAMS_MAX: u64 = 1 << 53;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResourceError {
    /// The rule set has no such tasks.
    #[error("rule set {rules} has no {work} tasks\nhelp: use the rule set of the task's date")]
    NoSuchWork {
        /// Which set.
        rules: String,
        /// What was asked about.
        work: String,
    },
    /// No bin of the rule set holds so many rows.
    #[error(
        "rule set {rules} has no training hours for {rows} rows\nhelp: choose a data set within its bins"
    )]
    NoBin {
        /// Which set.
        rules: String,
        /// The task's rows.
        rows: u64,
    },
    /// A number that cannot be.
    #[error("{what} is {found}, expected {expected}\nhelp: correct where it was measured")]
    Number {
        /// Which number.
        what: &'static str,
        /// Its value.
        found: String,
        /// What it can be.
        expected: &'static str,
    },
    /// A draw outside the range.
    #[error("draw {draw} of hours is not below {choices}")]
    Draw {
        /// What was drawn.
        draw: u32,
        /// How many choices there are.
        choices: u32,
    },
}

impl ResourceError {
    /// Whose fault: tasks and their data are the operator's.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Draw { .. } => Owner::Bug,
            _ => Owner::Host,
        }
    }
}

fn checked_params(params: Option<u64>) -> Result<Option<u64>, ResourceError> {
    match params {
        Some(params) if params > PARAMS_MAX => Err(ResourceError::Number {
            what: "the number of parameters",
            found: params.to_string(),
            expected: "at most 2^53",
        }),
        // A model without parameters is one whose size could not be read.
        Some(0) => Ok(None),
        params => Ok(params),
    }
}

#[cfg(test)]
mod tests;
