//! The fused head: linear, log-sum-exp and target logit in one pass over the vocabulary, and KL against a second
//! model; no logits tensor exists.
//!
//! The vocabulary goes by in slabs (as the weights arrive), a slab in blocks of [`VOCAB_BLOCK`] tokens. For each
//! block and chunk of rows the logits live in the second cache, are reduced to (maximum, sum of exponentials) a row,
//! and forgotten. Blocks are merged in f64, in the order of the vocabulary.
//!
//! Negative log-likelihood, nats: `lse(x) - x[target]`. KL(f || b) = `sum_v p_f (f_v - b_v) - lse(f) + lse(b)`.
//!
//! **Determinism.** A row's numbers do not depend on the other rows, on slabs, on threads, or on how many models are
//! computed at once.

mod cpu;
pub mod device;
mod hopper;
pub mod reference;
#[cfg(test)]
mod tests;
mod transform;

use crate::cpu::Cpu;
use crate::linear::RowPanels;
use crate::params::Params;
use rayon::prelude::*;
use thiserror::Error;

/// Tokens whose exponentials are summed in f32 before they are merged in f64. Part of the numeric contract.
pub const VOCAB_BLOCK: usize = 256;
/// Rows whose logits are computed together; results do not depend on it.
pub(crate) const ROW_CHUNK: usize = 96;

/// What happens to a logit between the product and the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogitTransform {
    /// Multiplies every logit.
    pub scale: f32,
    /// Then `cap * tanh(x / cap)`.
    pub soft_cap: Option<f32>,
    /// Then rounds to bf16, as a bf16 model's head does.
    pub round_to_bf16: bool,
}

impl Default for LogitTransform {
    fn default() -> Self {
        Self {
            scale: 1.0,
            soft_cap: None,
            round_to_bf16: false,
        }
    }
}

/// Rows of final hidden states (or of a low-rank product), laid out for the head.
pub struct HeadRows {
    pub(crate) chunks: Vec<RowPanels>,
    rows: usize,
    cols: usize,
}

impl HeadRows {
    /// Packs `x`, `[rows, cols]` f32.
    ///
    /// # Panics
    /// If `x` has another length.
    #[must_use]
    pub fn pack(cpu: &Cpu, x: &[f32], rows: usize, cols: usize) -> Self {
        assert_eq!(x.len(), rows * cols, "rows of the head");
        let isa = cpu.isa();
        let chunks = cpu.run(|| {
            x.par_chunks((ROW_CHUNK * cols).max(1))
                .map(|x| {
                    let mut panels = RowPanels::default();
                    panels.pack(isa, x, x.len() / cols, cols, cols);
                    panels
                })
                .collect()
        });
        Self { chunks, rows, cols }
    }

    /// Rows packed.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// One model at the head: its rows, and the weights of this slab that are its own.
#[derive(Clone, Copy)]
pub struct HeadModel<'a> {
    /// Final hidden states, `[rows, hidden_size]`.
    pub rows: &'a HeadRows,
    /// Head weights of the slab, `[tokens, hidden_size]`.
    pub weights: Params<'a>,
    /// A low-rank addition: `[rows, rank]` (scaled) and `[tokens, rank]`.
    pub lora: Option<(&'a HeadRows, Params<'a>)>,
    /// Bias of the slab's tokens.
    pub bias: Option<&'a [f32]>,
    /// What happens to its logits.
    pub transform: LogitTransform,
}

/// A token whose likelihood is asked for, at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Row of the head.
    pub row: u32,
    /// Token id.
    pub token: u32,
}

/// Sums of one model over the vocabulary so far.
pub struct HeadSums {
    max: Vec<f64>,
    sum: Vec<f64>,
    /// `sum_v e^(f_v - max) (f_v - b_v)`; only filled when a KL is asked for.
    difference: Vec<f64>,
    targets: Vec<Target>,
    /// Indices of `targets`, sorted by block of the vocabulary, then row.
    by_block: Vec<u32>,
    logits: Vec<f32>,
    tokens: usize,
}

impl HeadSums {
    /// Nothing summed yet.
    ///
    /// # Errors
    /// If a target names a row that does not exist.
    pub fn new(rows: usize, targets: &[Target]) -> Result<Self, HeadError> {
        if let Some(target) = targets.iter().find(|t| t.row as usize >= rows) {
            return Err(HeadError::Row {
                row: target.row,
                rows,
            });
        }
        let mut by_block: Vec<u32> = (0..targets.len() as u32).collect();
        by_block.sort_by_key(|&i| {
            let target = targets[i as usize];
            (target.token as usize / VOCAB_BLOCK, target.row, i)
        });
        Ok(Self {
            max: vec![f64::NEG_INFINITY; rows],
            sum: vec![0.0; rows],
            difference: vec![0.0; rows],
            targets: targets.to_vec(),
            by_block,
            logits: vec![f32::NAN; targets.len()],
            tokens: 0,
        })
    }

