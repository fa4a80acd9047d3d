//! Linear layers: `y = x w^T (+ bias)` with weights stored as bf16, f16 or f32.
//!
//! Weights are widened to f32 while they are packed into panels, once for all the rows that meet them, and
//! multiplied with f32 fused multiply-adds. On CPUs without matrix units this is as fast as their bf16
//! instructions or faster, and exact to f32.
//!
//! **Determinism.** An output element is, for each block of [`KC`] input features in order, one chain of fused
//! multiply-adds from zero, added to the sum of the blocks before it. It does not depend on how many rows there
//! are, on threads, or on the instruction set.

mod cpu;
pub mod device;
pub(crate) mod hopper;
pub mod reference;
#[cfg(test)]
mod tests;
mod tile;
pub mod vendor;

pub(crate) use cpu::{Block, PackRows, PackWeights, pack_f32_panels, pack_rows};
pub(crate) use tile::{Target, tile};

use crate::buffer::AlignedBuf;
use crate::cpu::Cpu;
use crate::params::Params;
use crate::simd::Isa;
use cpu::Product;
use rayon::prelude::*;
use thiserror::Error;

/// Output features in a panel of packed weights.
pub const PANEL: usize = 32;
/// Input features summed in one chain before they are added to the output. Part of the numeric contract.
pub const KC: usize = 1024;

/// Weights widened to f32 and laid out for the product: `[out / 32][in][32]`, zero padded.
#[derive(Default)]
pub struct PackedWeights {
    pub(crate) data: AlignedBuf,
    pub(crate) out_features: usize,
    pub(crate) in_features: usize,
}

impl PackedWeights {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Packs `w`, `[out_features, in_features]`, reusing this buffer.
    pub fn pack(&mut self, cpu: &Cpu, w: Params<'_>) {
        self.pack_stacked(cpu, &[w]);
    }

    /// Packs several weights with the same input features as one, the second's outputs after the first's.
    /// Each but the last has a multiple of [`PANEL`] outputs, or the result is packed row by row.
    ///
    /// # Panics
    /// If their input features differ or there are none.
    pub fn pack_stacked(&mut self, cpu: &Cpu, parts: &[Params<'_>]) {
        let cols = parts.first().expect("at least one weight").cols();
        assert!(
            parts.iter().all(|p| p.cols() == cols),
            "stacked weights share their input features"
        );
        self.out_features = parts.iter().map(Params::rows).sum();
        self.in_features = cols;
        self.data
            .resize(self.out_features.div_ceil(PANEL) * PANEL * cols);
        if parts[..parts.len() - 1]
            .iter()
            .all(|p| p.rows() % PANEL == 0)
        {
            let isa = cpu.isa();
            let mut rest: &mut [f32] = &mut self.data;
            let mut jobs = Vec::new();
            for part in parts {
                for first in (0..part.rows()).step_by(PANEL) {
                    let (panel, tail) = rest.split_at_mut(PANEL * cols);
                    rest = tail;
                    jobs.push((
                        part.slice_rows(first..part.rows().min(first + PANEL)),
                        panel,
                    ));
                }
            }
            cpu.run(|| {
                jobs.into_par_iter()
                    .for_each(|(w, out)| isa.dispatch(PackWeights { w, out }));
            });
        } else {
            self.data.fill(0.0);
            let mut row = 0;
            let mut values = vec![0.0; cols];
            for part in parts {
                for r in 0..part.rows() {
                    part.widen_row(r, &mut values);
                    let panel = row / PANEL * PANEL * cols + row % PANEL;
                    for (k, &v) in values.iter().enumerate() {
                        self.data[panel + k * PANEL] = v;
                    }
                    row += 1;
                }
            }
        }
    }

    /// Output features.
    #[must_use]
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Input features.
    #[must_use]
    pub fn in_features(&self) -> usize {
        self.in_features
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.data.size_bytes()
    }
}

/// Rows of activations laid out for the product.
#[derive(Default)]
pub struct RowPanels {
    pub(crate) data: AlignedBuf,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Whose tile they are laid out for.
    isa: Option<Isa>,
}

impl RowPanels {
    /// Packs `rows` rows of `cols` values that start `stride` apart in `x`, reusing this buffer.
    ///
    /// # Panics
    /// If `x` is too short.
    pub fn pack(&mut self, isa: Isa, x: &[f32], rows: usize, cols: usize, stride: usize) {
        assert!(
            rows == 0 || (stride >= cols && x.len() >= (rows - 1) * stride + cols),
            "{rows} rows of {cols} every {stride} do not fit in {}",
            x.len()
        );
        self.rows = rows;
        self.cols = cols;
        self.isa = Some(isa);
        pack_rows(isa, x, stride, self);
    }

