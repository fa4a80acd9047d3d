//! `scale * B (A x + 0)` from the definition, f64.

use crate::params::Params;

/// `[rows, out_features]` of `x`, `[rows, in_features]`.
#[must_use]
pub fn lora(x: &[f32], a: &Params<'_>, b: &Params<'_>, scale: f64) -> Vec<f64> {
    let (a32, b32) = (a.to_f32(), b.to_f32());
    let mut out = Vec::new();
    for row in x.chunks_exact(a.cols()) {
        let low: Vec<f64> = a32
            .chunks_exact(a.cols())
            .map(|a| {
                a.iter()
                    .zip(row)
                    .map(|(&a, &x)| f64::from(a) * f64::from(x))
                    .sum()
            })
            .collect();
        out.extend(b32.chunks_exact(b.cols()).map(|b| {
            scale
                * b.iter()
                    .zip(&low)
                    .map(|(&b, l)| f64::from(b) * l)
                    .sum::<f64>()
        }));
    }
    out
}
