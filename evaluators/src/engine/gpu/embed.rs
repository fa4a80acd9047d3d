//! Hidden states before the first layer, on the GPU.

use super::{GpuExecutor, States, matrix};
use crate::engine::MemberError;
use crate::engine::embed::{Table, distinct};
use crate::engine::executor::StepError;
use crate::layout::Chunk;
use crate::model::Model;
use crate::weights::param_dtype;
use gradus_checkpoint::{BoundAdapter, ReadTensorError, TensorInfo};
use gradus_kernels::ParamDtype;
use gradus_kernels::device::{DeviceBuffer, DeviceRows, aligned_stride};
use gradus_kernels::embedding::device::embedding;
use half::{bf16, f16};
use rayon::prelude::*;

/// Rows that one thread reads.
const ROWS: usize = 256;

impl GpuExecutor {
    /// The rows of the embedding that the chunk uses go to the device once, then to where tokens are.
    pub(super) fn embedded(
        &mut self,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        chunk: &Chunk,
    ) -> Result<States, StepError> {
        let width = model.config.hidden_size;
        let stride = aligned_stride(width);
        let mut hidden = States::alloc(&self.stream, chunk.tokens(), width)?;
        let scale = model.embedding_scale();
        let adapted = adapter.is_some_and(|adapter| adapter.embedding.is_some());
        if adapted || stride != width {
            let table = Table::read(model, adapter, &chunk.ids)?;
            let values = matrix::with_stride(table.values, width, stride);
            let values = self.stream.upload("embedding rows", &values)?;
            let values = DeviceRows::new(values.view(), table.rows, width, stride)?;
            let places = self.places(&table.places)?;
            embedding(
                &self.stream,
                values,
                places.view(),
                scale,
                hidden.rows_mut()?,
            )?;
            return Ok(hidden);
        }
        let (ids, places) = distinct(&model.embedding, &chunk.ids)?;
        let row_bytes = width * param_dtype(model.embedding.dtype).size_bytes();
        let mut staged = self.embeddings.staging().take(ids.len() * row_bytes)?;
        read(&model.embedding, &ids, staged.bytes_mut()).map_err(MemberError::from)?;
        let sent = self.embeddings.send_staged(staged, &self.stream)?;
        let places = self.places(&places)?;
        let (rows, stored) = (ids.len(), self.embeddings.view(&sent));
        let out = hidden.rows_mut()?;
        let (stream, places) = (&self.stream, places.view());
        match param_dtype(model.embedding.dtype) {
            ParamDtype::Bf16 => {
                let table = DeviceRows::new(stored.values::<bf16>(), rows, width, width)?;
                embedding(stream, table, places, scale, out)?;
            }
            ParamDtype::F16 => {
                let table = DeviceRows::new(stored.values::<f16>(), rows, width, width)?;
                embedding(stream, table, places, scale, out)?;
            }
            ParamDtype::F32 => {
                let table = DeviceRows::new(stored.values::<f32>(), rows, width, width)?;
                embedding(stream, table, places, scale, out)?;
            }
        }
        Ok(hidden)
    }

    fn places(&self, places: &[u32]) -> Result<DeviceBuffer<u32>, StepError> {
        Ok(self.stream.upload("places in the embedding", places)?)
    }
}

/// Rows `ids` (ascending), as stored, by all threads; neighbours are read together. Refuses NaN and infinities.
fn read(tensor: &TensorInfo, ids: &[u32], out: &mut [u8]) -> Result<(), ReadTensorError> {
    let reader = tensor.reader()?;
    let row_bytes = reader.row_bytes();
    let read = |(ids, mut out): (&[u32], &mut [u8])| {
        for run in ids.chunk_by(|a, b| a + 1 == *b) {
            let first = run[0] as usize;
            let (own, rest) = out.split_at_mut(run.len() * row_bytes);
            reader.read_finite(first..first + run.len(), own)?;
            out = rest;
        }
        Ok(())
    };
    let read: Vec<Result<(), ReadTensorError>> = ids
        .par_chunks(ROWS)
        .zip(out.par_chunks_mut(ROWS * row_bytes))
        .map(read)
        .collect();
    read.into_iter().collect()
}
