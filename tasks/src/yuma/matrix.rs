//! Sparse rows of fixed-point numbers.

use super::fixed::Fixed;
use super::input::{Row, Uid};

/// A square matrix `[n, n]`, row by row; what is not listed is 0.
#[derive(Clone)]
pub(super) struct Matrix(Vec<Vec<(Uid, Fixed)>>);

impl Matrix {
    /// The numbers of `rows` for which `keep(row, column)` holds. Every uid is below the number of rows.
    pub(super) fn of(rows: &[Row], keep: impl Fn(Uid, Uid) -> bool) -> Self {
        let kept = (0..).map(Uid).zip(rows).map(|(i, row)| {
            row.iter()
                .filter(|(j, _)| keep(i, *j))
                .map(|(j, value)| (*j, Fixed::from_u16(*value)))
                .collect()
        });
        Self(kept.collect())
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[(Uid, Fixed)]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Row `i` as the chain stores bonds: ascending uids, shares of 65,535.
    pub(super) fn row_as_u16(&self, i: usize) -> Row {
        self.0[i]
            .iter()
            .map(|(uid, value)| (*uid, value.to_proportion()))
            .collect()
    }

    /// Every number by `change(row, column, number)`.
    fn map(&self, change: impl Fn(usize, Uid, Fixed) -> Fixed) -> Self {
        let rows = self.0.iter().enumerate().map(|(i, row)| {
            row.iter()
                .map(|(j, value)| (*j, change(i, *j, *value)))
                .collect()
        });
        Self(rows.collect())
    }

    /// Every number with its column's in `vector`.
    pub(super) fn zip_columns(
        &self,
        vector: &[Fixed],
        change: impl Fn(Fixed, Fixed) -> Fixed,
    ) -> Self {
        self.map(|_, j, value| change(value, vector[j.index()]))
    }

    /// Every number times its row's in `vector`.
    pub(super) fn scale_rows(&self, vector: &[Fixed]) -> Self {
        self.map(|i, _, value| value.saturating_mul(vector[i]))
    }

    pub(super) fn scale(&self, factor: Fixed) -> Self {
        self.map(|_, _, value| value.saturating_mul(factor))
    }

    /// Whole numbers up to 65,535 as shares of that.
    pub(super) fn as_proportions(&self) -> Self {
        self.map(|_, _, value| value.div_or_zero(Fixed::from_u16(u16::MAX)))
    }

    pub(super) fn row_sums(&self) -> Vec<Fixed> {
        self.rows()
            .map(|row| row.iter().map(|(_, value)| *value).sum())
            .collect()
    }

    fn fold_columns(&self, fold: impl Fn(Fixed, Fixed) -> Fixed) -> Vec<Fixed> {
        let mut columns = vec![Fixed::ZERO; self.0.len()];
        for (j, value) in self.rows().flatten() {
            let column = &mut columns[j.index()];
            *column = fold(*column, *value);
        }
        columns
    }

    /// `sum_i vector_i * self_ij` for every column `j`.
    pub(super) fn sum_rows_scaled(&self, vector: &[Fixed]) -> Vec<Fixed> {
        self.scale_rows(vector).fold_columns(Fixed::saturating_add)
    }

    /// `sum_j vector_j * self_ij` for every row `i`.
    pub(super) fn sum_columns_scaled(&self, vector: &[Fixed]) -> Vec<Fixed> {
        self.zip_columns(vector, Fixed::saturating_mul).row_sums()
    }

    /// Rows sum to at most 1.
    pub(super) fn normalize_rows(&mut self) {
        let sums = self.row_sums();
        *self = self.map(|i, _, value| divided(value, sums[i]));
    }

    /// Columns sum to at most 1.
    pub(super) fn normalize_columns(&mut self) {
        let sums = self.fold_columns(Fixed::saturating_add);
        *self = self.zip_columns(&sums, divided);
    }

    /// The largest number of every column becomes 1.
    pub(super) fn upscale_columns(&mut self) {
        let largest = self.fold_columns(Fixed::max);
        *self = self.zip_columns(&largest, divided);
    }

    /// `self + ratio * (other - self)`, for an `other` that lists the same uids in the same order.
    pub(super) fn interpolate(&self, other: &Self, ratio: Fixed) -> Self {
        let rows = self.rows().zip(other.rows()).map(|(from, to)| {
            from.iter()
                .zip(to)
                .map(|((j, from), (_, to))| {
                    let way = ratio.saturating_mul(to.saturating_sub(*from));
                    (*j, from.saturating_add(way))
                })
                .collect()
        });
        Self(rows.collect())
    }

    /// Numbers of both, added; ascending uids, zeros left out.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let rows = self.rows().zip(other.rows()).map(|(one, two)| {
            let mut cells = vec![Fixed::ZERO; self.0.len()];
            for (j, value) in one.iter().chain(two) {
                let cell = &mut cells[j.index()];
                *cell = cell.saturating_add(*value);
            }
            let cells = (0..).map(Uid).zip(cells);
            cells.filter(|(_, cell)| *cell > Fixed::ZERO).collect()
        });
        Self(rows.collect())
    }
}

/// The quotient, or the number itself where the divisor is 0.
fn divided(value: Fixed, divisor: Fixed) -> Fixed {
    if divisor == Fixed::ZERO {
        value
    } else {
        value.div_or_zero(divisor)
    }
}
