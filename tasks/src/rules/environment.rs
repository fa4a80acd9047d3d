//! What ranks environment tournaments, normalises rewards and measures margins: the sections `[environment]`, `[grpo]`
//! and `[performance]` of a rule set.

use super::{EnvironmentBracket, RuleSet, RuleSetError, StartPoint};
use serde::{Deserialize, Serialize};

/// Standings and finals of environment tournaments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentRules {
    /// The score of an entrant that an environment has none of.
    pub missing_score: f64,
    /// The quantile of an entrant that is alone.
    pub alone: f64,
    /// Each environment's weight in a standing.
    pub weight: f64,
    /// Entrants that a group sends on; those that tie with the last of them go on too.
    pub advance: u32,
    /// What takes the title in the final.
    pub title: FinalRule,
}

/// What takes the title in the final of an environment tournament.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum FinalRule {
    /// No task lost, and the one with this environment at least tied; a final without that one keeps the champion.
    Unbeaten {
        /// The environment.
        required: String,
    },
}

/// Rewards of several candidates to scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpoRules {
    /// With fewer candidates, failed ones included, rewards are not normalised.
    pub candidates_min: usize,
    /// Of two candidates with a negative reward between them, the lower gets this ...
    pub pair_low: f64,
    /// ... and the higher this.
    pub pair_high: f64,
    /// The value of a reward that one candidate alone has, or that is zero for all.
    pub flat: f64,
    /// Weight of the divergence from the base model, nats.
    pub kl_coefficient: f64,
    /// What failed candidates do to the scores of those after them.
    pub failed: FailedRule,
}

/// What failed candidates do to the scores of those after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedRule {
    /// Nothing.
    Skipped,
    /// They are left out of the list of scores but counted when it is read: whoever stands behind one gets the score of
    /// somebody further back, and the last ones keep the score of their own evaluation.
    ShiftOthers,
}

/// Margins of boss rounds, which decide what a champion earns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceRules {
    /// What a difference is divided by.
    pub divisor: Divisor,
    /// The margin where the divisor does not allow one, and of a tournament without any.
    pub missing: f64,
    /// Margins of environment tournaments; absent where they did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<WinShareRules>,
}

/// What a difference is divided by: the boss's score where more is better, else the challenger's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Divisor {
    /// That score, if it is above zero.
    Positive,
    /// Its magnitude, if it is not zero.
    Magnitude,
}

/// A share of games won to a margin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WinShareRules {
    /// Where the share comes from.
    pub share: ShareRule,
    /// Below this share there is no margin.
    pub share_min: f64,
    /// The margin at that share.
    pub base: f64,
    /// Margin per share above it.
    pub slope: f64,
}

/// Where a share of games won comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ShareRule {
    /// From both sides' results of a task, taken for points of games: what they weigh, without this for each environment,
    /// over this for each environment.
    Points {
        /// Weight of the challenger's result.
        challenger: f64,
        /// Weight of the boss's result.
        boss: f64,
        /// Points of an environment.
        environment: f64,
    },
}

impl RuleSet {
    /// The rules of environment tournaments.
    ///
    /// # Errors
    /// `NotKnown` for a set from before they existed.
    pub fn environment(&self) -> Result<&EnvironmentRules, RuleSetError> {
        self.environment
            .as_ref()
            .ok_or_else(|| self.not_known("environment"))
    }

    /// How a share of games won becomes a margin.
    ///
    /// # Errors
    /// `NotKnown` for a set from before environment tournaments existed.
    pub fn win_shares(&self) -> Result<WinShareRules, RuleSetError> {
        self.performance
            .environment
            .ok_or_else(|| self.not_known("performance.environment"))
    }

    fn not_known(&self, field: &'static str) -> RuleSetError {
        RuleSetError::NotKnown {
            name: self.id.clone(),
            field,
        }
    }

    /// The first field of these sections whose value makes no sense: its name, the value, what is allowed.
    pub(super) fn results_out_of_range(&self) -> Option<(&'static str, String, &'static str)> {
        const SHARE: &str = "0 to 1";
        let mut shares = vec![
            ("grpo.pair_low", self.grpo.pair_low),
            ("grpo.pair_high", self.grpo.pair_high),
            ("grpo.flat", self.grpo.flat),
            ("grpo.kl_coefficient", self.grpo.kl_coefficient),
            ("performance.missing", self.performance.missing),
        ];
        if let Some(environment) = &self.environment {
            shares.push(("environment.missing_score", environment.missing_score));
            shares.push(("environment.alone", environment.alone));
        }
        if let Some(shared) = self.performance.environment {
            shares.push(("performance.environment.share_min", shared.share_min));
            shares.push(("performance.environment.base", shared.base));
            shares.push(("performance.environment.slope", shared.slope));
        }
        for (field, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return Some((field, value.to_string(), SHARE));
            }
        }
        if self.grpo.candidates_min < 2 {
            let found = self.grpo.candidates_min.to_string();
            return Some(("grpo.candidates_min", found, "at least 2"));
        }
        let groups = match &self.bracket.environment {
            EnvironmentBracket::Groups(groups) => Some(groups),
            EnvironmentBracket::None {} => None,
        };
        let present = [
            groups.is_some(),
            self.environment.is_some(),
            self.performance.environment.is_some(),
            self.emission.environment.is_some(),
        ];
        if present.contains(&true) && present.contains(&false) {
            return Some((
                "bracket.environment, environment, performance.environment, emission.environment",
                format!("{} of 4", present.iter().filter(|there| **there).count()),
                "all, or none where there were no environment tournaments",
            ));
        }
        let environment = self.environment.as_ref()?;
        if !(environment.weight > 0.0 && environment.weight <= 100.0) {
            let found = environment.weight.to_string();
            return Some(("environment.weight", found, "above 0, to 100"));
        }
        if !(1..=1000).contains(&environment.advance) {
            let found = environment.advance.to_string();
            return Some(("environment.advance", found, "1 to 1000"));
        }
        let FinalRule::Unbeaten { required } = &environment.title;
        if required.is_empty() || required.len() > 64 {
            let found = required.clone();
            return Some(("environment.title.required", found, "an environment's name"));
        }
        let groups = groups?;
        if !groups.environments.contains(required) {
            let found = required.clone();
            let expected = "one of bracket.environment.environments";
            return Some(("environment.title.required", found, expected));
        }
        if !groups.final_tasks.contains(&StartPoint::PreviousWinner) {
            let found = format!("{:?}", groups.final_tasks);
            let expected = "previous_winner among them: his task alone decides the title";
            return Some(("bracket.environment.final_tasks", found, expected));
        }
        None
    }
}
