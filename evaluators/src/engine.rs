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

mod embed;
mod head;
mod layer;
mod read_ahead;

use crate::layout::{Chunk, Row, RowOrder};
use crate::model::{Model, ModelError};
use crate::weights::{LayerBytes, LayerDelta, PackedLayer};
use gradus_checkpoint::{BoundAdapter, Checkpoint, Owner, ReadTensorError};
use gradus_kernels::Cpu;
use head::HeadInput;
use layer::{Buffers, Layer, rope_tables};
use read_ahead::read_ahead;
use thiserror::Error;

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
    #[error(transparent)]
    Read(#[from] ReadTensorError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(
        "token {id} of the data is not in the embedding, which has {rows} rows\nhelp: the vocabulary must cover the task's tokenizer"
    )]
    Token { id: u32, rows: usize },
    #[error(
        "the head has {found} rows and the base's {expected}: their distributions cannot be compared"
    )]
    Vocabulary { found: usize, expected: usize },
}

impl MemberError {
    /// Whose fault it is, for a candidate.
    pub(crate) fn owner(&self) -> Owner {
        match self {
            MemberError::Read(error) => error.owner(),
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
    Weights(#[from] ReadTensorError),
}

/// A row's numbers for one member.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RowResult {
    /// Negative log-likelihood of each scored token, nats.
    pub nll: Vec<f64>,
    /// KL against the base at each KL position, nats.
    pub kl: Vec<f64>,
}

/// Told of work done, in floating point operations; may stop the pass.
pub(crate) trait Monitor {
    fn step(&mut self, flops: f64) -> Result<(), PassError>;
}

/// The base's rows at the head, kept for candidates whose weights are their own.
pub(crate) struct BaseHead {
    input: HeadInput,
}

/// What a pass compares against.
pub(crate) enum Against<'a> {
    /// Nothing: likelihoods alone.
    Nothing,
    /// KL against the group's first member.
    First,
    /// KL against another group's base, from the same chunk.
    Base(&'a BaseHead),
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
}

/// Buffers that chunks share.
pub(crate) struct Workspace {
    buffers: Buffers,
    packed: PackedLayer,
    own: PackedLayer,
}

impl Workspace {
    pub(crate) fn new(cpu: &Cpu) -> Self {
        Self {
            buffers: Buffers::new(cpu),
            packed: PackedLayer::default(),
            own: PackedLayer::default(),
        }
    }
}

/// What one pass found.
pub(crate) struct Pass {
    /// A result per member and row of the chunk; `None` for a member that is out.
    pub(crate) results: Vec<Option<Vec<RowResult>>>,
    /// The first member's rows at the head.
    pub(crate) first: Option<BaseHead>,
}

/// One pass of `chunk` through every member of `group`.
pub(crate) fn run_chunk(
    cpu: &Cpu,
    group: &mut Group,
    chunk: &Chunk,
    against: &Against<'_>,
    workspace: &mut Workspace,
    monitor: &mut dyn Monitor,
) -> Result<Pass, PassError> {
    let mut inputs = forward(cpu, group, chunk, workspace, monitor)?;
    let results = head::run(cpu, group, chunk, against, &mut inputs, monitor)?;
    let first = inputs
        .into_iter()
        .next()
        .flatten()
        .map(|input| BaseHead { input });
    Ok(Pass { results, first })
}

/// Hidden states of every member at the head.
fn forward(
    cpu: &Cpu,
    group: &mut Group,
    chunk: &Chunk,
    workspace: &mut Workspace,
    monitor: &mut dyn Monitor,
) -> Result<Vec<Option<HeadInput>>, PassError> {
    let Group {
        model,
        members,
        first_rope,
    } = group;
    let mut hidden: Vec<Vec<f32>> = members
        .iter_mut()
        .map(|member| {
            if member.failure.is_some() {
                return Vec::new();
            }
            let embedded = embed::embed(
                cpu,
                member.model(model),
                member.adapter.as_ref(),
                &chunk.ids,
            );
            embedded.unwrap_or_else(|error| {
                member.failure.get_or_insert(error);
                Vec::new()
            })
        })
        .collect();
    let tables = rope_tables(model, chunk, *first_rope);
    let jobs = model
        .layers
        .iter()
        .map(|tensors| move || LayerBytes::read(tensors));
    read_ahead(jobs, |layers| {
        for (index, bytes) in layers.enumerate() {
            let bytes = bytes?;
            workspace.packed.pack(cpu, &bytes);
            for (member, hidden) in members.iter_mut().zip(&mut hidden) {
                if member.failure.is_some() {
                    continue;
                }
                if let Err(error) = step(
                    cpu,
                    model,
                    member,
                    index,
                    &bytes,
                    chunk,
                    &tables,
                    *first_rope,
                    workspace,
                    hidden,
                ) {
                    member.failure = Some(error.into());
                    continue;
                }
                monitor.step(model.layer_flops(chunk.tokens()))?;
            }
        }
        Ok::<(), PassError>(())
    })?;
    Ok(members
        .iter_mut()
        .zip(hidden)
        .map(|(member, hidden)| {
            if member.failure.is_some() {
                return None;
            }
            HeadInput::new(cpu, member.model(model), member.adapter.as_ref(), hidden)
                .map_err(|error| member.failure = Some(error.into()))
                .ok()
        })
        .collect())
}

/// One layer of one member.
#[allow(clippy::too_many_arguments)]
fn step(
    cpu: &Cpu,
    model: &Model,
    member: &Member,
    index: usize,
    bytes: &LayerBytes,
    chunk: &Chunk,
    tables: &layer::RopeTables,
    first_rope: usize,
    workspace: &mut Workspace,
    hidden: &mut Vec<f32>,
) -> Result<(), ReadTensorError> {
    let own;
    let (weights, bytes) = if member.replaces_layer(index) {
        own = LayerBytes::read(&member.model(model).layers[index])?;
        workspace.own.pack(cpu, &own);
        (&workspace.own, &own)
    } else {
        (&workspace.packed, bytes)
    };
    let model = member.model(model);
    let delta = match &member.adapter {
        Some(adapter) => LayerDelta::read(cpu, model, index, bytes, adapter)?,
        None => LayerDelta::default(),
    };
    let layer = Layer {
        model,
        index,
        weights,
        delta: &delta,
        chunk,
        tables,
        first_rope,
    };
    layer.forward(cpu, &mut workspace.buffers, hidden);
    Ok(())
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
