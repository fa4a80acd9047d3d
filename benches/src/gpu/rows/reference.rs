//! What these kernels should leave, by the references of their families.

use super::{EPS, Op, RowsBench, SCALE};
use gradus_kernels::rms_norm::{self, Gain};
use gradus_kernels::rope::{self, LengthClass, RopeLayout};

impl RowsBench {
    /// A row by the reference.
    pub(super) fn want(&self, row: usize) -> Vec<f64> {
        let of = |row: usize| &self.host[row * self.cols..][..self.cols];
        match &self.op {
            Op::RmsNorm => rms_norm::reference::rms_norm(of(row), &self.weight, EPS, Gain::Weight),
            Op::HeadNorm => {
                let norm =
                    |x: &[f32]| rms_norm::reference::rms_norm(x, &self.weight, EPS, Gain::Weight);
                of(row).chunks(self.weight.len()).flat_map(norm).collect()
            }
            Op::LayerNorm => layer_norm(of(row), &self.weight),
            Op::AddNormed => {
                let norm = rms_norm::reference::rms_norm(of(row), &self.weight, EPS, Gain::Weight);
                norm.into_iter().map(|v| v * f64::from(SCALE)).collect()
            }
            Op::Rotate { rope, head_dim, .. } => {
                let inv_freq = rope.inv_freq(LengthClass::Base);
                let turn = |head: &[f32]| {
                    rope::reference::rotate(
                        head,
                        &inv_freq,
                        1.0,
                        self.ids[row],
                        RopeLayout::HalfSplit,
                    )
                };
                of(row).chunks(*head_dim).flat_map(turn).collect()
            }
            Op::Gate(kind) => {
                let (gate, up) = of(row).split_at(self.out_cols);
                let pairs = gate.iter().zip(up);
                pairs
                    .map(|(&g, &u)| gradus_kernels::activation::reference::gated(*kind, g, u))
                    .collect()
            }
            Op::Embedding => of(self.ids[row] as usize)
                .iter()
                .map(|&v| f64::from(v) * f64::from(SCALE))
                .collect(),
            Op::Gather => of(self.ids[row] as usize)
                .iter()
                .map(|&v| f64::from(v))
                .collect(),
            Op::DoraScale {
                rank, host: [a, b], ..
            } => {
                let column = |(k, w): (usize, &f32)| {
                    let low: f64 = (0..*rank)
                        .map(|r| f64::from(b[row * rank + r]) * f64::from(a[r * self.cols + k]))
                        .sum();
                    f64::from(*w) + f64::from(SCALE) * low
                };
                let squares: f64 = of(row).iter().enumerate().map(column).map(|v| v * v).sum();
                vec![f64::from(self.weight[row]) / squares.sqrt()]
            }
        }
    }
}

/// Layer norm by its definition.
fn layer_norm(x: &[f32], weight: &[f32]) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = x
        .iter()
        .map(|v| (f64::from(*v) - mean).powi(2))
        .sum::<f64>()
        / n;
    let inverse = (variance + EPS).sqrt().recip();
    x.iter()
        .zip(weight)
        .map(|(v, w)| (f64::from(*v) - mean) * inverse * f64::from(*w))
        .collect()
}
