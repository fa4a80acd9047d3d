//! Low-rank adapters (LoRA) added to a base product: `y += (s x A^T) B^T`, unmerged, in f32.
//!
//! Adapters of projections that read the same input have their A's stacked, so that the input is read once. DoRA
//! then scales each output feature by `m / ||W + s B A||`; [`dora_scale`] computes that factor.
//!
//! Hu et al., 2021, arXiv:2106.09685; Liu et al., 2024, arXiv:2402.09353.
//!
//! **Determinism.** As the linear layer: a row's result depends on the row alone.

pub mod device;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::buffer::AlignedBuf;
use crate::cpu::Cpu;
use crate::linear::{Output, PackedWeights, RowPanels, product};
use crate::params::Params;
use crate::simd::Isa;
use rayon::prelude::*;

/// One adapted projection among those that read the same input.
#[derive(Clone, Copy, Debug)]
pub struct LoraPart<'a> {
    /// `[rank, in_features]`
    pub a: Params<'a>,
    /// `[out_features, rank]`
    pub b: Params<'a>,
    /// What the product is multiplied by: alpha / rank, or alpha / sqrt(rank).
    pub scale: f32,
    /// `[out_features]`, scaled like the product (PEFT's `lora_bias`).
    pub bias: Option<&'a [f32]>,
    /// First output feature in the stacked output row.
    pub offset: usize,
}

/// Adapters of projections that read the same input, packed for the product.
#[derive(Default)]
pub struct PackedLora {
    a: PackedWeights,
    parts: Vec<PackedPart>,
}

struct PackedPart {
    /// First column of the part in the stacked low-rank product, and its rank.
    first: usize,
    rank: usize,
    scale: f32,
    b: PackedWeights,
    bias: Option<Vec<f32>>,
    offset: usize,
}

/// Buffers that a thread keeps between blocks of rows.
#[derive(Default)]
pub struct LoraScratch {
    low: AlignedBuf,
    panels: RowPanels,
}

impl PackedLora {
    /// Packs `parts`; all have the same input features.
    ///
    /// # Panics
    /// If a part's A and B disagree on the rank, or parts on the input features.
    #[must_use]
    pub fn pack(cpu: &Cpu, parts: &[LoraPart<'_>]) -> Self {
        let mut a = PackedWeights::new();
        let mut packed = Vec::with_capacity(parts.len());
        if !parts.is_empty() {
            let stacked: Vec<Params<'_>> = parts.iter().map(|p| p.a).collect();
            a.pack_stacked(cpu, &stacked);
        }
        let mut first = 0;
        for part in parts {
            let rank = part.a.rows();
            assert_eq!(part.b.cols(), rank, "rank of A and B");
            let mut b = PackedWeights::new();
            b.pack(cpu, part.b);
            packed.push(PackedPart {
                first,
                rank,
                scale: part.scale,
                b,
                bias: part.bias.map(<[f32]>::to_vec),
                offset: part.offset,
            });
            first += rank;
        }
        Self { a, parts: packed }
    }

    /// No adapter here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// `out[row, offset..] += scale * (x A^T) B^T` for every part, on the calling thread.
    ///
    /// * `x`: the rows as packed for the base product
    /// * `out`: rows `stride` apart
    ///
    /// # Panics
    /// If `out` is too short.
    pub fn apply(
        &self,
        isa: Isa,
        x: &RowPanels,
        scratch: &mut LoraScratch,
        out: &mut [f32],
        stride: usize,
    ) {
        if self.parts.is_empty() || x.rows() == 0 {
            return;
        }
        self.reduce(isa, x, scratch, Output::Set);
        self.expand(isa, x.rows(), scratch, out, stride);
    }

    /// The first half: `low (=|+=) x A^T`, for inputs that arrive in blocks of features.
    pub fn reduce(&self, isa: Isa, x: &RowPanels, scratch: &mut LoraScratch, mode: Output) {
        let ranks = self.a.out_features();
        scratch.low.resize(x.rows() * ranks);
        product(isa, x, &self.a, &mut scratch.low, ranks, mode);
    }

    /// The second half: `out[row, offset..] += scale * low B^T`.
    ///
    /// # Panics
    /// If `out` is too short or `reduce` saw another number of rows.
    pub fn expand(
        &self,
        isa: Isa,
        rows: usize,
        scratch: &mut LoraScratch,
        out: &mut [f32],
        stride: usize,
    ) {
        let ranks = self.a.out_features();
        for part in &self.parts {
            let low = &mut scratch.low[part.first..];
            for row in 0..rows {
                low[row * ranks..][..part.rank]
                    .iter_mut()
                    .for_each(|v| *v *= part.scale);
            }
            scratch.panels.pack(isa, low, rows, part.rank, ranks);
            product(
                isa,
                &scratch.panels,
                &part.b,
                &mut out[part.offset..],
                stride,
                Output::Add,
            );
            if let Some(bias) = &part.bias {
                for row in 0..rows {
                    let y = &mut out[row * stride + part.offset..][..bias.len()];
                    y.iter_mut()
                        .zip(bias)
                        .for_each(|(y, b)| *y += part.scale * b);
                }
            }
        }
    }
}

/// DoRA's factor per output feature: `magnitude / ||W + scale * B A||`, the norm over input features.
///
/// # Panics
/// If the shapes disagree.
#[must_use]
pub fn dora_scale(
    cpu: &Cpu,
    w: Params<'_>,
    a: Params<'_>,
    b: Params<'_>,
    scale: f32,
    magnitude: &[f32],
) -> Vec<f32> {
    let (out, cols, rank) = (w.rows(), w.cols(), a.rows());
    assert_eq!(
        (a.cols(), b.rows(), b.cols(), magnitude.len()),
        (cols, out, rank, out),
        "DoRA shapes"
    );
    let a = a.to_f32();
    cpu.run(|| {
        (0..out)
            .into_par_iter()
            .map_init(
                || (vec![0.0; cols], vec![0.0; rank]),
                |(row, low), n| {
                    w.widen_row(n, row);
                    b.widen_row(n, low);
                    for (r, &factor) in low.iter().enumerate() {
                        let factor = scale * factor;
                        for (w, &a) in row.iter_mut().zip(&a[r * cols..(r + 1) * cols]) {
                            *w += factor * a;
                        }
                    }
                    let square: f64 = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
                    (f64::from(magnitude[n]) / square.sqrt()) as f32
                },
            )
            .collect()
    })
}
