//! Rows of the embedding that a chunk uses, as one member has them.

use super::MemberError;
use crate::model::Model;
use crate::weights::Stored;
use gradus_checkpoint::{BoundAdapter, EmbeddingLora, ReadTensorError, TensorInfo};

/// The distinct rows of the embedding that some tokens use.
pub(crate) struct Table {
    /// `[rows, hidden_size]`
    pub(crate) values: Vec<f32>,
    pub(crate) rows: usize,
    /// Row of each token.
    pub(crate) places: Vec<u32>,
}

impl Table {
    /// Reads the rows of `ids`, with what the adapter adds to them.
    pub(crate) fn read(
        model: &Model,
        adapter: Option<&BoundAdapter>,
        ids: &[u32],
    ) -> Result<Self, MemberError> {
        let width = model.config.hidden_size;
        let (unique, places) = distinct(&model.embedding, ids)?;
        let mut values = read_rows(&model.embedding, &unique, width)?;
        if let Some(addition) = Addition::read(adapter)? {
            addition.add(&mut values, &unique, width);
        }
        Ok(Self {
            values,
            rows: unique.len(),
            places,
        })
    }
}

/// The distinct of `ids`, ascending, and the place of each of `ids` among them.
pub(crate) fn distinct(
    embedding: &TensorInfo,
    ids: &[u32],
) -> Result<(Vec<u32>, Vec<u32>), MemberError> {
    let rows = embedding.num_rows();
    let most = ids.iter().copied().max();
    if let Some(id) = most.filter(|&id| id as usize >= rows) {
        return Err(MemberError::Token { id, rows });
    }
    let mut used = vec![false; most.map_or(0, |id| id as usize + 1)];
    for &id in ids {
        used[id as usize] = true;
    }
    let (mut distinct, mut place) = (Vec::new(), vec![0; used.len()]);
    for (id, _) in used.iter().enumerate().filter(|(_, used)| **used) {
        place[id] = distinct.len() as u32;
        distinct.push(id as u32);
    }
    let places = ids.iter().map(|&id| place[id as usize]).collect();
    Ok((distinct, places))
}

/// Rows `ids` (ascending) of `tensor`, widened; neighbours are read together.
pub(crate) fn read_rows(
    tensor: &TensorInfo,
    ids: &[u32],
    width: usize,
) -> Result<Vec<f32>, ReadTensorError> {
    let mut table = Vec::with_capacity(ids.len() * width);
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    for run in ids.chunk_by(|a, b| a + 1 == *b) {
        let first = run[0] as usize;
        tensor.read_rows_f32(first..first + run.len(), &mut bytes, &mut values)?;
        table.extend_from_slice(&values);
    }
    Ok(table)
}

/// What an adapter adds to rows of the embedding.
pub(crate) struct Addition {
    /// `[rank, vocab_size]`
    a: Stored,
    /// `[hidden_size, rank]`
    b: Vec<f32>,
    rank: usize,
    scale: f32,
}

impl Addition {
    /// Of `adapter`, if it trains the embedding.
    pub(crate) fn read(adapter: Option<&BoundAdapter>) -> Result<Option<Self>, MemberError> {
        let read = |lora: &EmbeddingLora| {
            Ok(Self {
                a: Stored::read_all(&lora.a)?,
                b: Stored::read_all(&lora.b)?.view().to_f32(),
                rank: lora.rank,
                scale: lora.scale as f32,
            })
        };
        let lora = adapter.and_then(|adapter| adapter.embedding.as_ref());
        lora.map(read).transpose().map_err(MemberError::Adapter)
    }

    /// `table[i] += scale * B A[:, ids[i]]`, for rows of `width` values.
    pub(crate) fn add(&self, table: &mut [f32], ids: &[u32], width: usize) {
        let a = self.a.view();
        for (row, &id) in table.chunks_exact_mut(width).zip(ids) {
            let low: Vec<f32> = (0..self.rank)
                .map(|r| self.scale * a.get(r, id as usize))
                .collect();
            for (value, b) in row.iter_mut().zip(self.b.chunks_exact(self.rank)) {
                *value += b.iter().zip(&low).map(|(b, low)| b * low).sum::<f32>();
            }
        }
    }
}
