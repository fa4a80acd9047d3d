//! A pair (a, b) at position p becomes (a cos - b sin, b cos + a sin) of the angle p * inv_freq, from the
//! definition, f64.

use super::RopeLayout;

/// One head.
#[must_use]
pub fn rotate(
    x: &[f32],
    inv_freq: &[f64],
    attention_factor: f64,
    position: u32,
    layout: RopeLayout,
) -> Vec<f64> {
    let mut y: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    for (pair, f) in inv_freq.iter().enumerate() {
        let (i, j) = match layout {
            RopeLayout::HalfSplit => (pair, pair + inv_freq.len()),
            RopeLayout::Interleaved => (2 * pair, 2 * pair + 1),
        };
        let (sin, cos) = (f64::from(position) * f).sin_cos();
        let (a, b) = (f64::from(x[i]), f64::from(x[j]));
        y[i] = (a * cos - b * sin) * attention_factor;
        y[j] = (b * cos + a * sin) * attention_factor;
    }
    y
}
