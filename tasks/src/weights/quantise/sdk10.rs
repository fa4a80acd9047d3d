//! The rule of SDK 10: numpy, and f32 as far as numpy keeps it.
//!
//! Sums are pairwise as numpy's are, running sums are not, and a limit is rounded to f32 wherever it meets an f32.

use super::sdk11::EPSILON;
use super::{Limits, QuantiseError, U16_MAX, to_u16};

const PADDING: f64 = 1e-5;

/// Uids and weights that sum to 1 within the subnet's limits, each weight exactly what the SDK hands to [`emit`].
///
/// Weights that are not above 0, NaN among them, are left out; without any, or on a subnet of fewer neurons than it
/// asks weights for, everyone gets the same. With fewer weights than the subnet asks for, all uids get 1e-5, and the
/// weights are added by their *place in the vector*, not by their uid: the SDK's own slip, kept.
///
/// # Errors
/// `NotAWeight` for an infinite weight, at which the SDK fails later.
pub fn process(
    uids: &[u16],
    weights: &[f64],
    limits: &Limits,
) -> Result<(Vec<u16>, Vec<f64>), QuantiseError> {
    let singles: Vec<f32> = weights.iter().map(|weight| *weight as f32).collect();
    if let Some(place) = singles.iter().position(|weight| weight.is_infinite()) {
        return Err(QuantiseError::NotAWeight {
            uid: uids.get(place).copied().unwrap_or_default(),
            found: weights[place],
        });
    }
    let places: Vec<usize> = (0..singles.len().min(uids.len()))
        .filter(|place| singles[*place] > 0.0)
        .collect();
    let everyone = 0..limits.num_neurons;
    let limit = f64::from(limits.max_weight) / U16_MAX;
    if places.is_empty() || limits.num_neurons < limits.weights_min {
        let share = 1.0 / f64::from(limits.num_neurons);
        return Ok((
            everyone.clone().collect(),
            everyone.map(|_| share).collect(),
        ));
    }
    if places.len() < usize::from(limits.weights_min) {
        let mut padded = vec![PADDING; usize::from(limits.num_neurons)];
        for place in places {
            // The SDK fails here too.
            let slot = padded.get_mut(place).ok_or(QuantiseError::NotThere {
                uid: uids[place],
                num_neurons: limits.num_neurons,
            })?;
            *slot += f64::from(singles[place]);
        }
        return Ok((everyone.collect(), max_weight(&padded, limit)));
    }
    let kept: Vec<f32> = places.iter().map(|place| singles[*place]).collect();
    let kept = max_weight(&kept, limit);
    Ok((
        places.iter().map(|place| uids[*place]).collect(),
        kept.iter().map(|weight| f64::from(*weight)).collect(),
    ))
}

/// Stops what [`process`] would turn into another vector than the one it was given.
///
/// # Errors
/// `TooSmall` if every weight is 0 in f32, where everyone would get the same; `TooFew` on a subnet smaller than what it
/// asks for, and where padding by place would move weights to other uids.
pub(super) fn check(uids: &[u16], weights: &[f64], limits: &Limits) -> Result<(), QuantiseError> {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if largest as f32 == 0.0 {
        return Err(QuantiseError::TooSmall { largest });
    }
    let found = weights.iter().filter(|w| **w as f32 > 0.0).count();
    let in_place = uids.iter().copied().eq((0u16..).take(uids.len()));
    let padded = found < usize::from(limits.weights_min);
    if limits.num_neurons < limits.weights_min || (padded && !in_place) {
        let weights_min = limits.weights_min;
        return Err(QuantiseError::TooFew { found, weights_min });
    }
    Ok(())
}

/// Pairs of uid and value, zeros dropped.
///
/// # Errors
/// `Lengths`, and `TooSmall` if there is no largest weight to scale by.
pub fn emit(uids: &[u16], weights: &[f64]) -> Result<Vec<(u16, u16)>, QuantiseError> {
    super::same_length(uids, weights)?;
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

/// A float of numpy's, f32 or f64.
trait Float: Copy + PartialOrd {
    const ZERO: Self;
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
}

macro_rules! float {
    ($float:ty) => {
        impl Float for $float {
            const ZERO: Self = 0.0;
            fn from_f64(value: f64) -> Self {
                value as $float
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn add(self, other: Self) -> Self {
                self + other
            }
            fn sub(self, other: Self) -> Self {
                self - other
            }
            fn mul(self, other: Self) -> Self {
                self * other
            }
            fn div(self, other: Self) -> Self {
                self / other
            }
        }
    };
}
float!(f32);
float!(f64);

/// To a sum of 1 with none above the limit, as `clip` of SDK 11, in numpy's types.
fn max_weight<F: Float>(weights: &[F], limit: f64) -> Vec<F> {
    let count = weights.len();
    let total = pairwise(weights);
    let equal = F::from_f64(1.0).div(F::from_f64(count as f64));
    if total.to_f64() == 0.0 || count as f64 * limit <= 1.0 {
        return vec![equal; count];
    }
    let mut ascending = weights.to_vec();
    ascending.sort_by(|a, b| a.partial_cmp(b).expect("NaN was left out"));
    let ascending_total = pairwise(&ascending);
    let shares: Vec<F> = ascending.iter().map(|w| w.div(ascending_total)).collect();
    let narrow_limit = F::from_f64(limit);
    if shares
        .last()
        .is_some_and(|largest| *largest <= narrow_limit)
    {
        return weights.iter().map(|weight| weight.div(total)).collect();
    }
    let mut running = F::ZERO;
    let sums: Vec<F> = shares
        .iter()
        .map(|share| {
            running = running.add(*share);
            running
        })
        .collect();
    let epsilon = F::from_f64(EPSILON);
    let kept = shares
        .iter()
        .enumerate()
        .filter(|(index, share)| {
            let after = F::from_f64((count - index - 1) as f64);
            let whole = after.mul(**share).add(sums[*index]).add(epsilon);
            share.div(whole) < narrow_limit
        })
        .count();
    // numpy's index -1, which is the last, where none is kept.
    let kept_sum = sums[(kept + count - 1) % count];
    let above = narrow_limit.mul(kept_sum).sub(epsilon).to_f64();
    let scale = above / (1.0 - limit * (count - kept) as f64);
    let cutoff = scale * ascending_total.to_f64();
    let clipped: Vec<F> = weights
        .iter()
        .map(|weight| {
            if weight.to_f64() > cutoff {
                F::from_f64(cutoff)
            } else {
                *weight
            }
        })
        .collect();
    let clipped_total = pairwise(&clipped);
    clipped.iter().map(|w| w.div(clipped_total)).collect()
}

// numpy's sum of a contiguous vector: blocks of 128, eight partial sums.
fn pairwise<F: Float>(values: &[F]) -> F {
    const BLOCK: usize = 128;
    const LANES: usize = 8;
    let count = values.len();
    if count < LANES {
        return values
            .iter()
            .fold(F::ZERO, |total, value| total.add(*value));
    }
    if count > BLOCK {
        let half = count / 2;
        let (left, right) = values.split_at(half - half % LANES);
        return pairwise(left).add(pairwise(right));
    }
    let (first, rest) = values.split_at(LANES);
    let mut lanes: [F; LANES] = std::array::from_fn(|lane| first[lane]);
    let chunks = rest.chunks_exact(LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = lane.add(*value);
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let left = a.add(b).add(c.add(d));
    let right = e.add(f).add(g.add(h));
    tail.iter()
        .fold(left.add(right), |total, value| total.add(*value))
}
