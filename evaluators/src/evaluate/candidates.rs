//! The base and its candidates: opened, checked against each other, before anything is computed.

use super::{CandidateSource, failure};
use crate::engine::Member;
use crate::error::EvaluateError;
use crate::evaluation::{CandidateKind, Failure};
use crate::model::Model;
use gradus_checkpoint::finetune::is_finetune;
use gradus_checkpoint::{Adapter, BoundAdapter, Checkpoint};
use gradus_tasks::Owner;
use std::collections::BTreeMap;
use std::path::Path;

/// The task's base model.
pub(super) struct Base {
    pub(super) checkpoint: Checkpoint,
    pub(super) model: Model,
}

impl Base {
    pub(super) fn open(dir: &Path) -> Result<Self, EvaluateError> {
        let path = || dir.display().to_string();
        let checkpoint = Checkpoint::open(dir).map_err(|source| EvaluateError::Base {
            path: path(),
            source,
        })?;
        let model = Model::resolve(&checkpoint, &Default::default()).map_err(|source| {
            EvaluateError::BaseModel {
                path: path(),
                source,
            }
        })?;
        Ok(Self { checkpoint, model })
    }
}

/// A candidate, opened.
pub(super) struct Entrant {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) kind: Option<CandidateKind>,
    pub(super) is_finetune: bool,
    pub(super) finetune_note: Option<String>,
    pub(super) notes: Vec<String>,
    /// `max_position_embeddings`, if it is below the base's.
    pub(super) shorter_context: Option<usize>,
    state: State,
}

enum State {
    Adapter(Box<BoundAdapter>),
    Full(Box<Model>),
    Failed(Failure),
}

impl Entrant {
    pub(super) fn open(candidate: &CandidateSource, base: &Base) -> Self {
        let mut entrant = Self {
            name: candidate.name.clone(),
            source: candidate.path.display().to_string(),
            kind: None,
            is_finetune: false,
            finetune_note: None,
            notes: Vec::new(),
            shorter_context: None,
            state: State::Failed(Failure {
                owner: Owner::Bug,
                reason: String::new(),
            }),
        };
        entrant.state = entrant
            .read(&candidate.path, base)
            .unwrap_or_else(State::Failed);
        entrant
    }

    fn read(&mut self, dir: &Path, base: &Base) -> Result<State, Failure> {
        let kind = gradus_checkpoint::CandidateKind::detect(dir)
            .map_err(|e| failure(owner(e.owner()), &e))?;
        match kind {
            gradus_checkpoint::CandidateKind::Adapter => {
                self.kind = Some(CandidateKind::Adapter);
                self.is_finetune = true;
                let adapter = Adapter::open(dir).map_err(|e| failure(owner(e.owner()), &e))?;
                self.notes.extend(adapter.notes().iter().cloned());
                let bound = adapter
                    .bind(&base.checkpoint)
                    .map_err(|e| failure(owner(e.owner()), &e))?;
                if bound.vocab_rows != base.model.embedding.num_rows() {
                    self.notes.push(format!(
                        "the vocabulary was resized from {} to {} rows",
                        base.model.embedding.num_rows(),
                        bound.vocab_rows
                    ));
                }
                Ok(State::Adapter(Box::new(bound)))
            }
            gradus_checkpoint::CandidateKind::Full => {
                self.kind = Some(CandidateKind::Full);
                let checkpoint =
                    Checkpoint::open(dir).map_err(|e| failure(owner(e.owner()), &e))?;
                self.notes.extend(checkpoint.notes().iter().cloned());
                let verdict = is_finetune(
                    (base.checkpoint.config(), base.checkpoint.raw_config()),
                    (checkpoint.config(), checkpoint.raw_config()),
                );
                self.is_finetune = verdict.is_finetune();
                self.finetune_note = (!self.is_finetune).then(|| verdict.to_string());
                if same_directory(base.checkpoint.path(), dir) {
                    self.is_finetune = false;
                    self.finetune_note = Some("not a fine-tune: it is the base itself".to_owned());
                }
                let model = Model::resolve(&checkpoint, &Default::default())
                    .map_err(|e| failure(Owner::Submission, &e))?;
                let positions = model.config.max_position_embeddings;
                self.shorter_context =
                    (positions < base.model.config.max_position_embeddings).then_some(positions);
                Ok(State::Full(Box::new(model)))
            }
        }
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Takes it out before anything is computed.
    pub(super) fn refuse(&mut self, failure: Failure) {
        self.state = State::Failed(failure);
    }

    pub(super) fn is_adapter(&self) -> Option<bool> {
        match &self.state {
            State::Adapter(_) => Some(true),
            State::Full(_) => Some(false),
            State::Failed(_) => None,
        }
    }

    pub(super) fn full_model(&self) -> Option<&Model> {
        match &self.state {
            State::Full(model) => Some(model),
            _ => None,
        }
    }

    /// Whether the adapter replaces whole tensors.
    pub(super) fn replaces_tensors(&self) -> bool {
        matches!(&self.state, State::Adapter(adapter) if !adapter.saved.is_empty())
    }

    /// Bytes that the adapter's largest layer (or head, or embedding) takes while it computes: as stored, and packed.
    pub(super) fn adapter_bytes(&self) -> u64 {
        let State::Adapter(adapter) = &self.state else {
            return 0;
        };
        let mut layers: BTreeMap<&str, u64> = BTreeMap::new();
        for (module, lora) in &adapter.modules {
            let layer = module.split('.').take(3).map(str::len).sum::<usize>() + 2;
            let name = &module[..layer.min(module.len())];
            let stored = lora.a.size_bytes() + lora.b.size_bytes();
            // Ranks are padded to a panel of 32 when packed.
            let rank = lora.rank.next_multiple_of(32) as u64;
            let packed = 4 * rank * (lora.a.row_elements() as u64 + lora.b.num_rows() as u64);
            *layers.entry(name).or_default() += stored + packed;
        }
        let embedding = adapter
            .embedding
            .as_ref()
            .map_or(0, |lora| 2 * (lora.a.size_bytes() + lora.b.size_bytes()));
        layers.into_values().max().unwrap_or(0).max(embedding)
    }

    /// `max_position_embeddings` of the model that it makes.
    pub(super) fn max_position(&self, base: &Base) -> usize {
        self.full_model()
            .unwrap_or(&base.model)
            .config
            .max_position_embeddings
    }

    /// The member of the base's group, for an adapter.
    pub(super) fn member(&self, base: &Base) -> Option<Member> {
        match &self.state {
            State::Adapter(adapter) => Some(Member::adapted(&base.checkpoint, (**adapter).clone())),
            _ => None,
        }
    }
}

fn same_directory(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// The same owner in the words of the result.
pub(super) fn owner(owner: gradus_checkpoint::Owner) -> Owner {
    match owner {
        gradus_checkpoint::Owner::Submission => Owner::Submission,
        gradus_checkpoint::Owner::Host => Owner::Host,
        gradus_checkpoint::Owner::Bug => Owner::Bug,
    }
}
