//! Factors of products: rows of bf16, with NaN between them, which nothing may read.

use crate::matrix::random;
use gradus_kernels::device::{DeviceBuffer, DeviceRows, Stream, aligned_stride};
use half::bf16;
use std::ops::Range;

/// `[rows, cols]` in host memory.
#[derive(Clone)]
pub(crate) struct Operand {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    values: Vec<bf16>,
}

impl Operand {
    fn of(rows: usize, cols: usize, values: impl IntoIterator<Item = f32>) -> Self {
        let stride = aligned_stride(cols);
        let mut out = vec![bf16::NAN; rows * stride];
        let mut values = values.into_iter();
        for row in out.chunks_exact_mut(stride.max(1)) {
            for value in &mut row[..cols] {
                *value = bf16::from_f32(values.next().expect("as many"));
            }
        }
        Self {
            rows,
            cols,
            values: out,
        }
    }

    /// Values in `[-size, size)`.
    pub(crate) fn random(rows: usize, cols: usize, size: f32, seed: u64) -> Self {
        let values = random(rows * cols, seed).into_iter();
        Self::of(rows, cols, values.map(|v| v * size))
    }

    /// Eighths from -1 to 1: f32 sums of a few of their products are exact.
    pub(crate) fn eighths(rows: usize, cols: usize, seed: u64) -> Self {
        let values = random(rows * cols, seed).into_iter();
        Self::of(rows, cols, values.map(|v| (v * 8.0).round() / 8.0))
    }

    pub(crate) fn row(&self, row: usize) -> &[bf16] {
        &self.values[row * aligned_stride(self.cols)..][..self.cols]
    }

    pub(crate) fn set(&mut self, row: usize, col: usize, value: f32) {
        self.values[row * aligned_stride(self.cols) + col] = bf16::from_f32(value);
    }

    /// `rows` rows, these again and again.
    pub(crate) fn repeated(&self, rows: usize) -> Self {
        let all = self.values.iter().copied().cycle();
        Self {
            rows,
            cols: self.cols,
            values: all.take(rows * aligned_stride(self.cols)).collect(),
        }
    }

    pub(crate) fn upload(&self, stream: &Stream) -> Resident {
        Resident {
            rows: self.rows,
            cols: self.cols,
            buffer: stream.upload("an operand", &self.values).expect("memory"),
        }
    }
}

/// `a . b`
pub(crate) fn dot(a: &[bf16], b: &[bf16]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.to_f64() * b.to_f64()).sum()
}

/// An operand in device memory.
pub(crate) struct Resident {
    rows: usize,
    cols: usize,
    buffer: DeviceBuffer<bf16>,
}

impl Resident {
    pub(crate) fn all(&self) -> DeviceRows<'_, bf16> {
        self.some(0..self.rows)
    }

    pub(crate) fn some(&self, rows: Range<usize>) -> DeviceRows<'_, bf16> {
        let stride = aligned_stride(self.cols);
        let view = self.buffer.slice(rows.start * stride..rows.end * stride);
        DeviceRows::new(view, rows.len(), self.cols, stride).expect("aligned rows")
    }
}
