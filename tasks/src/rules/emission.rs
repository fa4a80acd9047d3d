//! What turns tournaments into emissions: the section `[emission]` of a rule set.

use super::{RuleSet, RuleSetError};
use serde::{Deserialize, Serialize};

/// How emissions are shared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmissionRules {
    /// The hotkey that takes what nobody earned, and that stands for the defending champion in results.
    pub burn_hotkey: String,
    /// Weight of each active participant, whatever it scored.
    pub participation: f64,
    /// A vector's total may be this far from 1.
    pub total_tolerance: f64,
    /// Text tournaments.
    pub text: TypeRules,
    /// Image tournaments.
    pub image: TypeRules,
    /// Environment tournaments; absent where they did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<TypeRules>,
    /// Where base shares come from.
    pub split: SplitShares,
    /// What a champion's margin adds.
    pub boost: BoostRules,
    /// What a long reign takes away.
    pub decay: ReignDecay,
    /// What happens to the rest.
    pub remainder: Remainder,
    /// The validator's version that goes with weights; the chain refuses one below the subnet's `WeightsVersionKey`.
    pub version_key: u64,
    /// Shares inside a tournament.
    pub ranks: RankShares,
    /// Least cosine between a recomputed vector and a row on chain for the row to pass; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_cosine_min: Option<f64>,
    /// When the metagraph's incentives stand in for results.
    pub fallback: FallbackRules,
}

/// One type of tournament.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeRules {
    /// Its share before boosts; the balancer's neutral point.
    pub base: f64,
    /// Its share at most.
    pub cap: f64,
}

/// Where base shares come from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum SplitShares {
    /// The types' `base`.
    Fixed {},
    /// Types with few entrants get more.
    Balanced {
        /// How sharply: 0 keeps the bases.
        alpha: f64,
        /// No base falls below this.
        floor: f64,
        /// The newest so many tournaments of a type do not count.
        lag: usize,
        /// Whether one that runs is the newest. It has no entrants that count, so that fewer of those that are over are left out.
        lag_counts_running: bool,
        /// So many after them do.
        window: usize,
        /// Tournaments with fewer entrants do not count, not for the lag either. No source says which of the two the
        /// subnet applies first; it matters only while the newest tournament of a type is that small.
        entrants_min: u32,
    },
}

/// What a champion's margin adds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoostRules {
    /// Margins up to this add nothing.
    pub threshold: f64,
    /// Weight per margin above it.
    pub rate: f64,
    /// The margin where a new champion has none and is the burn account.
    pub missing_burn_account: f64,
    /// The margin where any other champion has none.
    pub missing: f64,
}

/// What a long reign takes away.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReignDecay {
    /// Nothing.
    None {},
    /// By defences alone; it never takes more than the boost.
    Wins {
        /// For each defence.
        per_defence: f64,
    },
    /// By defences until `start_unix_s`, by days from then on; a champion from before has both.
    WinsThenDays {
        /// For each defence.
        per_defence: f64,
        /// For each day.
        per_day: f64,
        /// When days began to count, seconds since 1970.
        start_unix_s: i64,
    },
}

impl ReignDecay {
    /// Whether a reign's length counts.
    pub fn counts_reigns(&self) -> bool {
        !matches!(self, Self::None {})
    }

    /// Whether it counts in days, so that its beginning and the present have to be known.
    pub fn counts_days(&self) -> bool {
        matches!(self, Self::WinsThenDays { .. })
    }
}

/// What happens to the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// It is burned; those who are not champion are paid from the type's base.
    Burned,
    /// There is none: the types' shares are scaled to 1, and everyone is paid from them.
    Scaled,
}

/// Shares inside a tournament.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum RankShares {
    /// By points over all rounds, every scorer.
    Points {
        /// A rank's share over the one before.
        decline: f64,
    },
    /// By final position.
    Positions {
        /// A rank's share over the one before.
        decline: f64,
        /// Ranks that are paid.
        paid: u32,
        /// Ranks that are paid where a record has no positions: champion and other finalists.
        paid_without_positions: u32,
    },
}

/// When the metagraph's incentives stand in for results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackRules {
    /// Only when own weights are at least this old, blocks.
    pub stale_blocks: u64,
    /// Only after this many failures in a row.
    pub failures_min: u32,
}

