//! A checkpoint's parameters as stored: bytes, dtype and shape, widened only where they are used.

use thiserror::Error;

/// How a parameter is stored. All three widen to f32 exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamDtype {
    /// IEEE single precision.
    F32,
    /// bfloat16.
    Bf16,
    /// IEEE half precision.
    F16,
}

impl ParamDtype {
    /// Bytes of one value.
    #[must_use]
    pub fn size_bytes(self) -> usize {
        match self {
            ParamDtype::F32 => 4,
            ParamDtype::Bf16 | ParamDtype::F16 => 2,
        }
    }
}

/// A `[rows, cols]` parameter, row-major, little-endian, any alignment.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    bytes: &'a [u8],
    dtype: ParamDtype,
    rows: usize,
    cols: usize,
}

/// The bytes are not a `[rows, cols]` parameter.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a [{rows}, {cols}] {dtype:?} parameter needs {expected:?} bytes, found {found}")]
pub struct ParamsError {
    rows: usize,
    cols: usize,
    dtype: ParamDtype,
    expected: Option<usize>,
    found: usize,
}

impl<'a> Params<'a> {
    /// Views `bytes` as `[rows, cols]`.
    ///
    /// # Errors
    /// If the length is not exactly `rows * cols * dtype.size_bytes()`.
    pub fn new(
        bytes: &'a [u8],
        dtype: ParamDtype,
        rows: usize,
        cols: usize,
    ) -> Result<Self, ParamsError> {
        let expected = rows
            .checked_mul(cols)
            .and_then(|n| n.checked_mul(dtype.size_bytes()));
        if expected != Some(bytes.len()) {
            return Err(ParamsError {
                rows,
                cols,
                dtype,
                expected,
                found: bytes.len(),
            });
        }
        Ok(Self {
            bytes,
            dtype,
            rows,
            cols,
        })
    }

    /// Views f32 values as `[rows, cols]`.
    ///
    /// # Panics
    /// If there are not exactly `rows * cols` values.
    #[must_use]
    pub fn from_f32(values: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(
            values.len(),
            rows * cols,
            "values of a [{rows}, {cols}] parameter"
        );
        const {
            assert!(
                cfg!(target_endian = "little"),
                "parameters are little-endian bytes"
            )
        };
        // SAFETY: any four bytes of an f32 may be read as bytes.
        let bytes =
            unsafe { core::slice::from_raw_parts(values.as_ptr().cast(), values.len() * 4) };
        Self {
            bytes,
            dtype: ParamDtype::F32,
            rows,
            cols,
        }
    }

    /// Rows, for a projection the output features.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns, for a projection the input features.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// How the values are stored.
    #[must_use]
    pub fn dtype(&self) -> ParamDtype {
        self.dtype
    }

    /// The stored bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Rows `range` alone.
    ///
    /// # Panics
    /// If `range` reaches past the last row.
    #[must_use]
    pub fn slice_rows(&self, range: core::ops::Range<usize>) -> Params<'a> {
        let row_bytes = self.cols * self.dtype.size_bytes();
        Params {
            bytes: &self.bytes[range.start * row_bytes..range.end * row_bytes],
            rows: range.len(),
            ..*self
        }
    }

    /// One value, widened.
    ///
    /// # Panics
    /// If `row` or `col` is out of range.
    #[must_use]
    pub fn get(&self, row: usize, col: usize) -> f32 {
        assert!(
            row < self.rows && col < self.cols,
            "({row}, {col}) is outside [{}, {}]",
            self.rows,
            self.cols
        );
        let at = (row * self.cols + col) * self.dtype.size_bytes();
        widen(self.dtype, &self.bytes[at..])
    }

    /// Widens row `row` into `out`.
    ///
    /// # Panics
    /// If `row` is out of range or `out` is not `cols` long.
    pub fn widen_row(&self, row: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.cols, "a row has {} values", self.cols);
        let size = self.dtype.size_bytes();
        let bytes = &self.bytes[row * self.cols * size..(row + 1) * self.cols * size];
        for (value, bytes) in out.iter_mut().zip(bytes.chunks_exact(size)) {
            *value = widen(self.dtype, bytes);
        }
    }

    /// All values, widened, row-major.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let size = self.dtype.size_bytes();
        self.bytes
            .chunks_exact(size)
            .map(|b| widen(self.dtype, b))
            .collect()
    }
}

/// The first value in `bytes`.
#[inline]
fn widen(dtype: ParamDtype, bytes: &[u8]) -> f32 {
    match dtype {
        ParamDtype::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
        ParamDtype::Bf16 => {
            f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16)
        }
        ParamDtype::F16 => half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
    }
}
