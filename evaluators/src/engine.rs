//! Layer-streamed evaluation: every layer's weights are read once for all tokens and all candidates of a pass.
//!
//! ```text
//! for chunk of rows:                          as many tokens as the memory limit allows
//!     for layer:                              bytes of layer i + 1 are read while layer i computes
//!         pack the base's weights once
//!         for candidate: hidden = layer(hidden)
//!     head: only tokens that a label or a KL position reads; logits never exist as a whole
//! ```
//!
//! Nothing that a row's numbers depend on is decided here: chunks, candidates and threads only change who waits.

mod cpu;
mod embed;
mod executor;
mod gpu;
mod head;
mod positions;
mod read_ahead;

use crate::layout::{Chunk, Row, RowOrder};
use crate::model::{Model, ModelError};
use executor::{HeadInput, ReadLayers, StepError};
use gradus_checkpoint::{BoundAdapter, Checkpoint, Owner, ReadTensorError, TensorInfo};
use gradus_kernels::device::DeviceError;
use read_ahead::read_ahead;
use thiserror::Error;

pub(crate) use cpu::CpuExecutor;
pub(crate) use executor::{Executor, Step};
pub use gpu::GpuWidthsError;
pub(crate) use gpu::{GpuExecutor, check_widths};

/// The model of one candidate, or of the base, within a group that shares weights.
pub(crate) struct Member {
    /// What it adds to the group's weights.
    pub(crate) adapter: Option<BoundAdapter>,
    /// Its tensors, where the adapter replaces some of the group's.
    own: Option<Model>,
    /// Why it is out.
    pub(crate) failure: Option<MemberError>,
}

/// Models that share one checkpoint's weights.
pub(crate) struct Group {
    pub(crate) model: Model,
    pub(crate) members: Vec<Member>,
    /// Place of its first rotary embedding among those of all the groups that share chunks.
    pub(crate) first_rope: usize,
}

/// Why one candidate is out.
#[derive(Debug, Error)]
pub(crate) enum MemberError {
    /// A tensor of the model, which may be the group's.
    #[error(transparent)]
    Read(#[from] ReadTensorError),
    /// A tensor of the adapter.
    #[error(transparent)]
    Adapter(ReadTensorError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(
        "token {id} of the data is not in the embedding, which has {rows} rows\nhelp: the vocabulary must cover the task's tokenizer"
    )]
    Token { id: u32, rows: usize },
    #[error(
        "token {id} of the data is not in the head, which has {rows} rows\nhelp: the vocabulary must cover the task's tokenizer"
    )]
    Target { id: u32, rows: usize },
    #[error(
        "the head has {found} rows and the base's {expected}: their distributions cannot be compared"
    )]
    Vocabulary { found: usize, expected: usize },
}

impl MemberError {
    /// Whose fault it is, for a candidate.
    pub(crate) fn owner(&self) -> Owner {
        match self {
            MemberError::Read(error) | MemberError::Adapter(error) => error.owner(),
            _ => Owner::Submission,
        }
    }
}

/// Why a pass stopped.
#[derive(Debug, Error)]
pub(crate) enum PassError {
    #[error("cancelled")]
    Cancelled,
    /// The group's own weights failed: every member is out.
    #[error(transparent)]
    Weights(MemberError),
    /// The base that the group is compared against failed.
    #[error(transparent)]
    Base(MemberError),
    /// The device cannot go on with this chunk.
    #[error(transparent)]
    Device(DeviceError),
}

impl From<ReadTensorError> for PassError {
    fn from(error: ReadTensorError) -> Self {
        PassError::Weights(error.into())
    }
}

/// A row's numbers for one member.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RowResult {
    /// Negative log-likelihood of each scored token, nats.
    pub nll: Vec<f64>,
    /// KL against the base at each KL position, nats.
    pub kl: Vec<f64>,
}

