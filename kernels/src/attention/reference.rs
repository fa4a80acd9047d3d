//! Attention from its definition: one query at a time, f64.

use super::{AttentionShape, Qkv, Segment};

/// `[rows, num_heads * head_dim]`; 0 in rows that no segment owns.
#[must_use]
pub fn attention(
    shape: &AttentionShape,
    qkv: Qkv<'_>,
    segments: &[Segment],
    rows: usize,
) -> Vec<f64> {
    let d = shape.head_dim;
    let width = shape.num_heads * d;
    let group = shape.num_heads / shape.num_kv_heads;
    let at =
        |row: usize, offset: usize, i: usize| f64::from(qkv.data[row * qkv.stride + offset + i]);
    let mut out = vec![0.0; rows * width];
    for segment in segments {
        let keys: Vec<usize> = segment.keys.iter().cloned().flatten().collect();
        let queries = segment.queries();
        let first = keys.len() - queries.len();
        for (i, row) in queries.enumerate() {
            let position = first + i;
            let from = shape.window.map_or(0, |w| (position + 1).saturating_sub(w));
            for head in 0..shape.num_heads {
                let kv = head / group * d;
                let scores: Vec<f64> = keys[from..=position]
                    .iter()
                    .map(|&key| {
                        let dot: f64 = (0..d)
                            .map(|i| at(row, head * d, i) * at(key, qkv.k + kv, i))
                            .sum();
                        let score = dot * f64::from(shape.scale);
                        shape.soft_cap.map_or(score, |cap| {
                            f64::from(cap) * (score / f64::from(cap)).tanh()
                        })
                    })
                    .collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                for i in 0..d {
                    let value: f64 = scores
                        .iter()
                        .zip(&keys[from..=position])
                        .map(|(s, &key)| (s - max).exp() / sum * at(key, qkv.v + kv, i))
                        .sum();
                    out[row * width + head * d + i] = value;
                }
            }
        }
    }
    out
}
