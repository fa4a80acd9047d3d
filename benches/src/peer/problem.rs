//! What a kernel computes, in terms of its inputs: from this a peer makes the same work.

use crate::measure::{Allowed, Work};
use gradus_kernels::activation::Activation;
use gradus_kernels::attention::AttentionShape;

/// How a peer holds values while it is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Single precision.
    F32,
    /// The upper half of it.
    Bf16,
}

/// Values on the host.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// As they are; where a peer holds bf16, they are such values already.
    F32(&'a [f32]),
    /// As a checkpoint stores bf16.
    Bf16(&'a [u8]),
}

/// `[rows, cols]`. Rows beyond those on the host repeat them.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The first rows, or all.
    pub values: Values<'a>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// While timed.
    pub held: Held,
}

impl<'a> Matrix<'a> {
    /// Values of single precision, held as they are.
    #[must_use]
    pub fn f32(values: &'a [f32], cols: usize) -> Self {
        Self {
            values: Values::F32(values),
            rows: values.len() / cols,
            cols,
            held: Held::F32,
        }
    }

    /// Stored bf16, held as it is.
    #[must_use]
    pub fn bf16(bytes: &'a [u8], cols: usize) -> Self {
        Self {
            values: Values::Bf16(bytes),
            rows: bytes.len() / 2 / cols,
            cols,
            held: Held::Bf16,
        }
    }

    /// Held otherwise than on the host.
    #[must_use]
    pub fn held(self, held: Held) -> Self {
        Self { held, ..self }
    }

    /// Repeated up to `rows`.
    #[must_use]
    pub fn repeated(self, rows: usize) -> Self {
        Self { rows, ..self }
    }
}

/// Which norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// By the root of the mean square.
    Rms,
    /// By mean and variance.
    Layer,
}

/// The operation, with its inputs.
#[derive(Debug)]
pub enum Op<'a> {
    /// `x w^T`.
    Linear {
        /// `[rows, in]`
        x: Matrix<'a>,
        /// `[out, in]`
        w: Matrix<'a>,
    },
    /// Loss of a token in each row, of each model; of two also the divergence of the second from the first.
    Head {
        /// Hidden states `[rows, hidden]` and head `[vocab, hidden]`.
        models: Vec<(Matrix<'a>, Matrix<'a>)>,
        /// A token for each row.
        tokens: Vec<u32>,
    },
    /// Causal attention over packed rows of queries, keys and values.
    Attention {
        /// Heads.
        shape: AttentionShape,
        /// Of the sequences.
        lengths: &'a [usize],
        /// `[rows, (heads + 2 kv_heads) head_dim]`
        qkv: Matrix<'a>,
    },
    /// A norm of rows, or of pieces of rows as long as its weight.
    Norm {
        /// Which.
        norm: Norm,
        /// `[rows, cols]`
        x: Matrix<'a>,
        /// Gain.
        weight: &'a [f32],
        /// Added to the mean.
        eps: f64,
        /// How the result is held.
        out: Held,
    },
    /// Heads turned by their row's position, first half against second.
    Rope {
        /// `[rows, heads head_dim]`
        x: Matrix<'a>,
        /// Of one head.
        head_dim: usize,
        /// Base of the frequencies.
        theta: f64,
        /// Of each row.
        positions: &'a [u32],
    },
    /// `kind(gate) up`.
    Gate {
        /// Which function.
        kind: Activation,
        /// Gate beside up, `[rows, 2 cols]`.
        x: Matrix<'a>,
    },
    /// Rows of a table as f32, scaled.
    Embedding {
        /// `[vocab, cols]`
        table: Matrix<'a>,
        /// A row of the table each.
        ids: &'a [u32],
        /// Factor.
        scale: f64,
    },
}

/// An operation, and what is allowed of its results.
#[derive(Debug)]
pub struct Problem<'a> {
    /// Rows of every result.
    pub rows: usize,
    /// The operation.
    pub op: Op<'a>,
    /// Name and tolerance of each result, in the order in which they are left.
    pub results: Vec<(&'static str, Allowed)>,
}

/// Operations that a second opinion may take: less than a second in f64.
const FLOP: f64 = 4e9;
/// Rows that it has at least, if there are as many.
const FEWEST: usize = 16;

impl<'a> Problem<'a> {
    /// Losses of `tokens`, one a row, by one or two models.
    pub(crate) fn head(
        models: Vec<(Matrix<'a>, Matrix<'a>)>,
        tokens: Vec<u32>,
        nll: Allowed,
        kl: Allowed,
    ) -> Self {
        let results = match models.len() {
            1 => vec![("nll", nll)],
            _ => vec![("base's nll", nll), ("nll", nll), ("KL", kl)],
        };
        Self {
            rows: tokens.len(),
            op: Op::Head { models, tokens },
            results,
        }
    }

    /// Rows of the results that are compared: all if that takes little time, else as many as do, from the first to the last.
    pub(crate) fn compared(&self, work: Work) -> Vec<usize> {
        let affordable = (FLOP / (work.flop / self.rows as f64).max(1.0)) as usize;
        let count = affordable.max(FEWEST).min(self.rows);
        match count {
            0 | 1 => (0..count).collect(),
            _ => (0..count)
                .map(|i| i * (self.rows - 1) / (count - 1))
                .collect(),
        }
    }
}

/// `rows` of values that lie row after row.
pub(crate) fn picked(values: &[f32], rows: &[usize], cols: usize) -> Vec<f32> {
    rows.iter()
        .flat_map(|row| &values[row * cols..][..cols])
        .copied()
        .collect()
}

/// `rows` of a vector.
pub(crate) fn picked_f64(values: &[f64], rows: &[usize]) -> Vec<f32> {
    rows.iter().map(|&row| values[row] as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_work_is_compared_whole_and_dear_work_from_first_to_last_row() {
        let values = [0.0; 37 * 3];
        let problem = Problem {
            rows: 37,
            op: Op::Gate {
                kind: Activation::Silu,
                x: Matrix::f32(&values, 3),
            },
            results: Vec::new(),
        };
        let compared = |flop| problem.compared(Work { flop, bytes: 1.0 });
        assert_eq!(compared(1e6), (0..37).collect::<Vec<_>>());
        let dear = compared(1e15);
        assert_eq!((dear.len(), dear[0], dear[15]), (16, 0, 36));
        assert!(dear.windows(2).all(|pair| pair[0] < pair[1]), "{dear:?}");
    }
}
