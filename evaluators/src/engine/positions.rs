//! What depends on a token's place in its row: rotary tables, and the factor of queries that some families have.

use crate::layout::Chunk;
use crate::model::Model;
use gradus_checkpoint::config::PositionScale;
use gradus_kernels::rope::{LengthClass, RopeTable};
use std::collections::BTreeMap;

/// Rotary tables of a chunk, one map per rotary embedding.
pub(crate) type RopeTables = Vec<BTreeMap<LengthClass, RopeTable>>;

/// Tables for every length class in `chunk`, of `model`'s rotary embeddings, the first of which is number `first_rope`.
pub(crate) fn rope_tables(model: &Model, chunk: &Chunk, first_rope: usize) -> RopeTables {
    model
        .ropes()
        .zip(&chunk.classes[first_rope..])
        .map(|(rope, classes)| {
            let mut longest: BTreeMap<LengthClass, usize> = BTreeMap::new();
            for (range, class) in classes {
                let positions = chunk.positions[range.clone()]
                    .iter()
                    .max()
                    .map_or(0, |&p| p as usize + 1);
                let entry = longest.entry(*class).or_default();
                *entry = positions.max(*entry);
            }
            longest
                .into_iter()
                .map(|(class, positions)| (class, RopeTable::new(rope, class, positions)))
                .collect()
        })
        .collect()
}

/// `1 + beta * ln(1 + floor(position / original_max))`
pub(crate) fn position_scale(scale: PositionScale, position: u32) -> f32 {
    let periods = (position as usize / scale.original_max) as f64;
    (1.0 + scale.beta * libm::log1p(periods)) as f32
}
