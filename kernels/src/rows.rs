//! Rows of f32 at a fixed stride: a whole matrix, or some columns of a wider one.

pub mod device;

use thiserror::Error;

/// The values do not hold these rows.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{rows} rows of {cols} values, one every {stride}, do not fit in {found} values")]
pub struct RowsError {
    rows: usize,
    cols: usize,
    stride: usize,
    found: usize,
}

/// `rows` rows of `cols` values; row r starts at `r * stride`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    data: &'a [f32],
    shape: Shape,
}

/// [`Rows`] that can be written.
#[derive(Debug)]
pub struct RowsMut<'a> {
    data: &'a mut [f32],
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    rows: usize,
    cols: usize,
    stride: usize,
}

impl Shape {
    fn check(rows: usize, cols: usize, stride: usize, found: usize) -> Result<Self, RowsError> {
        let needed = match rows {
            0 => Some(0),
            _ => (rows - 1)
                .checked_mul(stride)
                .and_then(|start| start.checked_add(cols)),
        };
        if stride >= cols && needed.is_some_and(|needed| needed <= found) {
            Ok(Self { rows, cols, stride })
        } else {
            Err(RowsError {
                rows,
                cols,
                stride,
                found,
            })
        }
    }
}

impl<'a> Rows<'a> {
    /// Views `data` as `rows` rows of `cols` values that start `stride` apart. Values past the last row are
    /// ignored.
    ///
    /// # Errors
    /// If rows overlap (`stride < cols`) or `data` is too short.
    pub fn new(
        data: &'a [f32],
        rows: usize,
        cols: usize,
        stride: usize,
    ) -> Result<Self, RowsError> {
        Ok(Self {
            data,
            shape: Shape::check(rows, cols, stride, data.len())?,
        })
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Values of a row.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.shape.cols
    }

    /// Row `row`.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &'a [f32] {
        assert!(row < self.shape.rows, "row {row} of {}", self.shape.rows);
        &self.data[row * self.shape.stride..][..self.shape.cols]
    }
}

impl<'a> RowsMut<'a> {
    /// As [`Rows::new`].
    ///
    /// # Errors
    /// If rows overlap (`stride < cols`) or `data` is too short.
    pub fn new(
        data: &'a mut [f32],
        rows: usize,
        cols: usize,
        stride: usize,
    ) -> Result<Self, RowsError> {
        let shape = Shape::check(rows, cols, stride, data.len())?;
        Ok(Self { data, shape })
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Values of a row.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.shape.cols
    }

    /// Row `row`.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.shape.rows, "row {row} of {}", self.shape.rows);
        &mut self.data[row * self.shape.stride..][..self.shape.cols]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_ends_with_its_last_row_and_refuses_one_value_less() {
        let data: Vec<f32> = (0..23).map(|v| v as f32).collect();
        let rows = Rows::new(&data, 3, 5, 9).unwrap();
        assert_eq!(rows.row(2), &[18.0, 19.0, 20.0, 21.0, 22.0]);
        let error = Rows::new(&data[..22], 3, 5, 9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "3 rows of 5 values, one every 9, do not fit in 22 values"
        );
    }

    #[test]
    fn overlapping_and_overflowing_rows_are_refused() {
        assert!(Rows::new(&[0.0; 9], 2, 5, 4).is_err());
        assert!(Rows::new(&[0.0; 9], usize::MAX, 4, 4).is_err());
        assert!(RowsMut::new(&mut [0.0; 9], 3, 4, 4).is_err());
        assert!(RowsMut::new(&mut [], 0, 4, 4).is_ok());
    }
}
