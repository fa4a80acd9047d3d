//! Two candidates over the same rows: the paired comparison that decides a boss round.
//!
//! A row's gap is the holder's loss minus the challenger's, so positive is in the challenger's favour. Rows where
//! either loss is not finite are dropped from both. Gaps inside the dead zone decide nothing: numerics alone can make
//! them.

use super::bootstrap::{Resampled, ResampledDuel, mean};
use crate::Owner;
use crate::rules::PairedRules;
use serde::{Deserialize, Serialize};

/// Rows won, lost and drawn by the challenger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Gap above the dead zone.
    pub wins: usize,
    /// Gap below minus the dead zone.
    pub losses: usize,
    /// Gap inside the dead zone.
    pub draws: usize,
}

impl Tally {
    /// Counts gaps.
    pub fn of(gaps: &[f64], dead_zone: f64) -> Self {
        let mut tally = Self::default();
        for gap in gaps {
            if *gap > dead_zone {
                tally.wins += 1;
            } else if *gap < -dead_zone {
                tally.losses += 1;
            } else {
                tally.draws += 1;
            }
        }
        tally
    }

    /// Rows outside the dead zone.
    pub fn decided(&self) -> usize {
        self.wins + self.losses
    }

    /// The challenger's share of the decided rows; `None` if no row is decided.
    pub fn win_rate(&self) -> Option<f64> {
        (self.decided() > 0).then(|| self.wins as f64 / self.decided() as f64)
    }
}

/// Two vectors that do not belong to the same rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncomparableError {
    /// Different numbers of rows.
    #[error(
        "one vector has {challenger} rows, the other {holder}: they were not scored on the same set"
    )]
    Length {
        /// Rows of the challenger's vector.
        challenger: usize,
        /// Rows of the holder's vector.
        holder: usize,
    },
    /// Different sets.
    #[error(
        "the fingerprints of the evaluated sets differ, {challenger} and {holder}: they were not scored on the same set"
    )]
    Fingerprint {
        /// The challenger's set.
        challenger: String,
        /// The holder's set.
        holder: String,
    },
}

impl IncomparableError {
    /// Whose fault: the set depends on the candidate's own configuration.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

/// A challenger's rows against a holder's.
#[derive(Clone, Debug, PartialEq)]
pub struct Duel {
    /// Gaps of the rows where both losses are finite, in evaluation order, nats.
    pub gaps: Vec<f64>,
    /// Wins, losses, draws.
    pub tally: Tally,
    /// Mean of the gaps; `None` if there are none.
    pub mean_gap: Option<f64>,
    /// Mean of the holder's losses over the same rows.
    pub holder_loss: Option<f64>,
}

/// How sure a duel's numbers are.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// What the mean gap could have been.
    pub gap: Resampled,
    /// One-sided lower bound of the mean gap, at the rules' confidence.
    pub gap_lower: f64,
    /// What `gap_lower` must reach.
    pub gap_needed: f64,
    /// One-sided lower bound of the win rate among decided rows; `None` if no row is decided.
    pub win_rate_lower: Option<f64>,
    /// What `win_rate_lower` must reach.
    pub win_rate_needed: f64,
    /// Every row lies inside the dead zone.
    pub all_drawn: bool,
}

/// Who has the title after a duel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The challenger takes it.
    Challenger,
    /// The holder, in a boss round the champion, keeps it.
    Holder,
    /// Every row lies inside the dead zone: the task is replaced.
    Draw,
}

impl Duel {
    /// Pairs two loss vectors. `None` in a vector is a loss that is not a number.
    ///
    /// # Errors
    /// `Length` or `Fingerprint` if the vectors are of different sets.
    pub fn new(
        challenger: &[Option<f64>],
        challenger_set: &str,
        holder: &[Option<f64>],
        holder_set: &str,
        dead_zone: f64,
    ) -> Result<Self, IncomparableError> {
        if challenger_set != holder_set {
            let (challenger, holder) = (challenger_set.to_owned(), holder_set.to_owned());
            return Err(IncomparableError::Fingerprint { challenger, holder });
        }
        if challenger.len() != holder.len() {
            return Err(IncomparableError::Length {
                challenger: challenger.len(),
                holder: holder.len(),
            });
        }
        let (gaps, holders): (Vec<f64>, Vec<f64>) = challenger
            .iter()
            .zip(holder)
            .filter_map(|(c, h)| match (c, h) {
                (Some(c), Some(h)) if c.is_finite() && h.is_finite() => Some((h - c, *h)),
                _ => None,
            })
            .unzip();
        let some_mean = |values: &[f64]| (!values.is_empty()).then(|| mean(values));
        Ok(Self {
            tally: Tally::of(&gaps, dead_zone),
            mean_gap: some_mean(&gaps),
            holder_loss: some_mean(&holders),
            gaps,
        })
    }

    /// Bootstraps the gap over all rows and, over the same draws of rows, the win rate among the decided ones.
    ///
    /// `None` if there is no row to compare.
    pub fn bounds(&self, rules: &PairedRules) -> Option<Bounds> {
        let ResampledDuel { gap, win_rate } =
            ResampledDuel::draw(&self.gaps, rules.dead_zone, rules.resamples, rules.seed)?;
        let all_drawn = self.tally.decided() == 0;
        Some(Bounds {
            gap_lower: gap.lower_bound(rules.confidence),
            gap_needed: rules
                .gap_min_abs
                .max(rules.gap_min_rel * self.holder_loss?.abs()),
            win_rate_lower: (!all_drawn).then(|| win_rate.lower_bound(rules.confidence)),
            win_rate_needed: rules.win_rate_min,
            all_drawn,
            gap,
        })
    }
}

impl Bounds {
    /// Whether the lower bound of the win rate is high enough.
    pub fn often_enough(&self) -> bool {
        self.win_rate_lower
            .is_some_and(|lower| lower >= self.win_rate_needed)
    }

    /// The boss round's decision on this one task. A KL task has a further gate that is not part of it.
    pub fn verdict(&self) -> Verdict {
        if self.all_drawn {
            return Verdict::Draw;
        }
        if self.often_enough() && self.gap_lower >= self.gap_needed {
            Verdict::Challenger
        } else {
            Verdict::Holder
        }
    }
}

#[cfg(test)]
mod tests;
