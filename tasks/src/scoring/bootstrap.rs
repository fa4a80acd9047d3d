//! The bootstrap of a mean, resampling rows, with numpy's numbers and numpy's order of sums.
//!
//! The reference draws `integers(0, n, size=(chunk, n))` until it has enough resamples. numpy fills such an array in
//! row order and keeps its half-used 64-bit draws from call to call, so the size of a chunk does not show in the
//! result; it bounds the reference's memory. Here one resample at a time is held.

use super::pcg64::Pcg64;

/// Means of resampled vectors, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampled {
    means: Vec<f64>,
}

impl Resampled {
    /// Draws `resamples` vectors of `values.len()` rows with replacement, and keeps their means.
    ///
    /// `None` if there are no values, no resamples, a value that is not finite, or 2³² values or more.
    pub fn draw(values: &[f64], resamples: usize, seed: u64) -> Option<Self> {
        let count = u32::try_from(values.len())
            .ok()
            .filter(|count| *count > 0)?;
        if resamples == 0 || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut random = Pcg64::new(seed);
        let mut sample = vec![0.0; values.len()];
        let mut means = Vec::with_capacity(resamples);
        for _ in 0..resamples {
            for slot in &mut sample {
                *slot = values[random.below(count) as usize];
            }
            means.push(mean(&sample));
        }
        means.sort_by(f64::total_cmp);
        Some(Self { means })
    }

    /// The value below which `fraction` of the means lie; linear between neighbours, as `numpy.percentile` has it.
    ///
    /// `fraction` is held to 0 to 1.
    pub fn quantile(&self, fraction: f64) -> f64 {
        let last = self.means.len() - 1;
        let position = last as f64 * fraction.clamp(0.0, 1.0);
        let below = (position.floor() as usize).min(last);
        let (low, high) = (self.means[below], self.means[(below + 1).min(last)]);
        let part = position - below as f64;
        // numpy interpolates from the nearer end, which is what makes the last bits agree.
        if part >= 0.5 {
            high - (high - low) * (1.0 - part)
        } else {
            low + (high - low) * part
        }
    }

    /// The one-sided lower bound: the quantile at `1 - confidence`.
    pub fn lower_bound(&self, confidence: f64) -> f64 {
        self.quantile(tail(confidence))
    }

    /// The interval that leaves out `1 - confidence` of the means, half at each end.
    pub fn interval(&self, confidence: f64) -> (f64, f64) {
        let side = tail(confidence) / 2.0;
        (self.quantile(side), self.quantile(1.0 - side))
    }
}

// Through percent, since 1 - 0.99 is not the double nearest to 0.01 and the quantile would show it.
fn tail(confidence: f64) -> f64 {
    (100.0 - confidence * 100.0) / 100.0
}

/// The mean of a vector, summed as numpy sums a contiguous one. 0 values give NaN.
pub fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

// Pairwise summation with numpy's block of 128 and its eight partial sums.
fn sum(values: &[f64]) -> f64 {
    const BLOCK: usize = 128;
    if values.len() < 8 {
        return values.iter().fold(-0.0, |total, value| total + value);
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % 8);
        return sum(left) + sum(right);
    }
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    let mut lanes = [0.0; 8];
    for (index, chunk) in chunks.enumerate() {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if index == 0 { *value } else { *lane + value };
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let total = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.iter().fold(total, |total, value| total + value)
}

#[cfg(test)]
pub(crate) mod tests;
