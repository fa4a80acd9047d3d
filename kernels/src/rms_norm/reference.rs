//! `y[i] = x[i] / sqrt(sum(x^2) / n + eps) * gain[i]`, from the definition, f64.

use super::Gain;

/// One group.
#[must_use]
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f64, gain: Gain) -> Vec<f64> {
    let squares: f64 = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    let rms = (squares / x.len() as f64 + eps).sqrt();
    x.iter()
        .zip(weight)
        .map(|(&x, &w)| {
            let gain = match gain {
                Gain::Weight => f64::from(w),
                Gain::OnePlusWeight => 1.0 + f64::from(w),
            };
            f64::from(x) / rms * gain
        })
        .collect()
}
