//! An evaluation to places, duels and bounds: what the table, the report and the result file say beyond the losses.

use gradus_evaluators::{CandidateOutcome, CandidateResult, Evaluation, Score};
use gradus_tasks::RuleSet;
use gradus_tasks::scoring::{Bounds, Duel, Entry, Resampled, Standing, Tally, Verdict, ranking};
use rayon::prelude::*;
use serde::Serialize;

/// Everything that follows from an evaluation's losses and a rule set.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// What was compared.
    pub evaluation: &'a Evaluation,
    /// By which rules.
    pub rules: &'a RuleSet,
    /// In order of rank; candidates without a score come last.
    pub standings: Vec<Standing>,
    /// Index of the candidate in first place, if any is valid.
    pub best: Option<usize>,
    /// By candidate: the best one's duel with it. `None` for the best itself and where there is no score.
    pub against: Vec<Option<Against>>,
    /// By candidate, then candidate: rows that the first won, lost and drew. `None` where they cannot be compared.
    pub tallies: Vec<Vec<Option<Tally>>>,
}

/// The best candidate's duel with another one, which is taken for the holder of the title.
#[derive(Debug)]
pub enum Against {
    /// Both have losses over the same rows.
    Compared {
        /// Row by row; a gap is the other's loss minus the best's.
        duel: Duel,
        /// How sure that is. `None` if no row has two finite losses.
        bounds: Option<Bounds>,
    },
    /// They were scored on different sets.
    Incomparable(String),
}

impl<'a> Comparison<'a> {
    /// Compares all candidates of an evaluation.
    pub fn new(evaluation: &'a Evaluation, rules: &'a RuleSet) -> Self {
        let scores: Vec<Option<&Score>> = evaluation.candidates.iter().map(score_of).collect();
        let entries: Vec<Entry> = scores
            .iter()
            .map(|score| Entry {
                loss: score.map(|score| score.eval_loss),
                is_finetune: score.is_some_and(|score| score.is_finetune),
            })
            .collect();
        let standings = ranking::rank(&entries, &rules.ranking);
        let best = standings
            .first()
            .filter(|first| first.place.is_some())
            .map(|first| first.entry);
        let dead_zone = rules.paired.dead_zone;
        let duel = |one: &Score, other: &Score| {
            Duel::new(
                &one.per_example_losses,
                &one.eval_set_fingerprint,
                &other.per_example_losses,
                &other.eval_set_fingerprint,
                dead_zone,
            )
        };
        let against = scores
            .par_iter()
            .enumerate()
            .map(|(index, score)| {
                let best = best
                    .filter(|best| *best != index)
                    .and_then(|best| scores[best])?;
                Some(match duel(best, (*score)?) {
                    Ok(duel) => Against::Compared {
                        bounds: duel.bounds(&rules.paired),
                        duel,
                    },
                    Err(error) => Against::Incomparable(error.to_string()),
                })
            })
            .collect();
        let tallies = scores
            .par_iter()
            .map(|one| {
                scores
                    .iter()
                    .map(|other| Some(duel((*one)?, (*other)?).ok()?.tally))
                    .collect()
            })
            .collect();
        Self {
            evaluation,
            rules,
            standings,
            best,
            against,
            tallies,
        }
    }

