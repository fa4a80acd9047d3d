//! `y[m, n] = sum_k x[m, k] w[n, k] + bias[n]`, from the definition, f64 sums.

use crate::params::Params;

/// See the module.
#[must_use]
pub fn linear(x: &[f32], w: &Params<'_>, bias: Option<&[f32]>) -> Vec<f64> {
    let weights = w.to_f32();
    x.chunks_exact(w.cols())
        .flat_map(|row| {
            weights
                .chunks_exact(w.cols())
                .enumerate()
                .map(|(n, w)| {
                    let sum: f64 = row
                        .iter()
                        .zip(w)
                        .map(|(&x, &w)| f64::from(x) * f64::from(w))
                        .sum();
                    sum + bias.map_or(0.0, |b| f64::from(b[n]))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}
