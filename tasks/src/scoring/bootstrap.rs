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
        let count = drawable(values, resamples)?;
        let mut random = Pcg64::new(seed);
        let mut sample = vec![0.0; values.len()];
        let mut means = Vec::with_capacity(resamples);
        for _ in 0..resamples {
            random.choose(values, count, &mut sample);
            means.push(mean(&sample));
        }
        Some(Self::sorted(means))
    }

    fn sorted(mut means: Vec<f64>) -> Self {
        means.sort_unstable_by(f64::total_cmp);
        Self { means }
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
    ///
    /// Through percent and in this order, as the reference asks numpy for it: for 0.99 that is a little more than 1 %.
    pub fn lower_bound(&self, confidence: f64) -> f64 {
        self.quantile((1.0 - confidence) * 100.0 / 100.0)
    }

    /// The interval that leaves out `1 - confidence` of the means, half at each end.
    pub fn interval(&self, confidence: f64) -> (f64, f64) {
        let side = tail(confidence) / 2.0;
        (self.quantile(side), self.quantile(1.0 - side))
    }
}

/// Resamples of a paired comparison, which share their rows: one drawn set of rows gives one mean gap and one win rate.
#[derive(Clone, Debug, PartialEq)]
pub struct ResampledDuel {
    /// Mean gaps over all rows.
    pub gap: Resampled,
    /// Win rates among the drawn rows outside the dead zone; 0 for a draw of rows that decides nothing, which speaks
    /// for nobody.
    pub win_rate: Resampled,
}

impl ResampledDuel {
    /// Draws `resamples` sets of `gaps.len()` rows with replacement.
    ///
    /// Which rows fall into the dead zone is a property of the sample as well, so all rows are drawn from, not the
    /// decided ones alone.
    ///
    /// `None` where [`Resampled::draw`] gives none.
    pub fn draw(gaps: &[f64], dead_zone: f64, resamples: usize, seed: u64) -> Option<Self> {
        let count = drawable(gaps, resamples)?;
        let mut random = Pcg64::new(seed);
        let mut sample = vec![0.0; gaps.len()];
        let mut means = Vec::with_capacity(resamples);
        let mut rates = Vec::with_capacity(resamples);
        for _ in 0..resamples {
            random.choose(gaps, count, &mut sample);
            means.push(mean(&sample));
            rates.push(win_rate(&sample, dead_zone));
        }
        Some(Self {
            gap: Resampled::sorted(means),
            win_rate: Resampled::sorted(rates),
        })
    }
}

fn win_rate(gaps: &[f64], dead_zone: f64) -> f64 {
    let (mut wins, mut losses) = (0_u64, 0_u64);
    for gap in gaps {
        wins += u64::from(*gap > dead_zone);
        losses += u64::from(*gap < -dead_zone);
    }
    if wins + losses == 0 {
        0.0
    } else {
        wins as f64 / (wins + losses) as f64
    }
}

/// How many values there are, if they can be resampled.
fn drawable(values: &[f64], resamples: usize) -> Option<u32> {
    let count = u32::try_from(values.len()).ok().filter(|count| *count > 0);
    count.filter(|_| resamples > 0 && values.iter().all(|value| value.is_finite()))
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
