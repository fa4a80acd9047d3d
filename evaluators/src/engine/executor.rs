//! What computes a pass: processors, or a GPU.
//!
//! The streaming loop, failures, progress and the order of everything are the engine's; an executor owns the memory in which
//! hidden states wait and the kernels that change them. Every executor has a numeric contract of its own.

use super::{MemberError, Monitor, PassError};
use crate::layout::Chunk;
use crate::model::{LayerTensors, Model};
use gradus_checkpoint::{BoundAdapter, ReadTensorError, TensorInfo};
use gradus_kernels::cross_entropy::{LogitTransform, Target};
use gradus_kernels::device::DeviceError;

/// Reads layers for an executor, on a thread of its own, while it computes.
pub(crate) trait ReadLayers: Sync {
    /// A layer's weights on the host.
    type Layer: Send;

    fn read(&self, tensors: &LayerTensors) -> Result<Self::Layer, StepError>;
}

/// Computes the steps of a pass.
pub(crate) trait Executor {
    /// Reads what [`Executor::take_layer`] takes.
    type Reader: ReadLayers;
    /// What all layers of a pass over a chunk read: positions, rotary tables, segments.
    type Prepared;
    /// Hidden states of one member, `[tokens, hidden_size]`.
    type Hidden;
    /// One member's rows at the head, normalised, `[head tokens, hidden_size]`.
    type HeadRows;

    /// Takes what the layers of a pass read. `first_rope` is the place of the model's first rotary embedding in the chunk.
    fn prepare(
        &mut self,
        model: &Model,
        chunk: &Chunk,
        first_rope: usize,
    ) -> Result<Self::Prepared, StepError>;

    /// Hidden states of the chunk's tokens before the first layer.
    fn embed(
        &mut self,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        chunk: &Chunk,
    ) -> Result<Self::Hidden, StepError>;

    /// A reader of layers for one pass.
    fn reader(&self) -> Self::Reader;

    /// Takes the weights of the next layer, which all members share.
    fn take_layer(&mut self, layer: LayerOf<Self>) -> Result<(), StepError>;

    /// No more steps of the layer that was taken last: the pass goes on to the head, or has been given up.
    fn end_layers(&mut self) {}

    /// `hidden = layer(hidden)` for one member; in the last layer only tokens that the head needs come back.
    fn step(
        &mut self,
        step: Step<'_>,
        prepared: &Self::Prepared,
        hidden: &mut Self::Hidden,
    ) -> Result<(), StepError>;

    /// Normalises what the last layer left.
    fn head_rows(
        &mut self,
        model: &Model,
        adapter: Option<&BoundAdapter>,
        hidden: Self::Hidden,
    ) -> Result<Self::HeadRows, StepError>;

    /// Takes `models` through the vocabulary, which has the same number of tokens for all; numbers for each of them. With
    /// `kl`, the first one is the base that the others are compared with.
    ///
    /// An error names the model whose weights failed.
    fn head(
        &mut self,
        models: &[&HeadInput<Self::HeadRows>],
        targets: &[Target],
        kl: bool,
        monitor: &mut dyn Monitor,
    ) -> Result<Vec<HeadNumbers>, (usize, PassError)>;
}

/// What an executor's reader gives.
pub(crate) type LayerOf<E> = <<E as Executor>::Reader as ReadLayers>::Layer;

/// One layer of one member.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    /// The member's model.
    pub(crate) model: &'a Model,
    pub(crate) adapter: Option<&'a BoundAdapter>,
    pub(crate) layer: usize,
    /// The layer has weights of its own in place of those that were taken last.
    pub(crate) replaced: bool,
    pub(crate) chunk: &'a Chunk,
    /// Place of the model's first rotary embedding among those of all models that share the chunk.
    pub(crate) first_rope: usize,
}

/// One model at the head: its rows, and where its weights are.
pub(crate) struct HeadInput<R> {
    pub(crate) rows: R,
    pub(crate) weights: TensorInfo,
    pub(crate) transform: LogitTransform,
}

impl<R> HeadInput<R> {
    pub(crate) fn new(model: &Model, rows: R) -> Self {
        let c = &model.config;
        Self {
            rows,
            weights: model.head.clone(),
            transform: LogitTransform {
                scale: (1.0 / c.logits_scaling) as f32,
                soft_cap: c.final_logit_softcap.map(|cap| cap as f32),
                round_to_bf16: false,
            },
        }
    }

    /// Tokens that it has logits for.
    pub(crate) fn vocabulary(&self) -> usize {
        self.weights.num_rows()
    }
}

/// What the head says of one model.
pub(crate) struct HeadNumbers {
    /// Negative log-likelihood of each target, nats.
    pub(crate) nll: Vec<f64>,
    /// KL against the base at each row, nats; empty if it was not asked for.
    pub(crate) kl: Vec<f64>,
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) enum StepError {
    /// The member is out.
    Member(MemberError),
    /// The device cannot go on with this; another one, or less at a time, may.
    Device(DeviceError),
}

impl From<MemberError> for StepError {
    fn from(error: MemberError) -> Self {
        StepError::Member(error)
    }
}

impl From<ReadTensorError> for StepError {
    fn from(error: ReadTensorError) -> Self {
        StepError::Member(error.into())
    }
}

impl From<DeviceError> for StepError {
    fn from(error: DeviceError) -> Self {
        StepError::Device(error)
    }
}
