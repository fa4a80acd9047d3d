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
        if let Some(lora) = adapter.and_then(|a| a.embedding.as_ref()) {
            add_lora(&mut values, lora, &unique, width).map_err(MemberError::Adapter)?;
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
fn read_rows(tensor: &TensorInfo, ids: &[u32], width: usize) -> Result<Vec<f32>, ReadTensorError> {
    let mut table = Vec::with_capacity(ids.len() * width);
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    for run in ids.chunk_by(|a, b| a + 1 == *b) {
        let first = run[0] as usize;
        tensor.read_rows_f32(first..first + run.len(), &mut bytes, &mut values)?;
        table.extend_from_slice(&values);
    }
    Ok(table)
}

/// `table[i] += scale * B A[:, ids[i]]`
fn add_lora(
    table: &mut [f32],
    lora: &EmbeddingLora,
    ids: &[u32],
    width: usize,
) -> Result<(), ReadTensorError> {
    let (a, b) = (Stored::read_all(&lora.a)?, Stored::read_all(&lora.b)?);
    let (a, b) = (a.view(), b.view());
    let b32 = b.to_f32();
    let scale = lora.scale as f32;
    for (row, &id) in table.chunks_exact_mut(width).zip(ids) {
        let low: Vec<f32> = (0..lora.rank)
            .map(|r| scale * a.get(r, id as usize))
            .collect();
        for (value, b) in row.iter_mut().zip(b32.chunks_exact(lora.rank)) {
            *value += b.iter().zip(&low).map(|(b, low)| b * low).sum::<f32>();
        }
    }
    Ok(())
}