/// A part of the work, as the host sees it: a GPU may be up to two layers behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A chunk is embedded and goes through the layers.
    Layers,
    /// It waits until the next layer has been read.
    Read,
    /// Its tokens go through the vocabulary.
    Head,
    /// Everything is computed; buffers are given back.
    Close,
}

/// Told of work done, in floating point operations; may stop the pass.
pub(crate) trait Monitor {
    fn step(&mut self, flops: f64) -> Result<(), PassError>;

    /// A part begins.
    fn phase(&mut self, _: Phase) {}
}

/// The base's rows at the head, kept for candidates whose weights are their own.
pub(crate) struct BaseHead<R> {
    input: HeadInput<R>,
}

/// What a pass compares against.
pub(crate) enum Against<'a, R> {
    /// Nothing: likelihoods alone.
    Nothing,
    /// KL against the group's first member.
    First,
    /// KL against another group's base, from the same chunk.
    Base(&'a BaseHead<R>),
}

impl Member {
    /// A member that is the group's checkpoint itself.
    pub(crate) fn plain() -> Self {
        Self {
            adapter: None,
            own: None,
            failure: None,
        }
    }

    /// A member with an adapter on the group's checkpoint; one whose tensors do not fit is out at once.
    pub(crate) fn adapted(checkpoint: &Checkpoint, adapter: BoundAdapter) -> Self {
        let resolved = (!adapter.saved.is_empty())
            .then(|| Model::resolve(checkpoint, &adapter.saved))
            .transpose();
        let (own, failure) = match resolved {
            Ok(own) => (own, None),
            Err(error) => (None, Some(error.into())),
        };
        Self {
            adapter: Some(adapter),
            own,
            failure,
        }
    }

    /// Whether the adapter replaces whole tensors of layer `layer`.
    fn replaces_layer(&self, layer: usize) -> bool {
        let prefix = format!("model.layers.{layer}.");
        self.adapter
            .as_ref()
            .is_some_and(|a| a.saved.keys().any(|name| name.starts_with(&prefix)))
    }

    pub(crate) fn model<'a>(&'a self, group: &'a Model) -> &'a Model {
        self.own.as_ref().unwrap_or(group)
    }

    /// Puts the member out, unless the fault lies with a tensor that it shares with the whole group.
    fn put_out(
        &mut self,
        group: &Model,
        tensor: impl Fn(&Model) -> &TensorInfo,
        error: MemberError,
    ) -> Result<(), PassError> {
        let of_model = !matches!(error, MemberError::Adapter(_));
        if of_model && same_tensor(tensor(self.model(group)), tensor(group)) {
            return Err(PassError::Weights(error));
        }
        self.failure.get_or_insert(error);
        Ok(())
    }

    /// What a step gave; a failure that is the member's own puts it out.
    fn or_out<T>(
        &mut self,
        group: &Model,
        tensor: impl Fn(&Model) -> &TensorInfo,
        result: Result<T, StepError>,
    ) -> Result<Option<T>, PassError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(StepError::Device(error)) => Err(PassError::Device(error)),
            Err(StepError::Member(error)) => {
                self.put_out(group, tensor, error)?;
                Ok(None)
            }
        }
    }
}

impl PassError {
    /// Of a step that all members share.
    fn of_group(error: StepError) -> Self {
        match error {
            StepError::Member(error) => PassError::Weights(error),
            StepError::Device(error) => PassError::Device(error),
        }
    }
}

/// Whether both are the same bytes of the same file.
fn same_tensor(a: &TensorInfo, b: &TensorInfo) -> bool {
    a.path() == b.path() && a.stored_name() == b.stored_name()
}

/// What one pass found.
pub(crate) struct Pass<R> {
    /// A result per member and row of the chunk; `None` for a member that is out.
    pub(crate) results: Vec<Option<Vec<RowResult>>>,
    /// The first member's rows at the head.
    pub(crate) first: Option<BaseHead<R>>,
}

