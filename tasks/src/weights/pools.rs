//! What each type of tournament has to give: base, boost, decay, cap.

use super::balance::{base_shares, sum};
use super::error::EmissionError;
use super::results::{PerType, TournamentType};
use crate::rules::{EmissionRules, ReignDecay, Remainder};
use serde::{Deserialize, Serialize};

/// What emissions are computed from, besides results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmissionInput {
    /// When, microseconds since 1970; needed where a reign's days count.
    #[serde(deserialize_with = "Option::deserialize")]
    pub now_unix_us: Option<i64>,
    /// Of text tournaments.
    pub text: TypeInput,
    /// Of image tournaments.
    pub image: TypeInput,
    /// Of environment tournaments, where the rules have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<TypeInput>,
}

/// What is known of a type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeInput {
    /// The champion's margin.
    pub performance: Performance,
    /// Entrants of completed tournaments, the newest first.
    pub entrants_newest_first: Vec<u32>,
    /// Tournaments that have begun and are not over.
    pub running: u32,
    /// The champion's reign, if there is a champion.
    #[serde(deserialize_with = "Option::deserialize")]
    pub reign: Option<Reign>,
}

/// By how much the champion of a type's latest tournament was better, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Performance {
    /// There was no tournament of this type.
    NoTournament,
    /// There is a new champion.
    Won {
        /// The margin of the boss round; `None` if there is no such number. Tournaments that were played have one.
        #[serde(deserialize_with = "Option::deserialize")]
        difference: Option<f64>,
        /// Whether the winner is the burn account itself.
        burn_account: bool,
    },
    /// The champion defended.
    Defended {
        /// The margin stored when he became champion.
        #[serde(deserialize_with = "Option::deserialize")]
        stored_difference: Option<f64>,
    },
}

/// A champion's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reign {
    /// When he first won, microseconds since 1970; needed where a reign's days count.
    #[serde(deserialize_with = "Option::deserialize")]
    pub first_won_unix_us: Option<i64>,
    /// Tournaments won in a row, the first included.
    pub consecutive_wins: u32,
}

/// What one type gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// What the champion's share is a part of; all of it is given, or burned.
    pub champion: f64,
    /// What everyone else's share is a part of.
    pub others: f64,
}

/// All pools and the burned rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pools {
    /// By type; 0 for a type that the rules do not have.
    pub types: PerType<Pool>,
    /// What goes to the burn hotkey before anything is undistributed.
    pub burn: f64,
}

impl EmissionInput {
    /// What is known of a type.
    pub fn of(&self, tournament: TournamentType) -> Option<&TypeInput> {
        match tournament {
            TournamentType::Text => Some(&self.text),
            TournamentType::Image => Some(&self.image),
            TournamentType::Environment => self.environment.as_ref(),
        }
    }

    pub(super) fn check(&self, rules: &EmissionRules) -> Result<(), EmissionError> {
        let tournament = TournamentType::Environment;
        let what = "input";
        match (&self.environment, &rules.environment) {
            (Some(_), None) => Err(EmissionError::UnknownType { tournament, what }),
            (None, Some(_)) => Err(EmissionError::MissingType { tournament, what }),
            _ => Ok(()),
        }
    }
}

impl Performance {
    /// The margin; `None` without a tournament.
    fn difference(self, rules: &EmissionRules) -> Option<f64> {
        let boost = &rules.boost;
        match self {
            Self::NoTournament => None,
            Self::Won {
                difference,
                burn_account,
            } => Some(difference.unwrap_or(if burn_account {
                boost.missing_burn_account
            } else {
                boost.missing
            })),
            Self::Defended { stored_difference } => {
                Some(stored_difference.unwrap_or(boost.missing))
            }
        }
    }
}

