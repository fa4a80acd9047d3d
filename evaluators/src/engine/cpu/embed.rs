//! Tokens to hidden states on the CPU.

use crate::engine::MemberError;
use crate::engine::embed::Table;
use crate::model::Model;
use gradus_checkpoint::BoundAdapter;
use gradus_kernels::embedding::embedding;
use gradus_kernels::{Cpu, Params};
use rayon::prelude::*;

/// `[tokens, hidden_size]`
pub(super) fn embed(
    cpu: &Cpu,
    model: &Model,
    adapter: Option<&BoundAdapter>,
    ids: &[u32],
) -> Result<Vec<f32>, MemberError> {
    let width = model.config.hidden_size;
    let table = Table::read(model, adapter, ids)?;
    let values = Params::from_f32(&table.values, table.rows, width);
    let (isa, scale) = (cpu.isa(), model.embedding_scale());
    let mut hidden = vec![0.0; ids.len() * width];
    const BLOCK: usize = 256;
    cpu.run(|| {
        hidden
            .par_chunks_mut(BLOCK * width)
            .zip(table.places.par_chunks(BLOCK))
            .for_each(|(out, places)| {
                embedding(isa, values, places, scale, out).expect("every place is in the table")
            });
    });
    Ok(hidden)
}
