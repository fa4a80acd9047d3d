//! The engine's steps on processors.

mod embed;
mod head;
mod layer;

use super::executor::{Executor, HeadInput, HeadNumbers, ReadLayers, Step, StepError};
use super::positions::{RopeTables, rope_tables};
use super::{Monitor, PassError};
use crate::layout::Chunk;
use crate::model::{LayerTensors, Model};
use crate::weights::{LayerBytes, LayerDelta, PackedLayer};
use gradus_checkpoint::BoundAdapter;
use gradus_kernels::Cpu;
use gradus_kernels::cross_entropy::Target;
use head::CpuHeadRows;
use layer::{Buffers, Layer};

/// Computes on a pool of threads, in f32.
pub(crate) struct CpuExecutor<'a> {
    cpu: &'a Cpu,
    buffers: Buffers,
    packed: PackedLayer,
    /// The bytes that `packed` was made of.
    bytes: Option<LayerBytes>,
    /// A layer that one member has in place of the shared one.
    own: PackedLayer,
}

impl<'a> CpuExecutor<'a> {
    pub(crate) fn new(cpu: &'a Cpu) -> Self {
        Self {
            cpu,
            buffers: Buffers::new(cpu),
            packed: PackedLayer::default(),
            bytes: None,
            own: PackedLayer::default(),
        }
    }
}

/// Reads layers into ordinary memory.
pub(crate) struct Reader;

impl ReadLayers for Reader {
    type Layer = LayerBytes;

    fn read(&self, tensors: &LayerTensors) -> Result<LayerBytes, StepError> {
        Ok(LayerBytes::read(tensors)?)
    }
}

impl Executor for CpuExecutor<'_> {
    type Reader = Reader;
    type Prepared = RopeTables;
    type Hidden = Vec<f32>;
    type HeadRows = CpuHeadRows;

    fn prepare(
        &mut self,
        model: &Model,
        chunk: &Chunk,
        first_rope: usize,
    ) -> Result<RopeTables, StepError> {
        Ok(rope_tables(model, chunk, first_rope))
    }

    fn embed(
        &mut self,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        chunk: &Chunk,
    ) -> Result<Vec<f32>, StepError> {
        Ok(embed::embed(self.cpu, model, adapter, &chunk.ids)?)
    }

    fn reader(&self) -> Reader {
        Reader
    }

    fn take_layer(&mut self, bytes: LayerBytes) -> Result<(), StepError> {
        self.packed.pack(self.cpu, &bytes);
        self.bytes = Some(bytes);
        Ok(())
    }

    fn step(
        &mut self,
        step: Step<'_>,
        tables: &RopeTables,
        hidden: &mut Vec<f32>,
    ) -> Result<(), StepError> {
        let own;
        let (weights, bytes) = if step.replaced {
            own = LayerBytes::read(&step.model.layers[step.layer])?;
            self.own.pack(self.cpu, &own);
            (&self.own, &own)
        } else {
            let bytes = self
                .bytes
                .as_ref()
                .expect("a layer was taken before its steps");
            (&self.packed, bytes)
        };
        let delta = match step.adapter {
            Some(adapter) => LayerDelta::read(self.cpu, step.model, step.layer, bytes, adapter)?,
            None => LayerDelta::default(),
        };
        let layer = Layer {
            model: step.model,
            index: step.layer,
            weights,
            delta: &delta,
            chunk: step.chunk,
            tables,
            first_rope: step.first_rope,
        };
        layer.forward(self.cpu, &mut self.buffers, hidden);
        Ok(())
    }

    fn head_rows(
        &mut self,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        hidden: Vec<f32>,
    ) -> Result<CpuHeadRows, StepError> {
        Ok(CpuHeadRows::new(self.cpu, model, adapter, hidden)?)
    }

    fn head(
        &mut self,
        models: &[&HeadInput<CpuHeadRows>],
        targets: &[Target],
        kl: bool,
        monitor: &mut dyn Monitor,
    ) -> Result<Vec<HeadNumbers>, (usize, PassError)> {
        head::stream(self.cpu, models, targets, kl, monitor)
    }
}