/// Pools of a rule set for an input.
///
/// A type's boost is `(difference - threshold) * rate` above the threshold. Its weight is `min(base + boost, cap)`
/// after decay. With a burned remainder, burn is `1 - text - image - environment`, in that order; scaled, each
/// weight is multiplied by `1 / sum`, and the champion's pool is everyone's.
///
/// # Errors
/// `Number` for a margin that is not finite, `MissingType` and `UnknownType` where input and rules differ,
/// `NoPresent` and `NoFirstWin` where days count and the input does not say when.
pub fn pools(rules: &EmissionRules, input: &EmissionInput) -> Result<Pools, EmissionError> {
    let bases = base_shares(rules, input)?;
    let mut weights = PerType::<f64>::default();
    for (tournament, type_rules) in rules.types() {
        let input_of = input.of(tournament).ok_or(EmissionError::MissingType {
            tournament,
            what: "input",
        })?;
        let boost = match input_of.performance.difference(rules) {
            Some(found) if !found.is_finite() => {
                return Err(EmissionError::Number {
                    what: format!("the champion's margin of {tournament} tournaments"),
                    found,
                    expected: "a finite number",
                });
            }
            Some(difference) if difference > rules.boost.threshold => {
                (difference - rules.boost.threshold) * rules.boost.rate
            }
            _ => 0.0,
        };
        let decay = Decay::of(rules.decay, tournament, input_of.reign, input.now_unix_us)?;
        let weight = decay.apply(*bases.get(tournament), boost);
        *weights.get_mut(tournament) = weight.min(type_rules.cap);
    }
    let ordered = [weights.text, weights.image, weights.environment];
    let pool = |champion, others| Pool { champion, others };
    Ok(match rules.remainder {
        Remainder::Burned => Pools {
            types: weights.try_map(|t, weight| Ok(pool(*weight, *bases.get(t))))?,
            burn: ordered.iter().fold(1.0, |rest, weight| rest - weight),
        },
        Remainder::Scaled => {
            let total = sum(&ordered);
            let scale = if total > 0.0 { 1.0 / total } else { 1.0 };
            Pools {
                types: weights.try_map(|_, w| Ok(pool(w * scale, w * scale)))?,
                burn: 0.0,
            }
        }
    })
}

/// What a reign takes: by defences, by days, and whether the second waits until the first has eaten the boost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Decay {
    by_defences: f64,
    by_days: f64,
    both: bool,
}

impl Decay {
    fn of(
        rule: ReignDecay,
        tournament: TournamentType,
        reign: Option<Reign>,
        now_unix_us: Option<i64>,
    ) -> Result<Self, EmissionError> {
        let Some(reign) = reign else {
            return Ok(Self::default());
        };
        let defences = f64::from(reign.consecutive_wins.saturating_sub(1));
        let (per_defence, per_day, start_unix_s) = match rule {
            ReignDecay::None {} => return Ok(Self::default()),
            ReignDecay::Wins { per_defence } => {
                return Ok(Self {
                    by_defences: defences * per_defence,
                    ..Self::default()
                });
            }
            ReignDecay::WinsThenDays {
                per_defence,
                per_day,
                start_unix_s,
            } => (per_defence, per_day, start_unix_s),
        };
        let now = i128::from(now_unix_us.ok_or(EmissionError::NoPresent)?);
        let first_won = reign.first_won_unix_us;
        let first_won = i128::from(first_won.ok_or(EmissionError::NoFirstWin { tournament })?);
        let start = i128::from(start_unix_s) * 1_000_000;
        let by_defences = defences * per_defence;
        // Microseconds to seconds to days: two roundings, as a difference of times has them in Python.
        let days_since = |then: i128| (now - then) as f64 / 1e6 / 86_400.0;
        Ok(if now < start {
            Self {
                by_defences,
                ..Self::default()
            }
        } else if first_won < start {
            Self {
                by_defences,
                by_days: days_since(start) * per_day,
                both: true,
            }
        } else {
            Self {
                by_days: days_since(first_won) * per_day,
                ..Self::default()
            }
        })
    }

    /// Base and boost after the reign's decay, before the cap.
    fn apply(self, base: f64, boost: f64) -> f64 {
        let left = (boost - self.by_defences).max(0.0);
        if self.both && left == 0.0 {
            (base - self.by_days).max(0.0)
        } else if self.both || self.by_defences > 0.0 {
            (base + left).max(0.0)
        } else if self.by_days > 0.0 {
            (base + boost - self.by_days).max(0.0)
        } else {
            base + boost
        }
    }
}
