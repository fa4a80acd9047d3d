//! Which tasks a round has: what they measure, on which models, drawn where the rules draw.

mod round;

pub(super) use round::Planning;

use crate::rules::{StartPoint, TaskKind};
use serde::{Deserialize, Serialize};

/// What a task has to be. Whoever builds it chooses within this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case", deny_unknown_fields)]
pub enum Plan {
    /// Of a text tournament.
    Text {
        /// What it measures.
        kind: TaskKind,
        /// On which model.
        model: ModelPlan,
        /// The coefficient of its KL term, if it has one.
        #[serde(deserialize_with = "Option::deserialize")]
        kl_coef: Option<f64>,
        /// The lineage of continuous fine-tuning that it continues, if it does.
        #[serde(deserialize_with = "Option::deserialize")]
        lineage: Option<String>,
    },
    /// Of an image tournament.
    Image {
        /// On which model.
        model: ModelPlan,
    },
    /// Of an environment tournament.
    Environment {
        /// What training starts from.
        start: StartPoint,
        /// On which model.
        model: ModelPlan,
        /// In which environments.
        environments: EnvironmentPlan,
        /// Whether all tasks of the round have the same model and environments.
        shared: bool,
    },
}

/// On which model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelPlan {
    /// Any of the pool.
    Any {},
    /// Any with so many parameters, billions.
    Size {
        /// At least.
        params_b_min: f64,
        /// At most.
        params_b_max: f64,
    },
    /// Any of one family.
    Family {
        /// Which.
        family: String,
    },
    /// This one.
    Model {
        /// Which.
        model: String,
    },
    /// Any but this one.
    Other {
        /// Which not.
        than: String,
    },
    /// What the lineage has come to.
    Lineage {
        /// What it began with.
        seed: String,
    },
    /// The previous tournament's winner.
    PreviousWinner {},
}

/// In which environments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnvironmentPlan {
    /// So many of these.
    Some {
        /// How many.
        count: usize,
        /// Of which.
        of: Vec<String>,
    },
    /// This one.
    Only {
        /// Which.
        environment: String,
    },
}

impl Plan {
    /// What is measured; `None` in environments.
    pub fn kind(&self) -> Option<TaskKind> {
        match self {
            Self::Text { kind, .. } => Some(*kind),
            Self::Image { .. } => Some(TaskKind::Image),
            Self::Environment { .. } => None,
        }
    }

    /// Whether more is better.
    pub fn higher_is_better(&self) -> bool {
        self.kind().is_none_or(TaskKind::higher_is_better)
    }

    /// Whether a candidate's score depends on the other candidates, so that all are evaluated at once.
    pub fn evaluated_together(&self) -> bool {
        matches!(self.kind(), None | Some(TaskKind::Grpo))
    }

    /// On which model.
    pub fn model(&self) -> &ModelPlan {
        match self {
            Self::Text { model, .. } | Self::Image { model } | Self::Environment { model, .. } => {
                model
            }
        }
    }

    /// The lineage that it continues, if it does.
    pub fn lineage(&self) -> Option<&str> {
        match self {
            Self::Text { lineage, .. } => lineage.as_deref(),
            _ => None,
        }
    }
}
