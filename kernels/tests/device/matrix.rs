//! Matrices of the tests: rows at a stride, with a sentinel between them that nothing may touch.

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use gradus_kernels::device::{DeviceBuffer, DeviceRows, DeviceRowsMut, Stream, aligned_stride};
use half::{bf16, f16};
use std::fmt::Debug;

/// Widths that divide nothing, and both sides of every width at which another kernel takes over.
pub(crate) const COLS: [usize; 21] = [
    6, 1002, 1, 7, 8, 9, 37, 64, 127, 1003, 1024, 1025, 2048, 2051, 4096, 4099, 8192, 8200, 9001,
    16384, 16391,
];

/// Values that are stored on the device.
pub(crate) trait Value:
    DeviceRepr + ValidAsZeroBits + Copy + Default + PartialEq + Debug + 'static
{
    fn of(value: f32) -> Self;
    fn widen(self) -> f64;
    fn bits(self) -> u32;
    /// Half a unit in the last place of a value of this size.
    fn half_ulp(size: f64) -> f64;
}

fn half_ulp(size: f64, mantissa: i32, least: i32) -> f64 {
    let exponent = if size == 0.0 {
        least
    } else {
        size.log2().floor() as i32
    };
    2f64.powi(exponent.max(least) - mantissa - 1)
}

impl Value for f32 {
    fn of(value: f32) -> Self {
        value
    }
    fn widen(self) -> f64 {
        f64::from(self)
    }
    fn bits(self) -> u32 {
        self.to_bits()
    }
    fn half_ulp(size: f64) -> f64 {
        half_ulp(size, 23, -126)
    }
}

impl Value for bf16 {
    fn of(value: f32) -> Self {
        bf16::from_f32(value)
    }
    fn widen(self) -> f64 {
        self.to_f64()
    }
    fn bits(self) -> u32 {
        u32::from(self.to_bits())
    }
    fn half_ulp(size: f64) -> f64 {
        half_ulp(size, 7, -126)
    }
}

impl Value for f16 {
    fn of(value: f32) -> Self {
        f16::from_f32(value)
    }
    fn widen(self) -> f64 {
        self.to_f64()
    }
    fn bits(self) -> u32 {
        u32::from(self.to_bits())
    }
    fn half_ulp(size: f64) -> f64 {
        half_ulp(size, 10, -14)
    }
}

/// What lies between rows.
const SENTINEL: f32 = -77.0;

#[derive(Clone)]
pub(crate) struct Matrix<T> {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) stride: usize,
    values: Vec<T>,
}

/// `n` values in [-1, 1) from a splitmix64 stream.
pub(crate) fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    (0..n)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

impl<T: Value> Matrix<T> {
    fn filled(rows: usize, cols: usize, stride: usize, mut value: impl FnMut() -> f32) -> Self {
        let values = (0..rows * stride)
            .map(|at| {
                T::of(if at % stride < cols {
                    value()
                } else {
                    SENTINEL
                })
            })
            .collect();
        Self {
            rows,
            cols,
            stride,
            values,
        }
    }

    /// Values in `[-size, size)`, rows further apart than they must be.
    pub(crate) fn random(rows: usize, cols: usize, size: f32, seed: u64) -> Self {
        let mut values = random(rows * cols, seed).into_iter();
        let stride = aligned_stride(cols) + 16;
        Self::filled(rows, cols, stride, || {
            values.next().expect("as many") * size
        })
    }

    /// What an output is before it is written: NaN, rows as close as they may be.
    pub(crate) fn poisoned(rows: usize, cols: usize) -> Self {
        Self::filled(rows, cols, aligned_stride(cols), || f32::NAN)
    }

    pub(crate) fn row(&self, row: usize) -> &[T] {
        &self.values[row * self.stride..][..self.cols]
    }

    pub(crate) fn row_f32(&self, row: usize) -> Vec<f32> {
        self.row(row).iter().map(|v| v.widen() as f32).collect()
    }

    pub(crate) fn set(&mut self, row: usize, col: usize, value: T) {
        self.values[row * self.stride + col] = value;
    }

    /// One row alone.
    pub(crate) fn alone(&self, row: usize) -> Self {
        let stride = aligned_stride(self.cols);
        let mut values = self.row(row).iter().copied();
        let sentinel = T::of(SENTINEL);
        Self {
            rows: 1,
            cols: self.cols,
            stride,
            values: (0..stride)
                .map(|_| values.next().unwrap_or(sentinel))
                .collect(),
        }
    }

    pub(crate) fn upload(&self, stream: &Stream) -> OnDevice<T> {
        OnDevice {
            host: self.clone(),
            buffer: stream
                .upload("a test's matrix", &self.values)
                .expect("memory"),
        }
    }

    /// Bits of every value, in order.
    pub(crate) fn bits(&self) -> Vec<u32> {
        (0..self.rows)
            .flat_map(|r| self.row(r).iter().map(|v| v.bits()))
            .collect()
    }
}

/// A matrix in device memory, and what it was.
pub(crate) struct OnDevice<T> {
    host: Matrix<T>,
    buffer: DeviceBuffer<T>,
}

impl<T: Value> OnDevice<T> {
    pub(crate) fn rows(&self) -> DeviceRows<'_, T> {
        let Matrix {
            rows, cols, stride, ..
        } = self.host;
        DeviceRows::new(self.buffer.view(), rows, cols, stride).expect("aligned rows")
    }

    pub(crate) fn rows_mut(&mut self) -> DeviceRowsMut<'_, T> {
        let Matrix {
            rows, cols, stride, ..
        } = self.host;
        DeviceRowsMut::new(self.buffer.view_mut(), rows, cols, stride).expect("aligned rows")
    }

    /// The matrix as it is now. What lies between rows must be as it was.
    pub(crate) fn download(&self, stream: &Stream) -> Matrix<T> {
        let values = stream.download(self.buffer.view()).expect("a copy");
        let sentinel = T::of(SENTINEL).bits();
        for (at, value) in values.iter().enumerate() {
            let (row, col) = (at / self.host.stride, at % self.host.stride);
            assert!(
                col < self.host.cols || value.bits() == sentinel,
                "row {row}: column {col}, behind the row's {}, was overwritten by {value:?}",
                self.host.cols
            );
        }
        Matrix {
            values,
            ..self.host.clone()
        }
    }
}

/// Row `row` of `got` is `want` rounded once, up to `rel` of it and `abs`. NaN never is.
pub(crate) fn within<T: Value>(
    got: &Matrix<T>,
    row: usize,
    want: &[f64],
    rel: f64,
    abs: f64,
    what: &str,
) {
    assert_eq!(got.cols, want.len(), "{what}: columns");
    for (col, (&g, &w)) in got.row(row).iter().zip(want).enumerate() {
        let (g, slack) = (g.widen(), T::half_ulp(w.abs()) + rel * w.abs() + abs);
        assert!(
            g == w || (g - w).abs() <= slack,
            "{what}: row {row}, column {col} of {} is {g}, expected {w}",
            got.cols
        );
    }
}