    /// Whether they are laid out for `isa`.
    pub(crate) fn are_for(&self, isa: Isa) -> bool {
        self.rows == 0 || self.isa == Some(isa)
    }

    /// Packed rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// What [`product`] does with what is in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Overwrites it.
    Set,
    /// Adds to it.
    Add,
}

/// `out[rows, out_features] (=|+=) a w^T`, on the calling thread.
///
/// * `out`: rows `stride` apart
///
/// # Panics
/// If the input features differ, `a` was packed for another instruction set, or `out` is too short.
pub fn product(
    isa: Isa,
    a: &RowPanels,
    w: &PackedWeights,
    out: &mut [f32],
    stride: usize,
    mode: Output,
) {
    assert_eq!(a.cols, w.in_features, "input features of rows and weights");
    assert!(
        a.are_for(isa),
        "rows were packed for another instruction set than {}",
        isa.name()
    );
    if a.rows == 0 || w.out_features == 0 {
        return;
    }
    assert!(
        stride >= w.out_features && out.len() >= (a.rows - 1) * stride + w.out_features,
        "{} rows of {} every {stride} do not fit in {}",
        a.rows,
        w.out_features,
        out.len()
    );
    isa.dispatch(Product {
        a,
        w,
        c: out,
        c_stride: stride,
        add: mode == Output::Add,
    });
}

/// Why a linear layer could not run.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LinearError {
    /// A length does not follow from the shapes.
    #[error(
        "linear [{rows}, {cols}] x [{out}, {cols}]^T: {what} has {found} values, expected {expected}"
    )]
    Shape {
        /// Which argument.
        what: &'static str,
        /// Rows of x.
        rows: usize,
        /// Input features.
        cols: usize,
        /// Output features.
        out: usize,
        /// Values it must have.
        expected: usize,
        /// Values it has.
        found: usize,
    },
}

/// `out = x w^T (+ bias)`.
///
/// * `x`: `[rows, in_features]`, f32
/// * `bias`: `[out_features]`, f32
/// * `out`: `[rows, out_features]`, f32, overwritten
///
/// # Errors
/// `Shape` if a length does not fit.
pub fn linear(
    cpu: &Cpu,
    x: &[f32],
    rows: usize,
    w: &PackedWeights,
    bias: Option<&[f32]>,
    out: &mut [f32],
) -> Result<(), LinearError> {
    let (n, k) = (w.out_features, w.in_features);
    let check = |what, found, expected| {
        (found == expected).then_some(()).ok_or(LinearError::Shape {
            what,
            rows,
            cols: k,
            out: n,
            expected,
            found,
        })
    };
    check("x", x.len(), rows.saturating_mul(k))?;
    check("out", out.len(), rows.saturating_mul(n))?;
    check("bias", bias.map_or(n, <[f32]>::len), n)?;
    if rows == 0 || n == 0 {
        return Ok(());
    }
    let isa = cpu.isa();
    let block = cpu.rows_per_task(rows);
    cpu.run(|| {
        out.par_chunks_mut(block * n).enumerate().for_each_init(
            RowPanels::default,
            |a, (i, out)| {
                let have = out.len() / n;
                a.pack(isa, &x[i * block * k..], have, k, k);
                product(isa, a, w, out, n, Output::Set);
                if let Some(bias) = bias {
                    for row in out.chunks_exact_mut(n) {
                        row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
                    }
                }
            },
        );
    });
    Ok(())
}
