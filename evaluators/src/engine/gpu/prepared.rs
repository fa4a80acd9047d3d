//! What all layers of a pass over a chunk read, in device memory.

use crate::engine::positions::{position_scale, rope_tables};
use crate::layout::Chunk;
use crate::model::Model;
use gradus_kernels::attention::device::DeviceSegments;
use gradus_kernels::device::{DeviceBuffer, DeviceError, Stream};
use gradus_kernels::rope::LengthClass;
use gradus_kernels::rope::device::DeviceRopeTable;
use std::collections::BTreeMap;

/// Positions, tables, segments.
pub(crate) struct Prepared {
    pub(super) positions: DeviceBuffer<u32>,
    pub(super) segments: DeviceSegments,
    pub(super) last_segments: DeviceSegments,
    pub(super) head_tokens: DeviceBuffer<u32>,
    /// One map per rotary embedding.
    pub(super) tables: Vec<BTreeMap<LengthClass, DeviceRopeTable>>,
    /// Factor of each token's queries, where the family has one.
    pub(super) query_factors: Option<DeviceBuffer<f32>>,
}

impl Prepared {
    pub(super) fn new(
        stream: &Stream,
        model: &Model,
        chunk: &Chunk,
        first_rope: usize,
    ) -> Result<Self, DeviceError> {
        let tables = rope_tables(model, chunk, first_rope)
            .into_iter()
            .map(|tables| {
                tables
                    .into_iter()
                    .map(|(class, table)| Ok((class, DeviceRopeTable::upload(stream, &table)?)))
                    .collect::<Result<_, DeviceError>>()
            })
            .collect::<Result<_, DeviceError>>()?;
        let head_tokens: Vec<u32> = chunk.head_tokens.iter().map(|&t| t as u32).collect();
        let query_factors = model
            .config
            .query_position_scale
            .map(|scale| {
                let factors: Vec<f32> = chunk
                    .positions
                    .iter()
                    .map(|&p| position_scale(scale, p))
                    .collect();
                stream.upload("factors of queries", &factors)
            })
            .transpose()?;
        Ok(Self {
            positions: stream.upload("positions", &chunk.positions)?,
            segments: DeviceSegments::new(stream, &chunk.segments)?,
            last_segments: DeviceSegments::new(stream, &chunk.last_segments)?,
            head_tokens: stream.upload("tokens of the head", &head_tokens)?,
            tables,
            query_factors,
        })
    }
}
