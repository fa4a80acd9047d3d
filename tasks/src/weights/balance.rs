//! Base shares of the types: fixed, or moved from types that many enter to types that few do.

use super::error::EmissionError;
use super::pools::EmissionInput;
use super::results::{PerType, TournamentType};
use crate::rules::{EmissionRules, SplitShares};

/// Base shares of the types that the rules have; 0 for a type that they do not have.
///
/// Balanced, with `s` the sum of the bases and `n_t` the mean number of entrants: a type's pressure is
/// `n_t / (base_t / s)`, or the mean of the known ones where a type has no tournament that counts, or 1 if none has.
/// Then, one rounding per operation: `d_t = base_t * (1 / pressure_t) ** alpha`; `s * d_t / sum(d)`; not below the
/// floor; if that sums past 1, the excess is taken from what each has above the floor; not above the cap.
///
/// # Errors
/// `MissingType` if the input has nothing about a type that the rules have, `UnknownType` in the other direction.
pub fn base_shares(
    rules: &EmissionRules,
    input: &EmissionInput,
) -> Result<PerType<f64>, EmissionError> {
    input.check(rules)?;
    let SplitShares::Balanced {
        alpha,
        floor,
        lag,
        lag_counts_running,
        window,
        entrants_min,
    } = rules.split
    else {
        return Ok(rules.each(|rules| rules.base));
    };
    let types = rules.types();
    let bases: Vec<f64> = types.iter().map(|(_, rules)| rules.base).collect();
    let whole = sum(&bases);
    let known: Vec<Option<f64>> = types
        .iter()
        .zip(&bases)
        .map(|((tournament, _), base)| {
            let input = input.of(*tournament);
            let running = match (lag_counts_running, input) {
                (true, Some(input)) => input.running as usize,
                _ => 0,
            };
            let counted = input
                .map(|input| &input.entrants_newest_first[..])
                .unwrap_or_default()
                .iter()
                .filter(|entrants| **entrants >= entrants_min)
                .skip(lag.saturating_sub(running))
                .take(window);
            let (count, total) =
                counted.fold((0u64, 0u64), |(n, sum), e| (n + 1, sum + u64::from(*e)));
            // One rounding: both are whole numbers far below 2^53.
            (total > 0).then(|| (total as f64 / count as f64) / (base / whole))
        })
        .collect();
    let some: Vec<f64> = known.iter().flatten().copied().collect();
    // At most two are averaged where it matters, so that this equals the exact mean, rounded once.
    let average = match &some[..] {
        [] => 1.0,
        some => sum(some) / some.len() as f64,
    };
    let desired: Vec<f64> = known
        .iter()
        .zip(&bases)
        .map(|(pressure, base)| base * (1.0 / pressure.unwrap_or(average)).powf(alpha))
        .collect();
    let all_desired = sum(&desired);
    let mut shares: Vec<f64> = desired
        .iter()
        .map(|desired| (whole * desired / all_desired).max(floor))
        .collect();
    let excess = sum(&shares) - 1.0;
    if excess > 0.0 {
        let above: Vec<f64> = shares.iter().map(|share| share - floor).collect();
        let all_above = sum(&above);
        if all_above > 0.0 {
            for (share, above) in shares.iter_mut().zip(&above) {
                *share -= excess * above / all_above;
            }
        }
    }
    let mut result = PerType::default();
    for ((tournament, rules), share) in types.into_iter().zip(shares) {
        *result.get_mut(tournament) = share.min(rules.cap);
    }
    Ok(result)
}

// From left to right; one that starts at zero, as Python's does.
pub(super) fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |total, value| total + value)
}

impl EmissionRules {
    /// The types that there are, in the order of sums.
    pub fn types(&self) -> Vec<(TournamentType, crate::rules::TypeRules)> {
        let mut types = vec![
            (TournamentType::Text, self.text),
            (TournamentType::Image, self.image),
        ];
        types.extend(
            self.environment
                .map(|rules| (TournamentType::Environment, rules)),
        );
        types
    }

    pub(super) fn each(&self, f: impl Fn(&crate::rules::TypeRules) -> f64) -> PerType<f64> {
        let mut values = PerType::default();
        for (tournament, rules) in self.types() {
            *values.get_mut(tournament) = f(&rules);
        }
        values
    }
}

impl<T> PerType<T> {
    pub(super) fn get_mut(&mut self, tournament: TournamentType) -> &mut T {
        match tournament {
            TournamentType::Text => &mut self.text,
            TournamentType::Image => &mut self.image,
            TournamentType::Environment => &mut self.environment,
        }
    }
}