    /// Log-sum-exp of each row's logits.
    #[must_use]
    pub fn logsumexp(&self) -> Vec<f64> {
        self.max
            .iter()
            .zip(&self.sum)
            .map(|(max, sum)| max + libm::log(*sum))
            .collect()
    }

    /// Negative log-likelihood of each target, nats, in the order they were given; NaN for a token outside the
    /// vocabulary that went by.
    #[must_use]
    pub fn nll(&self) -> Vec<f64> {
        let lse = self.logsumexp();
        self.targets
            .iter()
            .zip(&self.logits)
            .map(|(target, &logit)| lse[target.row as usize] - f64::from(logit))
            .collect()
    }

    /// KL(this || base) of each row, nats. `base` went through the same slabs with KL asked for.
    #[must_use]
    pub fn kl(&self, base: &HeadSums) -> Vec<f64> {
        let (own, other) = (self.logsumexp(), base.logsumexp());
        (0..own.len())
            .map(|row| self.difference[row] / self.sum[row] - own[row] + other[row])
            .collect()
    }
}

/// Why a slab could not be taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HeadError {
    /// A target is at a row that does not exist.
    #[error("a target is at row {row} of a head with {rows} rows")]
    Row {
        /// The target's row.
        row: u32,
        /// Rows there are.
        rows: usize,
    },
    /// Shapes of a slab do not fit.
    #[error("head slab at token {first}: model {model}'s {what} is {found}, expected {expected}")]
    Shape {
        /// First token of the slab.
        first: usize,
        /// Index of the model.
        model: usize,
        /// Which size.
        what: &'static str,
        /// Size found.
        found: usize,
        /// Size expected.
        expected: usize,
    },
}

/// Takes the next slab of the vocabulary, for several models at once.
///
/// * `kl`: the first model is the base that the others' KL is against; all have the same rows
///
/// Slabs come in order; each but the last is a whole number of [`VOCAB_BLOCK`]s. Weights that several models share
/// (the same bytes) are widened once.
///
/// # Errors
/// `Shape` if a slab is out of order or sizes disagree.
///
/// # Panics
/// If rows were packed for another instruction set than `cpu`'s.
pub fn absorb(
    cpu: &Cpu,
    kl: bool,
    models: &[HeadModel<'_>],
    sums: &mut [HeadSums],
) -> Result<(), HeadError> {
    let Some(first) = sums.first().map(|s| s.tokens) else {
        return Ok(());
    };
    let tokens = models.first().map_or(0, |m| m.weights.rows());
    let check = |model, what, found: usize, expected: usize| {
        (found == expected).then_some(()).ok_or(HeadError::Shape {
            first,
            model,
            what,
            found,
            expected,
        })
    };
    check(0, "number of sums", sums.len(), models.len())?;
    for (i, (model, sum)) in models.iter().zip(sums.iter()).enumerate() {
        check(i, "first token", sum.tokens, first)?;
        check(
            i,
            "first token's place in its block",
            first % VOCAB_BLOCK,
            0,
        )?;
        check(i, "token count", model.weights.rows(), tokens)?;
        check(i, "hidden size", model.rows.cols, model.weights.cols())?;
        check(
            i,
            "row count",
            model.rows.rows,
            if kl {
                models[0].rows.rows
            } else {
                sum.max.len()
            },
        )?;
        check(i, "sums", sum.max.len(), model.rows.rows)?;
        if let Some((low, b)) = model.lora {
            check(i, "lora rows", low.rows, model.rows.rows)?;
            check(i, "lora rank", low.cols, b.cols())?;
            check(i, "lora token count", b.rows(), tokens)?;
        }
        let rows = model.lora.iter().map(|(low, _)| *low);
        for rows in rows.chain([model.rows]) {
            assert!(
                rows.chunks.iter().all(|c| c.are_for(cpu.isa())),
                "rows were packed for another instruction set than {}",
                cpu.isa().name()
            );
        }
        check(i, "bias", model.bias.map_or(tokens, <[f32]>::len), tokens)?;
    }
    cpu::absorb(cpu, kl, models, sums, first, tokens);
    Ok(())
}
