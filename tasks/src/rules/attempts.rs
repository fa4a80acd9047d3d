//! How often something is tried: the section `[attempts]` of a rule set.

use serde::{Deserialize, Serialize};

/// How often something is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptRules {
    /// Trainings of one entrant at one task, the first included.
    pub training: u32,
    /// A trainer that did not start is asked again after so many seconds.
    pub training_retry_s: u32,
    /// Evaluations of one task of a tournament while all scores are zero, the first included.
    pub evaluation: u32,
    /// Evaluations in environments.
    pub environment_evaluation: EnvironmentAttempts,
}

/// Evaluations in environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnvironmentAttempts {
    /// There are none.
    None {},
    /// So many.
    Limited {
        /// Of one pair, or of one model alone; the first included.
        max: u32,
    },
}

impl AttemptRules {
    /// Whether a training that failed so often is tried again.
    pub fn trains_again(&self, failed: u32) -> bool {
        failed < self.training
    }

    /// Whether a task whose scores were all zero so often is evaluated again.
    pub fn evaluates_again(&self, all_zero: u32) -> bool {
        all_zero < self.evaluation
    }

    /// Whether an evaluation in an environment that failed so often is tried again.
    pub fn plays_again(&self, failed: u32) -> bool {
        match self.environment_evaluation {
            EnvironmentAttempts::None {} => false,
            EnvironmentAttempts::Limited { max } => failed < max,
        }
    }
}