impl RuleSet {
    /// Least cosine between a recomputed vector and a row on chain.
    ///
    /// # Errors
    /// `NotKnown` for a set whose value nobody has.
    pub fn audit_cosine_min(&self) -> Result<f64, RuleSetError> {
        self.emission
            .audit_cosine_min
            .ok_or_else(|| RuleSetError::NotKnown {
                name: self.id.clone(),
                field: "emission.audit_cosine_min",
            })
    }
}

impl EmissionRules {
    /// The first field whose value makes no sense: its name, the value, what is allowed.
    pub(super) fn out_of_range(&self) -> Option<(&'static str, String, &'static str)> {
        const SHARE: &str = "0 to 1";
        let mut fields = vec![
            ("emission.participation", self.participation, SHARE),
            ("emission.total_tolerance", self.total_tolerance, SHARE),
            ("emission.text.base", self.text.base, SHARE),
            ("emission.text.cap", self.text.cap, SHARE),
            ("emission.image.base", self.image.base, SHARE),
            ("emission.image.cap", self.image.cap, SHARE),
            ("emission.boost.threshold", self.boost.threshold, SHARE),
            (
                "emission.boost.missing_burn_account",
                self.boost.missing_burn_account,
                SHARE,
            ),
            ("emission.boost.missing", self.boost.missing, SHARE),
        ];
        if let Some(environment) = self.environment {
            fields.push(("emission.environment.base", environment.base, SHARE));
            fields.push(("emission.environment.cap", environment.cap, SHARE));
        }
        if let Some(cosine) = self.audit_cosine_min {
            fields.push(("emission.audit_cosine_min", cosine, SHARE));
        }
        match self.split {
            SplitShares::Fixed {} => {}
            SplitShares::Balanced { floor, .. } => {
                fields.push(("emission.split.floor", floor, SHARE));
            }
        }
        if let ReignDecay::Wins { per_defence } | ReignDecay::WinsThenDays { per_defence, .. } =
            self.decay
        {
            fields.push(("emission.decay.per_defence", per_defence, SHARE));
        }
        if let ReignDecay::WinsThenDays { per_day, .. } = self.decay {
            fields.push(("emission.decay.per_day", per_day, SHARE));
        }
        let (RankShares::Points { decline } | RankShares::Positions { decline, .. }) = self.ranks;
        fields.push(("emission.ranks.decline", decline, SHARE));
        for (field, value, expected) in fields {
            if !(0.0..=1.0).contains(&value) {
                return Some((field, value.to_string(), expected));
            }
        }
        const FACTOR: &str = "0 to 100";
        if !(0.0..=100.0).contains(&self.boost.rate) {
            return Some(("emission.boost.rate", self.boost.rate.to_string(), FACTOR));
        }
        if let SplitShares::Balanced { alpha, window, .. } = self.split {
            if !(0.0..=100.0).contains(&alpha) {
                return Some(("emission.split.alpha", alpha.to_string(), FACTOR));
            }
            if window == 0 {
                return Some(("emission.split.window", "0".to_owned(), "at least 1"));
            }
            // The balancer divides by what the bases sum to, and by each.
            let bases = [Some(self.text), Some(self.image), self.environment];
            if bases.into_iter().flatten().any(|rules| rules.base == 0.0) {
                return Some((
                    "emission.text.base, emission.image.base, emission.environment.base",
                    "0".to_owned(),
                    "above 0 where split is balanced",
                ));
            }
        }
        if let RankShares::Positions {
            paid,
            paid_without_positions,
            ..
        } = self.ranks
            && !((1..=1000).contains(&paid) && (1..=paid).contains(&paid_without_positions))
        {
            return Some((
                "emission.ranks.paid, emission.ranks.paid_without_positions",
                format!("{paid}, {paid_without_positions}"),
                "1 to 1000, and 1 to paid",
            ));
        }
        let address = self.burn_hotkey.as_bytes();
        if !(40..=64).contains(&address.len()) || !address.iter().all(u8::is_ascii_alphanumeric) {
            return Some((
                "emission.burn_hotkey",
                self.burn_hotkey.clone(),
                "an SS58 address",
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests;
