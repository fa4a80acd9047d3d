//! Matrices of drawn values in device memory, larger than what it pays to draw.

use super::{drawn, padded};
use crate::peer::problem::{Held, Matrix};
use gradus_kernels::device::{DeviceBuffer, DeviceError, DeviceRows, Stream, aligned_stride};
use half::bf16;

/// Rows that are drawn; the others repeat them. A prime, so that no tile repeats another.
const PERIOD: usize = 997;

/// `[rows, cols]`, bf16; row `r` is row `r % PERIOD` of what the host has.
pub(super) struct DrawnRows {
    buffer: DeviceBuffer<bf16>,
    host: Vec<f32>,
    rows: usize,
    cols: usize,
}

impl DrawnRows {
    /// Values in [-`scale`, `scale`).
    pub(super) fn new(
        stream: &Stream,
        [rows, cols]: [usize; 2],
        scale: f32,
        seed: u64,
    ) -> Result<Self, DeviceError> {
        let (period, stride) = (PERIOD.min(rows), aligned_stride(cols));
        let narrow: Vec<bf16> = drawn(period * cols, seed)
            .iter()
            .map(|v| bf16::from_f32(v * scale))
            .collect();
        let part = stream.upload("drawn rows", &padded(&narrow, cols))?;
        let mut buffer = stream.alloc("a drawn matrix", rows * stride)?;
        for first in (0..rows).step_by(period) {
            let count = period.min(rows - first);
            stream.copy(
                part.slice(0..count * stride),
                &mut buffer.slice_mut(first * stride..(first + count) * stride),
            )?;
        }
        Ok(Self {
            buffer,
            host: narrow.into_iter().map(bf16::to_f32).collect(),
            rows,
            cols,
        })
    }

    pub(super) fn rows(&self) -> Result<DeviceRows<'_, bf16>, DeviceError> {
        DeviceRows::new(
            self.buffer.view(),
            self.rows,
            self.cols,
            aligned_stride(self.cols),
        )
    }

    /// For a peer.
    pub(super) fn matrix(&self) -> Matrix<'_> {
        Matrix::f32(&self.host, self.cols)
            .held(Held::Bf16)
            .repeated(self.rows)
    }

    /// Products of `x` with every row, in f64.
    pub(super) fn products(&self, x: &[f32]) -> Vec<f64> {
        let drawn = self.host.chunks(self.cols).map(|row| dot(x, row));
        let drawn: Vec<f64> = drawn.collect();
        drawn.iter().copied().cycle().take(self.rows).collect()
    }

    /// Row `row` as the host has it.
    pub(super) fn host(&self, row: usize) -> &[f32] {
        &self.host[row % PERIOD.min(self.rows) * self.cols..][..self.cols]
    }
}

/// A sum of products in f64.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.sum()
}
