//! Token embedding: rows of a table, widened to f32.
//!
//! A multiplier is applied in f32 (Gemma: the square root of `hidden_size`; Granite: `embedding_multiplier`).
//! transformers rounds Gemma's to the dtype of the table, so that for bf16 a hidden size of 2304 is scaled by 48
//! exactly and one of 1152 by 34.0 instead of 33.94; evaluated from the same files in f64 it is the root itself,
//! and so it is here.
//!
//! **Determinism.** Widening is exact and the product is rounded once.

mod cpu;
pub mod device;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::params::Params;
use crate::simd::Isa;
use cpu::Widen;
use thiserror::Error;

/// Why tokens could not be embedded.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EmbeddingError {
    /// A token is not in the table.
    #[error("token {token_idx} has id {id}, but the embedding has {rows} rows")]
    Id {
        /// Which of `ids`.
        token_idx: usize,
        /// The id.
        id: u32,
        /// Rows of the table.
        rows: usize,
    },
    /// The output has another size.
    #[error("embedding {tokens} tokens of {cols} values: out has {found} values")]
    Shape {
        /// Tokens.
        tokens: usize,
        /// Columns of the table.
        cols: usize,
        /// Values of out.
        found: usize,
    },
}

/// `out[t] = table[ids[t]] * multiplier`, on the calling thread.
///
/// * `table`: `[vocab_size, hidden_size]`, as stored
/// * `ids`: `[tokens]`
/// * `out`: `[tokens, hidden_size]`, f32, overwritten
///
/// # Errors
/// `Shape` if `out` has another size; `Id` for the first id that is not in the table, before anything is written.
pub fn embedding(
    isa: Isa,
    table: Params<'_>,
    ids: &[u32],
    multiplier: f32,
    out: &mut [f32],
) -> Result<(), EmbeddingError> {
    let (rows, cols) = (table.rows(), table.cols());
    if ids.len().checked_mul(cols) != Some(out.len()) {
        return Err(EmbeddingError::Shape {
            tokens: ids.len(),
            cols,
            found: out.len(),
        });
    }
    if let Some(token_idx) = ids.iter().position(|&id| id as usize >= rows) {
        return Err(EmbeddingError::Id {
            token_idx,
            id: ids[token_idx],
            rows,
        });
    }
    if cols == 0 {
        return Ok(());
    }
    for (&id, out) in ids.iter().zip(out.chunks_exact_mut(cols)) {
        let row = table.slice_rows(id as usize..id as usize + 1);
        isa.dispatch(Widen {
            row,
            multiplier,
            out,
        });
    }
    Ok(())
}
