//! Hidden states before the first layer, on the GPU.

use super::{GpuExecutor, States};
use crate::engine::MemberError;
use crate::engine::embed::{Addition, distinct, read_rows};
use crate::engine::executor::StepError;
use crate::layout::Chunk;
use crate::model::Model;
use crate::weights::param_dtype;
use gradus_checkpoint::{BoundAdapter, ReadTensorError, TensorInfo};
use gradus_kernels::ParamDtype;
use gradus_kernels::device::{DeviceRows, aligned_stride};
use gradus_kernels::embedding::device::embedding;
use half::{bf16, f16};
use rayon::prelude::*;

/// Rows that one thread reads.
const ROWS: usize = 128;

/// How rows of the embedding go to the device.
enum Form {
    Stored,
    /// In f32, an adapter's addition included, at an aligned stride.
    Widened(Option<Addition>),
}

impl GpuExecutor {
    /// The rows of the embedding that the chunk uses go to the device once, a block at a time, then to where tokens are.
    pub(super) fn embedded(
        &mut self,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        chunk: &Chunk,
    ) -> Result<States, StepError> {
        let tensor = &model.embedding;
        let width = model.config.hidden_size;
        let mut stride = width;
        let mut dtype = param_dtype(tensor.dtype);
        let mut form = Form::Stored;
        if adapter.is_some_and(|a| a.embedding.is_some()) || aligned_stride(width) != width {
            form = Form::Widened(Addition::read(adapter)?);
            (stride, dtype) = (aligned_stride(width), ParamDtype::F32);
        }
        let mut hidden = States::alloc(&self.stream, chunk.tokens(), width)?;
        let (ids, places) = distinct(tensor, &chunk.ids)?;
        let row_bytes = stride * dtype.size_bytes();
        let mut table = self
            .stream
            .alloc::<u8>("embedding rows", ids.len() * row_bytes)?;
        let block = (self.embedding_block / row_bytes).max(1);
        for (i, ids) in ids.chunks(block).enumerate() {
            let mut staged = self.embeddings.staging().take(ids.len() * row_bytes)?;
            form.read(tensor, ids, width, staged.bytes_mut())?;
            let sent = self.embeddings.send_staged(staged, &self.stream)?;
            let first = i * block * row_bytes;
            let mut part = table.slice_mut(first..first + ids.len() * row_bytes);
            self.stream.copy(self.embeddings.view(&sent), &mut part)?;
        }
        let places = self.stream.upload("places in the embedding", &places)?;
        let (rows, table, places) = (ids.len(), table.view(), places.view());
        let (stream, scale, out) = (&self.stream, model.embedding_scale(), hidden.rows_mut()?);
        match dtype {
            ParamDtype::Bf16 => {
                let table = DeviceRows::new(table.values::<bf16>(), rows, width, stride)?;
                embedding(stream, table, places, scale, out)?;
            }
            ParamDtype::F16 => {
                let table = DeviceRows::new(table.values::<f16>(), rows, width, stride)?;
                embedding(stream, table, places, scale, out)?;
            }
            ParamDtype::F32 => {
                let table = DeviceRows::new(table.values::<f32>(), rows, width, stride)?;
                embedding(stream, table, places, scale, out)?;
            }
        }
        Ok(hidden)
    }
}

impl Form {
    /// Rows `ids` (ascending) of `tensor`.
    fn read(
        &self,
        tensor: &TensorInfo,
        ids: &[u32],
        width: usize,
        out: &mut [u8],
    ) -> Result<(), MemberError> {
        let Form::Widened(addition) = self else {
            return Ok(read(tensor, ids, out)?);
        };
        let mut values = read_rows(tensor, ids, width)?;
        if let Some(addition) = addition {
            addition.add(&mut values, ids, width);
        }
        let rows = out.chunks_exact_mut(4 * aligned_stride(width));
        for (out, row) in rows.zip(values.chunks_exact(width)) {
            let (own, rest) = out.split_at_mut(4 * width);
            for (out, value) in own.chunks_exact_mut(4).zip(row) {
                out.copy_from_slice(&value.to_le_bytes());
            }
            rest.fill(0);
        }
        Ok(())
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
