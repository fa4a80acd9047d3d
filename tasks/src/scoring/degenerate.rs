//! Tasks that decide nothing: the best loss says that the rows were learned by heart, could not be learned, or were not.
//!
//! | kind | decides nothing with a best loss |
//! |---|---|
//! | instruct | below `best_loss_min`, above `best_loss_max_instruct` |
//! | chat | below `best_loss_min` |
//! | DPO | below `best_loss_min_dpo`, from `dpo_no_learning_min` to `dpo_no_learning_max`, around ln 2 |
//! | GRPO, image | never by its loss |

use crate::rules::{DegenerateRules, TaskKind};
use serde::{Deserialize, Serialize};

/// Why a task decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case", deny_unknown_fields)]
pub enum Degenerate {
    /// No candidate has a finite score.
    NoScore,
    /// The best loss is lower than a set that tells candidates apart leaves it.
    TooLow {
        /// The best loss, nats.
        best: f64,
        /// What it has to reach.
        least: f64,
    },
    /// The best loss is higher than anything that was learned.
    TooHigh {
        /// The best loss, nats.
        best: f64,
        /// What it must not pass.
        most: f64,
    },
    /// The best preference loss is that of a model without preferences.
    NothingLearned {
        /// The best loss, nats.
        best: f64,
    },
}

/// Whether a task decides nothing, by the scores of its valid candidates; scores that are not finite do not count.
pub fn degenerate(kind: TaskKind, scores: &[f64], rules: &DegenerateRules) -> Option<Degenerate> {
    let best = scores
        .iter()
        .copied()
        .filter(|score| score.is_finite())
        .min_by(f64::total_cmp);
    let Some(best) = best else {
        return Some(Degenerate::NoScore);
    };
    let too_low = |least: f64| (best < least).then_some(Degenerate::TooLow { best, least });
    match kind {
        TaskKind::Instruct => too_low(rules.best_loss_min).or_else(|| {
            let most = rules.best_loss_max_instruct;
            (best > most).then_some(Degenerate::TooHigh { best, most })
        }),
        TaskKind::Chat => too_low(rules.best_loss_min),
        TaskKind::Dpo => too_low(rules.best_loss_min_dpo).or_else(|| {
            (rules.dpo_no_learning_min..=rules.dpo_no_learning_max)
                .contains(&best)
                .then_some(Degenerate::NothingLearned { best })
        }),
        TaskKind::Grpo | TaskKind::Image => None,
    }
}

#[cfg(test)]
mod tests;
