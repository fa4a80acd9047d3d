//! The engine's steps on a GPU: bf16 weights and inputs of products, f32 sums and residual stream.
//!
//! The host runs ahead of the device: it stages the next layer, and the next adapter, while the device computes. It waits only
//! where a slot of the rings is still in use, and at the end of a head.

mod adapter;
mod head;
mod layer;
mod matrix;
mod prepared;
mod weights;

use super::embed::Table;
use super::executor::{Executor, HeadInput, HeadNumbers, Step, StepError};
use super::{Monitor, PassError};
use crate::layout::Chunk;
use crate::model::Model;
use crate::weights::LayerBytes;
use gradus_checkpoint::BoundAdapter;
use gradus_kernels::cross_entropy::Target;
use gradus_kernels::device::{
    DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, Gpu, Sent, Stream, UploadRing,
    aligned_stride,
};
use gradus_kernels::embedding::device::embedding;
use head::GpuHeadRows;
use prepared::Prepared;
use std::sync::Arc;
use weights::LayerPlan;

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
    /// The layer that was taken last.
    current: Option<(LayerPlan, Sent)>,
    /// Tokens that go through projections and MLP at a time, at most.
    tile_tokens: usize,
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
            current: None,
            tile_tokens: tile_tokens.max(1),
        })
    }
}

impl Executor for GpuExecutor {
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
        let width = model.config.hidden_size;
        let table = Table::read(model, adapter, &chunk.ids)?;
        let stride = aligned_stride(width);
        let values = matrix::with_stride(table.values, width, stride);
        let values = self.stream.upload("embedding rows", &values)?;
        let values = DeviceRows::new(values.view(), table.rows, width, stride)?;
        let places = self
            .stream
            .upload("places in the embedding", &table.places)?;
        let mut hidden = States::alloc(&self.stream, chunk.tokens(), width)?;
        let scale = model.embedding_scale();
        embedding(
            &self.stream,
            values,
            places.view(),
            scale,
            hidden.rows_mut()?,
        )?;
        Ok(hidden)
    }

    fn take_layer(&mut self, bytes: LayerBytes) -> Result<(), StepError> {
        if let Some((_, sent)) = self.current.take() {
            self.layers.release(sent, &self.stream)?;
        }
        let plan = LayerPlan::new(&bytes);
        let sent = self
            .layers
            .send(plan.size_bytes(), |out| plan.fill(&bytes, out))?;
        self.layers.wait(sent, &self.stream)?;
        self.current = Some((plan, sent));
        Ok(())
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
