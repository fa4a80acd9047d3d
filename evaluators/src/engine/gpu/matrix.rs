//! Matrices as the device wants them: bf16, rows at an aligned stride, packed one behind the other in one piece of memory.

use crate::weights::param_dtype;
use gradus_checkpoint::{Dtype, ReadTensorError, TensorInfo};
use gradus_kernels::device::{DeviceError, DeviceRows, DeviceView, aligned_stride};
use gradus_kernels::{ParamDtype, Params};
use half::{bf16, f16};
use rayon::prelude::*;
use std::ops::Range;

/// Where things start in a piece of memory.
const ALIGNMENT: usize = 256;

/// Hands out places in a piece of memory.
#[derive(Default)]
pub(super) struct Places {
    bytes: usize,
}

impl Places {
    fn take(&mut self, bytes: usize) -> usize {
        let at = self.bytes;
        self.bytes = (at + bytes).next_multiple_of(ALIGNMENT);
        at
    }

    /// For a matrix.
    pub(super) fn matrix(&mut self, rows: usize, cols: usize) -> MatrixPlace {
        let stride = aligned_stride(cols);
        let at = self.take(rows * stride * size_of::<bf16>());
        MatrixPlace {
            at,
            rows,
            cols,
            stride,
        }
    }

    /// For a vector.
    pub(super) fn vector(&mut self, len: usize) -> VectorPlace {
        VectorPlace {
            at: self.take(len * size_of::<f32>()),
            len,
        }
    }

    /// Bytes handed out.
    pub(super) fn size_bytes(&self) -> usize {
        self.bytes
    }
}

/// A bf16 matrix in a piece of memory.
#[derive(Clone, Copy)]
pub(super) struct MatrixPlace {
    at: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
    stride: usize,
}

/// Rows of a stored tensor, and the row of a matrix that they begin at.
pub(super) type PlacedRows<'a> = (usize, &'a TensorInfo, Range<usize>);

/// An f32 vector in a piece of memory.
#[derive(Clone, Copy)]
pub(super) struct VectorPlace {
    at: usize,
    pub(super) len: usize,
}

impl MatrixPlace {
    /// Its bytes on the host.
    fn bytes<'a>(&self, all: &'a mut [u8]) -> &'a mut [u8] {
        &mut all[self.at..][..self.rows * self.stride * 2]
    }

    /// Writes `parts`, each with its first row, in order; zeros in between.
    pub(super) fn fill(&self, parts: &[(usize, Params<'_>)], all: &mut [u8]) {
        let row_bytes = self.stride * 2;
        let (mut rest, mut row) = (self.bytes(all), 0);
        for (first, part) in parts {
            let (gap, tail) = rest.split_at_mut((first - row) * row_bytes);
            let (own, tail) = tail.split_at_mut(part.rows() * row_bytes);
            gap.fill(0);
            round_rows(*part, own, self.stride);
            (rest, row) = (tail, first + part.rows());
        }
        rest.fill(0);
    }

    /// Reads `parts`, each with its first row, in order, into the matrix; zeros in between. Refuses NaN and infinities.
    pub(super) fn read(
        &self,
        parts: &[PlacedRows<'_>],
        all: &mut [u8],
    ) -> Result<(), ReadTensorError> {
        let row_bytes = self.stride * 2;
        let (mut rest, mut row) = (self.bytes(all), 0);
        for (first, tensor, rows) in parts {
            let (gap, tail) = rest.split_at_mut((first - row) * row_bytes);
            let (own, tail) = tail.split_at_mut(rows.len() * row_bytes);
            gap.fill(0);
            read_rows(tensor, rows.clone(), own, self.stride)?;
            (rest, row) = (tail, first + rows.len());
        }
        rest.fill(0);
        Ok(())
    }

    /// Writes `part` with its first value at (`row`, `col`) of a matrix that was cleared.
    pub(super) fn place(&self, part: Params<'_>, row: usize, col: usize, all: &mut [u8]) {
        let bytes = self.bytes(all);
        let mut values = vec![0.0; part.cols()];
        for r in 0..part.rows() {
            part.widen_row(r, &mut values);
            let out = &mut bytes[2 * ((row + r) * self.stride + col)..];
            for (out, value) in out.chunks_exact_mut(2).zip(&values) {
                out.copy_from_slice(&bf16::from_f32(*value).to_le_bytes());
            }
        }
    }

    /// Zeros.
    pub(super) fn clear(&self, all: &mut [u8]) {
        self.bytes(all).fill(0);
    }

    /// The matrix in the device's copy.
    pub(super) fn view<'a>(
        &self,
        memory: DeviceView<'a, u8>,
    ) -> Result<DeviceRows<'a, bf16>, DeviceError> {
        let bytes = memory.slice(self.at..self.at + self.rows * self.stride * 2);
        DeviceRows::new(bytes.values::<bf16>(), self.rows, self.cols, self.stride)
    }
}

