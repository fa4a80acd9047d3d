//! The rule of SDK 11: clipped to the subnet's largest share, scaled so that the largest is 65535, zeros dropped.

use super::{QuantiseError, U16_MAX, not_negative, same_length, to_u16};

/// Added to a denominator and taken from a numerator, as the SDKs have it.
pub(super) const EPSILON: f64 = 1e-7;

/// Pairs of weights that are not clipped any more; none if all are 0.
///
/// # Errors
/// `Lengths`, `NotAWeight`.
pub fn pairs(uids: &[u16], weights: &[f64]) -> Result<Vec<(u16, u16)>, QuantiseError> {
    same_length(uids, weights)?;
    for (uid, weight) in uids.iter().zip(weights) {
        not_negative(*uid, *weight)?;
    }
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return Ok(Vec::new());
    }
    let mut pairs = Vec::with_capacity(uids.len());
    for (uid, weight) in uids.iter().zip(weights) {
        match to_u16(weight / largest * U16_MAX) {
            Some(0) => {}
            Some(value) => pairs.push((*uid, value)),
            None => return Err(QuantiseError::TooSmall { largest }),
        }
    }
    Ok(pairs)
}

/// Weights that sum to 1 with none above the limit; as they are where the limit is 65535, that is none.
///
/// A limit that no vector can keep gives everyone the same. Otherwise everything above a cutoff is cut to it, the
/// cutoff being what brings the largest share to the limit.
///
/// # Errors
/// `Nothing` if all are 0.
pub fn clip(weights: &[f64], max_weight: u16) -> Result<Vec<f64>, QuantiseError> {
    if max_weight == u16::MAX {
        return Ok(weights.to_vec());
    }
    let limit = f64::from(max_weight) / U16_MAX;
    let count = weights.len() as f64;
    let total = sum(weights);
    if total.is_nan() || total <= 0.0 {
        return Err(QuantiseError::Nothing);
    }
    if count * limit <= 1.0 {
        return Ok(vec![1.0 / count; weights.len()]);
    }
    let shares: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    let mut ascending = shares.clone();
    ascending.sort_by(f64::total_cmp);
    if ascending.last().is_some_and(|largest| *largest <= limit) {
        return Ok(shares);
    }
    let mut below = 0.0;
    let mut kept = 0;
    let mut kept_sum = 0.0;
    let sums: Vec<f64> = ascending
        .iter()
        .map(|share| {
            below += share;
            below
        })
        .collect();
    for (index, share) in ascending.iter().enumerate() {
        let after = (ascending.len() - index - 1) as f64;
        if share / (after * share + sums[index] + EPSILON) < limit {
            kept += 1;
            kept_sum = sums[kept - 1];
        }
    }
    let cut = (ascending.len() - kept) as f64;
    let cutoff = (limit * kept_sum - EPSILON) / (1.0 - limit * cut) * total;
    let clipped: Vec<f64> = weights.iter().map(|weight| weight.min(cutoff)).collect();
    let clipped_total = sum(&clipped);
    Ok(clipped
        .iter()
        .map(|weight| weight / clipped_total)
        .collect())
}

fn sum(weights: &[f64]) -> f64 {
    weights.iter().fold(0.0, |total, weight| total + weight)
}
