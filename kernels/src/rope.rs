//! Rotary position embedding: pairs of a head's values are turned by `position * inv_freq`.
//!
//! Su et al., 2021, arXiv:2104.09864. Frequencies and their scalings are in [`frequency`], the cosines and sines
//! of a range of positions in [`RopeTable`].
//!
//! **Determinism.** Angles, cosines and sines are f64 (`libm`, not the host's library) and rounded once to f32;
//! a turned value is two f32 products, the second of them fused. It depends on its pair and its position alone.

mod cpu;
pub mod device;
pub mod frequency;
pub mod reference;
mod scaling;
mod table;
#[cfg(test)]
mod tests;

pub use frequency::{LengthClass, Rope, rotary_dim};
pub use scaling::{RopeError, RopeScaling};
pub use table::RopeTable;

use crate::rows::RowsMut;
use crate::simd::Isa;
use cpu::Rotate;
use thiserror::Error;

/// Which values form a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeLayout {
    /// Value i with value i + rotary_dim / 2 (GPT-NeoX, Llama).
    HalfSplit,
    /// Value 2i with value 2i + 1 (GPT-J, GLM).
    Interleaved,
}

/// Why heads could not be rotated.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RotateError {
    /// Rows are not made of whole heads, or heads are shorter than what is rotated.
    #[error(
        "rope: rows of {cols} values are not heads of {head_dim}, of which {rotary_dim} are rotated"
    )]
    Heads {
        /// Values of a row.
        cols: usize,
        /// Values of a head.
        head_dim: usize,
        /// Values that the table rotates.
        rotary_dim: usize,
    },
    /// There is not one position for each row.
    #[error("rope: {found} positions for {rows} rows")]
    Positions {
        /// Rows.
        rows: usize,
        /// Positions.
        found: usize,
    },
    /// A position is past the table.
    #[error("rope: row {row} is at position {position}, but the table ends at {positions}")]
    Position {
        /// The row.
        row: usize,
        /// Its position.
        position: u32,
        /// Positions of the table.
        positions: usize,
    },
}

/// Rotates every head of every row in place, on the calling thread.
///
/// * `x`: `[tokens, heads * head_dim]`, f32; a head's values from `rotary_dim` on stay as they are
/// * `table`: of the length class of the rows that these tokens belong to
/// * `positions`: `[tokens]`, each token's place in its own row, from 0
///
/// # Errors
/// `Heads`, `Positions` or `Position` if the arguments do not fit together; then nothing is changed.
pub fn rotate(
    isa: Isa,
    mut x: RowsMut<'_>,
    head_dim: usize,
    table: &RopeTable,
    positions: &[u32],
    layout: RopeLayout,
) -> Result<(), RotateError> {
    let (cols, rotary_dim) = (x.cols(), table.rotary_dim());
    if head_dim == 0 || !cols.is_multiple_of(head_dim) || rotary_dim > head_dim {
        return Err(RotateError::Heads {
            cols,
            head_dim,
            rotary_dim,
        });
    }
    if positions.len() != x.rows() {
        return Err(RotateError::Positions {
            rows: x.rows(),
            found: positions.len(),
        });
    }
    if let Some(row) = positions
        .iter()
        .position(|&p| p as usize >= table.positions())
    {
        let (position, positions) = (positions[row], table.positions());
        return Err(RotateError::Position {
            row,
            position,
            positions,
        });
    }
    for (row, &position) in positions.iter().enumerate() {
        let (cos, sin) = (table.cos(position as usize), table.sin(position as usize));
        isa.dispatch(Rotate {
            x: x.row_mut(row),
            head_dim,
            cos,
            sin,
            layout,
        });
    }
    Ok(())
}