    /// A candidate by its index.
    pub fn candidate(&self, index: usize) -> &'a CandidateOutcome {
        &self.evaluation.candidates[index]
    }

    /// A candidate's score, if it has one.
    pub fn score(&self, index: usize) -> Option<&'a Score> {
        score_of(self.candidate(index))
    }

    /// The candidates that have a score, in order of rank.
    pub fn scored(&self) -> impl Iterator<Item = (&Standing, &'a CandidateOutcome, &'a Score)> {
        self.standings.iter().filter_map(|standing| {
            Some((
                standing,
                self.candidate(standing.entry),
                self.score(standing.entry)?,
            ))
        })
    }

    /// The gap of a candidate to the best, and how sure it is.
    pub fn bounds(&self, index: usize) -> Option<(&Duel, &Bounds)> {
        match self.against[index].as_ref()? {
            Against::Compared { duel, bounds } => Some((duel, bounds.as_ref()?)),
            Against::Incomparable(_) => None,
        }
    }

    /// What the result file keeps of the comparison.
    pub fn record(&self) -> ComparisonRecord {
        let paired = &self.rules.paired;
        ComparisonRecord {
            best: self.best.map(|best| self.candidate(best).name.clone()),
            dead_zone: paired.dead_zone,
            resamples: paired.resamples,
            seed: paired.seed,
            ranking: self
                .standings
                .iter()
                .map(|standing| self.ranked(standing))
                .collect(),
        }
    }

    fn ranked(&self, standing: &Standing) -> Ranked {
        let index = standing.entry;
        let (mut versus_best, mut not_compared) = (None, None);
        match &self.against[index] {
            Some(Against::Compared {
                duel,
                bounds: Some(bounds),
            }) => {
                versus_best = Some(VersusBest {
                    mean_gap: duel.mean_gap,
                    rows: duel.gaps.len(),
                    best_wins: duel.tally.wins,
                    best_losses: duel.tally.losses,
                    draws: duel.tally.draws,
                    interval_95: bounds.gap.interval(0.95),
                    interval_99: bounds.gap.interval(0.99),
                    gap_lower_bound: bounds.gap_lower,
                    gap_needed: bounds.gap_needed,
                    win_rate_lower_bound: bounds.win_rate_lower,
                    win_rate_needed: bounds.win_rate_needed,
                    verdict: match bounds.verdict() {
                        Verdict::Challenger => "best_takes_title",
                        Verdict::Holder => "holder_keeps_title",
                        Verdict::Draw => "draw",
                    },
                });
            }
            Some(Against::Compared { bounds: None, .. }) => {
                not_compared = Some("no row has a finite loss in both".to_owned());
            }
            Some(Against::Incomparable(reason)) => not_compared = Some(reason.clone()),
            None => {}
        }
        Ranked {
            name: self.candidate(index).name.clone(),
            place: standing.place,
            points: standing.points,
            versus_best,
            not_compared,
        }
    }
}

fn score_of(outcome: &CandidateOutcome) -> Option<&Score> {
    match &outcome.result {
        CandidateResult::Scored(score) => Some(score),
        CandidateResult::Failed(_) => None,
    }
}

/// The comparison as the result file has it.
#[derive(Clone, Debug, Serialize)]
pub struct ComparisonRecord {
    /// The candidate in first place.
    pub best: Option<String>,
    /// Gaps up to this many nats decide nothing.
    pub dead_zone: f64,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// In order of rank.
    pub ranking: Vec<Ranked>,
}

/// One candidate's place.
#[derive(Clone, Debug, Serialize)]
pub struct Ranked {
    /// The candidate.
    pub name: String,
    /// From 1; `null` if it does not count.
    pub place: Option<usize>,
    /// Points by the rule set.
    pub points: f64,
    /// The best candidate's duel with this one.
    pub versus_best: Option<VersusBest>,
    /// Why there is none.
    pub not_compared: Option<String>,
}

/// The best candidate's duel with another; gaps are the other's loss minus the best's, nats.
#[derive(Clone, Debug, Serialize)]
pub struct VersusBest {
    /// Mean over the rows.
    pub mean_gap: Option<f64>,
    /// Rows where both losses are finite.
    pub rows: usize,
    /// Rows that the best won by more than the dead zone.
    pub best_wins: usize,
    /// Rows that it lost by more than the dead zone.
    pub best_losses: usize,
    /// The other rows.
    pub draws: usize,
    /// 95 % of the bootstrapped mean gaps.
    pub interval_95: (f64, f64),
    /// 99 % of them.
    pub interval_99: (f64, f64),
    /// One-sided lower bound of the mean gap, at the rules' confidence.
    pub gap_lower_bound: f64,
    /// What it must reach for the title.
    pub gap_needed: f64,
    /// One-sided lower bound of the best's win rate among decided rows.
    pub win_rate_lower_bound: Option<f64>,
    /// What it must reach for the title.
    pub win_rate_needed: f64,
    /// `best_takes_title`, `holder_keeps_title` or `draw`, if the other held the title.
    pub verdict: &'static str,
}

/// The interval of a mean gap, for the eye.
pub fn interval_text(gap: &Resampled, confidence: f64) -> String {
    let (low, high) = gap.interval(confidence);
    format!("[{low:+.4}, {high:+.4}]")
}

#[cfg(test)]
mod tests;
