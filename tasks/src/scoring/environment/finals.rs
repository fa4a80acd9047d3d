//! The final of an environment tournament: one challenger, the champion, a task for each way to start training.

use super::{EnvironmentRules, FinalRule, Verdict};
use serde::{Deserialize, Serialize};

/// Where training of a final's task starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalStart {
    /// From each entrant's own model of the round before.
    Continuation,
    /// From the base model.
    FromScratch,
    /// From the model that won a former tournament.
    PreviousWinner,
}

/// A task of the final, scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalTask {
    /// Where training starts.
    pub start: FinalStart,
    /// Its environments.
    pub environments: Vec<String>,
    /// The challenger's standing; `None`, not a number or infinite if it has none.
    pub challenger: Option<f64>,
    /// The champion's, which counts as 0 if it has none.
    pub boss: Option<f64>,
}

/// Who has the title after a final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalDecision {
    /// The challenger or the holder, never a draw.
    pub verdict: Verdict,
    /// Why.
    pub reason: FinalReason,
    /// Tasks that the challenger won.
    pub won: usize,
    /// Tasks that it lost.
    pub lost: usize,
    /// Tasks that were tied.
    pub drawn: usize,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalReason {
    /// No task lost, the required one won or tied.
    Unbeaten,
    /// A task lost.
    TaskLost,
    /// The challenger has no standing in a task.
    NoScore,
    /// The final has no task with the required environment.
    NoRequiredTask,
}

/// Decides a final.
pub fn decide_final(tasks: &[FinalTask], rules: &EnvironmentRules) -> FinalDecision {
    let FinalRule::Unbeaten { required } = &rules.title;
    let finite = |score: Option<f64>| score.filter(|score| score.is_finite());
    let (mut won, mut lost, mut drawn) = (0, 0, 0);
    for task in tasks {
        let Some(challenger) = finite(task.challenger) else {
            continue;
        };
        let boss = finite(task.boss).unwrap_or(0.0);
        if challenger > boss {
            won += 1;
        } else if challenger < boss {
            lost += 1;
        } else {
            drawn += 1;
        }
    }
    let reason = if won + lost + drawn < tasks.len() {
        FinalReason::NoScore
    } else if !tasks
        .iter()
        .any(|task| task.environments.contains(required))
    {
        FinalReason::NoRequiredTask
    } else if lost > 0 {
        FinalReason::TaskLost
    } else {
        FinalReason::Unbeaten
    };
    let verdict = if reason == FinalReason::Unbeaten {
        Verdict::Challenger
    } else {
        Verdict::Holder
    };
    FinalDecision {
        verdict,
        reason,
        won,
        lost,
        drawn,
    }
}