impl VectorPlace {
    /// Writes `values`.
    pub(super) fn fill(&self, values: &[f32], all: &mut [u8]) {
        let bytes = &mut all[self.at..][..4 * self.len];
        for (out, value) in bytes.chunks_exact_mut(4).zip(values) {
            out.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// The vector in the device's copy.
    pub(super) fn view<'a>(&self, memory: DeviceView<'a, u8>) -> DeviceView<'a, f32> {
        memory.slice(self.at..self.at + 4 * self.len).values()
    }
}

/// Bytes that one thread reads and checks at a time: they stay in its cache in between.
const PIECE_BYTES: usize = 1 << 20;

/// Reads rows by all threads, rounded to bf16, `stride` values apart, zeros in between.
fn read_rows(
    tensor: &TensorInfo,
    rows: Range<usize>,
    out: &mut [u8],
    stride: usize,
) -> Result<(), ReadTensorError> {
    let (reader, cols) = (tensor.reader()?, tensor.row_elements());
    if cols == 0 {
        return Ok(());
    }
    let piece = (PIECE_BYTES / (2 * stride)).max(1);
    let read = |(i, out): (usize, &mut [u8])| {
        let first = rows.start + i * piece;
        let rows = first..first + out.len() / (2 * stride);
        if tensor.dtype == Dtype::BF16 && cols == stride {
            return reader.read_finite(rows, out);
        }
        let mut bytes = vec![0; rows.len() * reader.row_bytes()];
        reader.read_finite(rows.clone(), &mut bytes)?;
        let part = Params::new(&bytes, param_dtype(tensor.dtype), rows.len(), cols);
        round_rows(part.expect("that many rows were read"), out, stride);
        Ok(())
    };
    // The first failure in the order of the rows, whichever thread met one first.
    let read: Vec<Result<(), ReadTensorError>> = out
        .par_chunks_mut(piece * stride * 2)
        .enumerate()
        .map(read)
        .collect();
    read.into_iter().collect()
}

/// Rows rounded to bf16 (to nearest even; exact for bf16), `stride` values apart, zeros in between.
fn round_rows(part: Params<'_>, out: &mut [u8], stride: usize) {
    let cols = part.cols();
    if cols == 0 {
        return;
    }
    let bytes = part.bytes();
    let width = part.dtype().size_bytes();
    // Rows of a block are copied by one thread; a block is about a megabyte.
    let block = ((1 << 19) / stride).max(1);
    out.par_chunks_mut(block * stride * 2)
        .zip(bytes.par_chunks(block * cols * width))
        .for_each(|(out, bytes)| match part.dtype() {
            ParamDtype::Bf16 if cols == stride => out.copy_from_slice(bytes),
            ParamDtype::Bf16 => rows_of(out, bytes, cols, stride, |b: [u8; 2]| b),
            ParamDtype::F16 => rows_of(out, bytes, cols, stride, |b: [u8; 2]| {
                bf16::from_f32(f16::from_le_bytes(b).to_f32()).to_le_bytes()
            }),
            ParamDtype::F32 => rows_of(out, bytes, cols, stride, |b: [u8; 4]| {
                bf16::from_f32(f32::from_le_bytes(b)).to_le_bytes()
            }),
        });
}

fn rows_of<const N: usize>(
    out: &mut [u8],
    bytes: &[u8],
    cols: usize,
    stride: usize,
    round: impl Fn([u8; N]) -> [u8; 2],
) {
    for (out, row) in out
        .chunks_exact_mut(2 * stride)
        .zip(bytes.chunks_exact(cols * N))
    {
        let (values, rest) = out.split_at_mut(2 * cols);
        for (out, value) in values.chunks_exact_mut(2).zip(row.chunks_exact(N)) {
            out.copy_from_slice(&round(value.try_into().expect("chunks of N")));
        }
        rest.fill(0);
    }
}
