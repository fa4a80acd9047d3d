//! Matrices in device memory.

use super::buffer::{DeviceView, DeviceViewMut};
use super::error::DeviceError;

/// Row strides are multiples of this many elements, so that every row of 2-byte values starts at 16 bytes.
pub const STRIDE_MULTIPLE: usize = 8;

/// The smallest stride that rows of `cols` values may have.
#[must_use]
pub fn aligned_stride(cols: usize) -> usize {
    cols.next_multiple_of(STRIDE_MULTIPLE)
}

/// Rows of `cols` values, `stride` apart, to be read.
#[derive(Debug)]
pub struct DeviceRows<'a, T> {
    data: DeviceView<'a, T>,
    rows: usize,
    cols: usize,
    stride: usize,
}

/// Rows of `cols` values, `stride` apart, to be written.
#[derive(Debug)]
pub struct DeviceRowsMut<'a, T> {
    data: DeviceViewMut<'a, T>,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<T> Clone for DeviceRows<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DeviceRows<'_, T> {}

fn check(ptr: u64, len: usize, rows: usize, cols: usize, stride: usize) -> Result<(), DeviceError> {
    let error = |what, found: String, expected: String| {
        Err(DeviceError::Argument {
            op: format!("a device matrix [{rows}, {cols}] with stride {stride}"),
            what,
            found,
            expected,
        })
    };
    if stride < cols || !stride.is_multiple_of(STRIDE_MULTIPLE) {
        let expected = format!("a multiple of {STRIDE_MULTIPLE} from {cols}");
        return error("its stride", stride.to_string(), expected);
    }
    let Some(needed) = rows
        .saturating_sub(1)
        .checked_mul(stride)
        .and_then(|n| n.checked_add(cols))
    else {
        return error("its size", "past 2^64 values".to_owned(), "less".to_owned());
    };
    if rows > 0 && len < needed {
        return error(
            "its memory",
            format!("{len} values"),
            format!("at least {needed}"),
        );
    }
    if rows > 0 && !ptr.is_multiple_of(16) {
        return error(
            "its address",
            format!("{ptr:#x}"),
            "a multiple of 16".to_owned(),
        );
    }
    Ok(())
}

impl<'a, T> DeviceRows<'a, T> {
    /// Rows in `data`.
    ///
    /// # Errors
    /// If the stride is shorter than a row or no multiple of [`STRIDE_MULTIPLE`], the memory too short or not at 16 bytes.
    pub fn new(
        data: DeviceView<'a, T>,
        rows: usize,
        cols: usize,
        stride: usize,
    ) -> Result<Self, DeviceError> {
        check(data.ptr(), data.len(), rows, cols, stride)?;
        Ok(Self {
            data,
            rows,
            cols,
            stride,
        })
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a row.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Values from one row to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Address of the first row.
    #[must_use]
    pub fn ptr(&self) -> u64 {
        self.data.ptr()
    }

    /// Rows `from..to`.
    ///
    /// # Panics
    /// If they are not inside.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Self {
        assert!(
            from <= to && to <= self.rows,
            "rows {from}..{to} of {}",
            self.rows
        );
        let data = self
            .data
            .slice((from * self.stride).min(self.data.len())..self.data.len());
        Self {
            data,
            rows: to - from,
            ..*self
        }
    }

    /// Columns from `first` on, a multiple of [`STRIDE_MULTIPLE`].
    ///
    /// # Errors
    /// If the columns are not inside, or do not start at 16 bytes.
    pub fn columns(&self, first: usize, cols: usize) -> Result<Self, DeviceError> {
        columns_inside(self.rows, self.cols, first, cols)?;
        let data = self.data.slice(first.min(self.data.len())..self.data.len());
        Self::new(data, self.rows, cols, self.stride)
    }
}

impl<'a, T> DeviceRowsMut<'a, T> {
    /// Rows in `data`.
    ///
    /// # Errors
    /// As [`DeviceRows::new`].
    pub fn new(
        data: DeviceViewMut<'a, T>,
        rows: usize,
        cols: usize,
        stride: usize,
    ) -> Result<Self, DeviceError> {
        check(data.ptr(), data.len(), rows, cols, stride)?;
        Ok(Self {
            data,
            rows,
            cols,
            stride,
        })
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a row.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Values from one row to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Address of the first row.
    #[must_use]
    pub fn ptr(&self) -> u64 {
        self.data.ptr()
    }

    /// The same to be read.
    #[must_use]
    pub fn as_rows(&self) -> DeviceRows<'_, T> {
        DeviceRows {
            data: self.data.as_view(),
            rows: self.rows,
            cols: self.cols,
            stride: self.stride,
        }
    }

    /// The same for a shorter time.
    #[must_use]
    pub fn reborrow(&mut self) -> DeviceRowsMut<'_, T> {
        DeviceRowsMut {
            data: self.data.reborrow(),
            rows: self.rows,
            cols: self.cols,
            stride: self.stride,
        }
    }

    /// Rows `from..to`.
    ///
    /// # Panics
    /// If they are not inside.
    #[must_use]
    pub fn into_slice(self, from: usize, to: usize) -> Self {
        assert!(
            from <= to && to <= self.rows,
            "rows {from}..{to} of {}",
            self.rows
        );
        let Self {
            data, cols, stride, ..
        } = self;
        let len = data.len();
        let data = data.into_slice((from * stride).min(len)..len);
        Self {
            data,
            rows: to - from,
            cols,
            stride,
        }
    }

    /// Columns from `first` on, a multiple of [`STRIDE_MULTIPLE`].
    ///
    /// # Errors
    /// If the columns are not inside, or do not start at 16 bytes.
    pub fn into_columns(self, first: usize, cols: usize) -> Result<Self, DeviceError> {
        columns_inside(self.rows, self.cols, first, cols)?;
        let len = self.data.len();
        let data = self.data.into_slice(first.min(len)..len);
        Self::new(data, self.rows, cols, self.stride)
    }
}

fn columns_inside(rows: usize, all: usize, first: usize, cols: usize) -> Result<(), DeviceError> {
    if first.checked_add(cols).is_some_and(|end| end <= all) {
        return Ok(());
    }
    Err(DeviceError::Argument {
        op: format!("columns of a device matrix [{rows}, {all}]"),
        what: "their end",
        found: format!("{first} + {cols}"),
        expected: format!("at most {all}"),
    })
}
