//! The engine's steps on a GPU: bf16 weights and inputs of products, f32 sums and residual stream.
//!
//! The host runs ahead of the device: the next layer is read into pinned memory, and the next adapter staged, while the device computes. It
//! waits only where every buffer of a ring is still to be copied, and at the end of a head.

mod adapter;
mod embed;
mod head;
mod layer;
mod matrix;
mod prepared;
mod weights;

use super::executor::{Executor, HeadInput, HeadNumbers, Step, StepError};
use super::{Monitor, PassError};
use crate::layout::Chunk;
use crate::model::Model;
use crate::plan::EMBEDDING_BLOCK;
use gradus_checkpoint::BoundAdapter;
use gradus_kernels::cross_entropy::Target;
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, Gpu, Sent, Stream, UploadRing,
    aligned_stride,
};
use head::GpuHeadRows;
pub use layer::GpuWidthsError;
pub(crate) use layer::check_widths;
use prepared::Prepared;
use std::sync::Arc;
use weights::{LayerPlan, LayerReader, StagedLayer};

/// Slots of each ring: one in use, one on its way.
const SLOTS: usize = 2;

/// Computes on one GPU.
pub(crate) struct GpuExecutor {
    stream: Stream,
    layers: UploadRing,
    /// Layers that one member has in place of the shared one.
    own: UploadRing,
    adapters: UploadRing,
    heads: UploadRing,
    embeddings: UploadRing,
    /// The layer that was taken last.
    current: Option<(LayerPlan, Sent)>,
    /// Tokens that go through projections and MLP at a time, at most.
    tile_tokens: usize,
    /// Bytes of the embedding's rows that are read at a time, but at least a row's.
    pub(super) embedding_block: usize,
}

/// Hidden states of one member: `[rows, hidden_size]` f32 in device memory.
pub(crate) struct States {
    buffer: DeviceBuffer<f32>,
    rows: usize,
    cols: usize,
}

impl States {
    fn alloc(stream: &Stream, rows: usize, cols: usize) -> Result<Self, DeviceError> {
        let buffer = stream.alloc("hidden states", rows * aligned_stride(cols))?;
        Ok(Self { buffer, rows, cols })
    }

    fn rows(&self) -> Result<DeviceRows<'_, f32>, DeviceError> {
        DeviceRows::new(
            self.buffer.view(),
            self.rows,
            self.cols,
            aligned_stride(self.cols),
        )
    }

    fn rows_mut(&mut self) -> Result<DeviceRowsMut<'_, f32>, DeviceError> {
        let (rows, cols) = (self.rows, self.cols);
        DeviceRowsMut::new(self.buffer.view_mut(), rows, cols, aligned_stride(cols))
    }
}

impl GpuExecutor {
    /// On `gpu`, with at most `tile_tokens` tokens through projections and MLP at a time; it decides memory and changes no bit.
    pub(crate) fn new(gpu: &Arc<Gpu>, tile_tokens: usize) -> Result<Self, DeviceError> {
        Ok(Self {
            stream: gpu.stream()?,
            layers: UploadRing::new(gpu, "layers", SLOTS)?,
            own: UploadRing::new(gpu, "layers of one candidate", 1)?,
            adapters: UploadRing::new(gpu, "adapters", SLOTS)?,
            heads: UploadRing::new(gpu, "head weights", SLOTS)?,
            embeddings: UploadRing::new(gpu, "embedding rows", SLOTS)?,
            current: None,
            tile_tokens: tile_tokens.max(1),
            embedding_block: EMBEDDING_BLOCK,
        })
    }
}

#[cfg(test)]
impl GpuExecutor {
    fn rings(&self) -> [&UploadRing; 5] {
        [
            &self.layers,
            &self.own,
            &self.adapters,
            &self.heads,
            &self.embeddings,
        ]
    }

    /// Slots and pinned buffers that somebody holds.
    pub(super) fn held(&self) -> usize {
        let of = |ring: &UploadRing| ring.slots_in_use() + ring.staging().held();
        self.rings().into_iter().map(of).sum()
    }

    /// Pinned bytes of layers, one candidate's layers, adapters, heads, the embedding.
    pub(super) fn pinned(&self) -> [usize; 5] {
        self.rings().map(|ring| ring.staging().size_bytes())
    }
}

impl Executor for GpuExecutor {
    type Reader = LayerReader;
    type Prepared = Prepared;
    type Hidden = States;
    type HeadRows = GpuHeadRows;

    fn prepare(
        &mut self,
        model: &Model,
        chunk: &Chunk,
        first_rope: usize,
    ) -> Result<Prepared, StepError> {
        Ok(Prepared::new(&self.stream, model, chunk, first_rope)?)
    }

    fn embed(
        &mut self,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        chunk: &Chunk,
    ) -> Result<States, StepError> {
        self.embedded(model, adapter, chunk)
    }

    fn reader(&self) -> LayerReader {
        LayerReader(self.layers.staging().clone())
    }

    fn take_layer(&mut self, layer: StagedLayer) -> Result<(), StepError> {
        self.current = None;
        let sent = self.layers.send_staged(layer.staged, &self.stream)?;
        self.current = Some((layer.plan, sent));
        Ok(())
    }

    fn end_layers(&mut self) {
        self.current = None;
    }

    fn step(
        &mut self,
        step: Step<'_>,
        prepared: &Prepared,
        hidden: &mut States,
    ) -> Result<(), StepError> {
        self.forward(step, prepared, hidden)
    }

    fn head_rows(
        &mut self,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        hidden: States,
    ) -> Result<GpuHeadRows, StepError> {
        GpuHeadRows::new(&self.stream, model, adapter, hidden)
    }

    fn head(
        &mut self,
        models: &[&HeadInput<GpuHeadRows>],
        targets: &[Target],
        kl: bool,
        monitor: &mut dyn Monitor,
    ) -> Result<Vec<HeadNumbers>, (usize, PassError)> {
        head::stream(&self.stream, &mut self.heads, models, targets, kl, monitor)
    }
}
