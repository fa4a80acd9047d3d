//! Logits, log-sum-exp and KL from their definitions, f64.

use super::LogitTransform;
use crate::params::Params;

/// Logits `[rows, tokens]` of `x`, `[rows, hidden_size]`.
#[must_use]
pub fn logits(x: &[f32], w: &Params<'_>, transform: LogitTransform) -> Vec<f64> {
    crate::linear::reference::linear(x, w, None)
        .into_iter()
        .map(|v| transform.apply(v))
        .collect()
}

impl LogitTransform {
    /// The transform in f64; rounding to bf16 goes through f32 as hardware does.
    fn apply(self, logit: f64) -> f64 {
        let mut v = logit * f64::from(self.scale);
        if let Some(cap) = self.soft_cap {
            v = f64::from(cap) * (v / f64::from(cap)).tanh();
        }
        if self.round_to_bf16 {
            v = f64::from(half::bf16::from_f32(v as f32).to_f32());
        }
        v
    }
}

/// `ln sum e^x`.
#[must_use]
pub fn logsumexp(row: &[f64]) -> f64 {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + row.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

/// KL(f || b) of two rows of logits, nats.
#[must_use]
pub fn kl(f: &[f64], b: &[f64]) -> f64 {
    let (lf, lb) = (logsumexp(f), logsumexp(b));
    f.iter()
        .zip(b)
        .map(|(f, b)| (f - lf).exp() * ((f - lf) - (b - lb)))
        .sum()
}