/// One pass of `chunk` through every member of `group`.
pub(crate) fn run_chunk<E: Executor>(
    executor: &mut E,
    group: &mut Group,
    chunk: &Chunk,
    against: &Against<'_, E::HeadRows>,
    monitor: &mut dyn Monitor,
) -> Result<Pass<E::HeadRows>, PassError> {
    monitor.phase(Phase::Layers);
    let mut inputs = forward(executor, group, chunk, monitor)?;
    monitor.phase(Phase::Head);
    let results = head::run(executor, group, chunk, against, &mut inputs, monitor)?;
    let first = inputs
        .into_iter()
        .next()
        .flatten()
        .map(|input| BaseHead { input });
    Ok(Pass { results, first })
}

/// Every member's rows at the head.
fn forward<E: Executor>(
    executor: &mut E,
    group: &mut Group,
    chunk: &Chunk,
    monitor: &mut dyn Monitor,
) -> Result<Vec<Option<HeadInput<E::HeadRows>>>, PassError> {
    let Group {
        model,
        members,
        first_rope,
    } = group;
    let mut hidden: Vec<Option<E::Hidden>> = Vec::with_capacity(members.len());
    for member in members.iter_mut() {
        hidden.push(match &member.failure {
            Some(_) => None,
            None => {
                let own = member.model(model);
                let embedded = executor.embed(own, member.adapter.as_ref(), chunk);
                member.or_out(model, |m| &m.embedding, embedded)?
            }
        });
    }
    let prepared = executor
        .prepare(model, chunk, *first_rope)
        .map_err(PassError::of_group)?;
    let flops = model.layer_flops(chunk.tokens()) + model.attention_flops(chunk.attended());
    let reader = &executor.reader();
    let jobs = model
        .layers
        .iter()
        .map(|tensors| move || reader.read(tensors));
    let passed = read_ahead(jobs, |layers| {
        for layer in 0..model.layers.len() {
            monitor.phase(Phase::Read);
            let layer_read = layers.next().expect("there is a job for each layer");
            monitor.phase(Phase::Layers);
            let taken = layer_read.and_then(|layer| executor.take_layer(layer));
            taken.map_err(PassError::of_group)?;
            for (member, hidden) in members.iter_mut().zip(&mut hidden) {
                let Some(states) = hidden.as_mut().filter(|_| member.failure.is_none()) else {
                    continue;
                };
                let step = Step {
                    model: member.model(model),
                    adapter: member.adapter.as_ref(),
                    layer,
                    replaced: member.replaces_layer(layer),
                    chunk,
                    first_rope: *first_rope,
                };
                match executor.step(step, &prepared, states) {
                    Ok(()) => monitor.step(flops)?,
                    Err(StepError::Device(error)) => return Err(PassError::Device(error)),
                    Err(StepError::Member(error)) => {
                        member.failure = Some(error);
                        *hidden = None;
                    }
                }
            }
        }
        Ok::<(), PassError>(())
    });
    executor.end_layers();
    passed?;
    let mut inputs = Vec::with_capacity(members.len());
    for (member, hidden) in members.iter_mut().zip(hidden) {
        inputs.push(match hidden {
            Some(hidden) if member.failure.is_none() => {
                let own = member.model(model);
                let rows = executor.head_rows(own, member.adapter.as_ref(), hidden);
                let rows = member.or_out(model, |m| &m.final_norm, rows)?;
                rows.map(|rows| HeadInput::new(member.model(model), rows))
            }
            _ => None,
        });
    }
    Ok(inputs)
}

/// Rows in the order of the chunks that [`run_chunk`] takes, for models that share chunks; their rotary embeddings are
/// numbered in this order.
pub(crate) fn order<'a>(models: &[&Model], rows: &'a [Row]) -> RowOrder<'a> {
    RowOrder::new(rows, |tokens| {
        models
            .iter()
            .flat_map(|m| m.ropes())
            .map(|rope| rope.class(tokens))
            .collect()
    })
}

#[cfg(test)]
mod tests;
