//! The base and its candidates: opened, checked against each other, before anything is computed.

use super::{CandidateSource, failure};
use crate::engine::{Member, check_widths};
use crate::error::EvaluateError;
use crate::evaluation::{CandidateKind, Failure};
use crate::model::Model;
use crate::plan::AdapterLoad;
use gradus_checkpoint::finetune::is_finetune;
use gradus_checkpoint::{Adapter, BoundAdapter, Checkpoint};
use gradus_tasks::Owner;
use std::path::{Path, PathBuf};

/// The task's base model.
pub(crate) struct Base {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) model: Model,
}

impl Base {
    pub(crate) fn open(dir: &Path) -> Result<Self, EvaluateError> {
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

    /// Whether GPUs can compute it.
    pub(crate) fn check_widths(&self, dir: &Path) -> Result<(), EvaluateError> {
        check_widths(&self.model).map_err(|source| EvaluateError::BaseWidths {
            path: dir.display().to_string(),
            source,
        })
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
        let kind =
            gradus_checkpoint::CandidateKind::detect(dir).map_err(|e| failure(e.owner(), &e))?;
        match kind {
            gradus_checkpoint::CandidateKind::Adapter => {
                self.kind = Some(CandidateKind::Adapter);
                self.is_finetune = true;
                let adapter = Adapter::open(dir).map_err(|e| failure(e.owner(), &e))?;
                self.notes.extend(adapter.notes().iter().cloned());
                let named = adapter.config().base_model_name.as_deref();
                let bases = [
                    base.checkpoint.path().to_owned(),
                    base.checkpoint.path().canonicalize().unwrap_or_default(),
                ];
                self.notes.extend(named.and_then(|n| other_base(n, &bases)));
                let bound = adapter
                    .bind(&base.checkpoint)
                    .map_err(|e| failure(e.owner(), &e))?;
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
                let checkpoint = Checkpoint::open(dir).map_err(|e| failure(e.owner(), &e))?;
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

    /// Takes a model out that no GPU computes.
    pub(super) fn check_widths(&mut self) {
        if let Some(Err(error)) = self.full_model().map(check_widths) {
            self.refuse(failure(self.owner_of_shape(), &error));
        }
    }

    /// A fine-tune has the base's shapes: what they call for is the host's.
    pub(super) fn owner_of_shape(&self) -> Owner {
        match self.is_finetune {
            true => Owner::Host,
            false => Owner::Submission,
        }
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

    /// What the adapter takes.
    pub(super) fn adapter_load(&self) -> AdapterLoad {
        let State::Adapter(adapter) = &self.state else {
            return AdapterLoad::default();
        };
        AdapterLoad::of(adapter)
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

/// A note if an adapter names another base than the directories that it is applied to.
fn other_base(named: &str, bases: &[PathBuf]) -> Option<String> {
    let is_it = |dir: &PathBuf| {
        dir.to_str()
            .is_some_and(|d| model_name(d) == model_name(named))
    };
    if named.is_empty() || bases.iter().any(is_it) {
        return None;
    }
    let named: String = named.chars().take(120).collect();
    Some(format!(
        "adapter_config.json names {named:?} as its base; it was applied to the task's base"
    ))
}

/// `name` of `owner/name`, of `/cache/models/owner--name` and of `models--owner--name/snapshots/<commit>`.
fn model_name(path: &str) -> &str {
    let mut parts = path.trim_end_matches('/').rsplit('/');
    let last = parts.next().unwrap_or_default();
    let folder = match parts.next() {
        Some("snapshots") => parts.next().unwrap_or(last),
        _ => last,
    };
    folder.rsplit("--").next().unwrap_or(folder)
}

fn same_directory(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_that_names_another_base_is_applied_with_a_note() {
        let note = |named: &str, dir: &str| other_base(named, &[PathBuf::from(dir)]);
        let snapshot = "/hub/models--Qwen--Qwen2.5-0.5B/snapshots/0a1b";
        for (named, dir) in [
            ("Qwen/Qwen2.5-0.5B", "/models/Qwen2.5-0.5B"),
            ("Qwen/Qwen2.5-0.5B", "models/Qwen2.5-0.5B/"),
            ("/cache/models/Qwen--Qwen2.5-0.5B", snapshot),
            ("Qwen/Qwen2.5-0.5B", snapshot),
            (snapshot, "Qwen2.5-0.5B"),
            ("", snapshot),
        ] {
            assert_eq!(note(named, dir), None, "{named} on {dir}");
        }
        assert_eq!(
            note("Qwen/Qwen2.5-1.5B\n", snapshot).unwrap(),
            "adapter_config.json names \"Qwen/Qwen2.5-1.5B\\n\" as its base; it was applied to the task's base"
        );
        assert!(note(&"a/".repeat(4000), "b").is_some_and(|n| n.len() < 300));

        let golden = crate::testing::golden().join("b-1/llama");
        let dir = tempfile::tempdir().unwrap();
        for name in ["model", "else"] {
            let base = dir.path().join(name);
            std::fs::create_dir(&base).unwrap();
            for file in std::fs::read_dir(golden.join("model")).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), base.join(file.file_name())).unwrap();
            }
            let candidate = CandidateSource {
                name: "lora".to_owned(),
                path: golden.join("lora"),
            };
            let entrant = Entrant::open(&candidate, &Base::open(&base).unwrap());
            assert!(entrant.failure().is_none());
            let noted = entrant.notes.iter().any(|n| n.contains("names \"model\""));
            assert_eq!(noted, name == "else", "{:?}", entrant.notes);
        }
    }
}
