//! Causal attention over packed rows of different lengths, without padding and without a mask tensor.
//!
//! A *segment* is a run of query rows whose keys are given as ranges of rows, in order of position; its own rows
//! are the last of them. Rows that share a prefix name the prefix's rows as keys, so that it is computed once.
//!
//! ```text
//! keys:      prefix 0..4      own 9..12            queries 9..12 stand at positions 4, 5, 6
//! position   0 1 2 3          4 5 6                query 9 sees positions 0..=4, 10 sees 0..=5, ...
//! ```
//!
//! Grouped queries: `num_heads / num_kv_heads` query heads share a key head. A window of `w` lets a query at
//! position p see positions p - w + 1 ..= p. A soft cap replaces a score s by `cap * tanh(s / cap)`.
//!
//! **Determinism.** Per query: scores for all its keys, their exact maximum, exponentials summed in sixteen lanes
//! anchored at position 0, then values summed in blocks of 512 positions anchored at 0. A query's result does not
//! depend on other segments, on how it is split into blocks, or on where its keys are stored.

mod cpu;
pub mod device;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::cpu::Cpu;
use core::ops::Range;
use thiserror::Error;

/// Shapes and constants of one attention layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads; divides `num_heads`.
    pub num_kv_heads: usize,
    /// Values in a head.
    pub head_dim: usize,
    /// What scores are multiplied by, usually `head_dim ^ -0.5`.
    pub scale: f32,
    /// Positions that a query sees, itself included.
    pub window: Option<usize>,
    /// Soft cap of the scores.
    pub soft_cap: Option<f32>,
}

/// Query rows and the rows that hold their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Rows of keys in order of position; the last range holds the segment's own rows, which are its queries.
    pub keys: Vec<Range<usize>>,
}

impl Segment {
    /// A segment of its own: every key is one of its rows.
    #[must_use]
    pub fn alone(rows: Range<usize>) -> Self {
        Self { keys: vec![rows] }
    }

    /// The query rows.
    #[must_use]
    pub fn queries(&self) -> Range<usize> {
        self.keys.last().cloned().unwrap_or(0..0)
    }

    /// Keys in all.
    #[must_use]
    pub fn num_keys(&self) -> usize {
        self.keys.iter().map(ExactSizeIterator::len).sum()
    }
}

/// Queries, keys and values of all rows.
///
/// Row r starts at `qkv[r * stride]` and holds `num_heads` query heads, then at `k` and `v` the key and value heads.
#[derive(Clone, Copy, Debug)]
pub struct Qkv<'a> {
    /// The rows.
    pub data: &'a [f32],
    /// Values between rows.
    pub stride: usize,
    /// Offset of the first key head in a row.
    pub k: usize,
    /// Offset of the first value head in a row.
    pub v: usize,
}

/// Why attention could not run.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AttentionError {
    /// Heads do not divide, or a size is zero.
    #[error(
        "attention with {num_heads} heads on {num_kv_heads} key heads of {head_dim}: heads must divide and nothing be zero"
    )]
    Heads {
        /// Query heads.
        num_heads: usize,
        /// Key heads.
        num_kv_heads: usize,
        /// Head size.
        head_dim: usize,
    },
    /// A buffer is too short for the rows.
    #[error("attention over {rows} rows: {what} has {found} values, expected at least {expected}")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Rows in the segments.
        rows: usize,
        /// Values it must have.
        expected: usize,
        /// Values it has.
        found: usize,
    },
    /// Two segments own the same row, or one is out of order.
    #[error("attention: row {row} is the query of two segments")]
    Overlap {
        /// The first such row.
        row: usize,
    },
}

/// `out[row, head, :] = softmax(scale * q k^T) v` for every query row of every segment.
///
/// * `out`: rows of `num_heads * head_dim` values; rows that no segment owns are left alone
///
/// # Errors
/// If a shape does not fit or two segments share a query row.
pub fn attention(
    cpu: &Cpu,
    shape: &AttentionShape,
    qkv: Qkv<'_>,
    segments: &[Segment],
    out: &mut [f32],
) -> Result<(), AttentionError> {
    let AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
        ..
    } = *shape;
    if num_heads == 0 || num_kv_heads == 0 || head_dim == 0 || num_heads % num_kv_heads != 0 {
        return Err(AttentionError::Heads {
            num_heads,
            num_kv_heads,
            head_dim,
        });
    }
    let rows = segments
        .iter()
        .flat_map(|s| &s.keys)
        .map(|r| r.end)
        .max()
        .unwrap_or(0);
    if rows == 0 {
        return Ok(());
    }
    let width = num_heads * head_dim;
    let kv = num_kv_heads * head_dim;
    let row_end = width.max(qkv.k + kv).max(qkv.v + kv);
    let check = |what, found, expected| {
        (found >= expected)
            .then_some(())
            .ok_or(AttentionError::Length {
                what,
                rows,
                expected,
                found,
            })
    };
    check("a row of qkv", qkv.stride, row_end)?;
    check("qkv", qkv.data.len(), (rows - 1) * qkv.stride + row_end)?;
    check("out", out.len(), rows * width)?;
    if let Some(row) = first_overlap(segments, rows) {
        return Err(AttentionError::Overlap { row });
    }
    cpu::attention(cpu, shape, qkv, segments, out);
    Ok(())
}

/// The first row below `rows` that two segments own.
fn first_overlap(segments: &[Segment], rows: usize) -> Option<usize> {
    let mut owned = vec![false; rows];
    segments
        .iter()
        .flat_map(Segment::queries)
        .find(|&row| core::mem::replace(&mut owned[row], true))
}
