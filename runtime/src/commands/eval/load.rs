//! From files to what the evaluator asks for.

use crate::candidates::{CandidateArg, Place};
use crate::cli::EvalArgs;
use crate::exit::Shown;
use crate::hub::{Hub, HubError, HubProgress, HubSettings};
use crate::progress::Progress;
use gradus_evaluators::{
    CandidateOutcome, CandidateResult, CandidateSource, Evaluation, Event, Failure, Observer,
};
use gradus_tasks::{DataError, DataSet, RuleSet, SpecError, TaskSpec, sha256_hex};
use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A task file larger than this is not one.
const TASK_BYTES_MAX: u64 = 16 << 20;

/// Everything that was read.
pub(super) struct Loaded {
    pub(super) task: TaskSpec,
    pub(super) rules: RuleSet,
    pub(super) data: DataSet,
    pub(super) base: PathBuf,
    pub(super) candidates: Vec<CandidateSource>,
    // As results name them: what the user wrote, and for a model from the hub its commit.
    sources: Vec<String>,
    // Candidates that could not be fetched, by their position among all.
    unfetched: Vec<(usize, CandidateArg, Failure)>,
}

/// Why a task cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadTaskError {
    /// The task file.
    #[error("the task file {} cannot be read", path.display())]
    TaskFile {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What the task file says.
    #[error("{} is not a task", path.display())]
    Task {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: SpecError,
    },
    /// The data file.
    #[error("the task's data file {} cannot be read", path.display())]
    DataFile {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file's size.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// What is allowed.
        limit: u64,
    },
    /// The data file is another one.
    #[error("{} has SHA-256 {found}, but the task says {expected}\nhelp: get the file that the task was made with, or correct dataset.sha256", path.display())]
    DataHash {
        /// Which.
        path: PathBuf,
        /// Of the file.
        found: String,
        /// Of the task.
        expected: String,
    },
    /// What the data file says.
    #[error("the task's data cannot be used")]
    Data(#[source] DataError),
    /// The base model's place.
    #[error(
        "there is no base model {base:?} beside the task, and it is not the id of a model on the hub either\nhelp: --base names a directory"
    )]
    NoBase {
        /// What the task or the user says.
        base: String,
    },
    /// Every candidate is on the hub, and none can be fetched.
    #[error("no candidate can be fetched; {name}: {reason}")]
    NoCandidate {
        /// The first of them.
        name: String,
        /// Why.
        reason: String,
    },
    /// The base model, which is on the hub.
    #[error("the base model {id} cannot be fetched: {reason}")]
    FetchBase {
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
}

impl Loaded {
    pub(super) fn read(
        path: &Path,
        arguments: &EvalArgs,
        places: Vec<(CandidateArg, Place)>,
        progress: &Progress,
    ) -> Result<Self, LoadTaskError> {
        let directory = path.parent().unwrap_or(Path::new(""));
        let bytes = read_at_most(path, TASK_BYTES_MAX).map_err(|error| match error {
            ReadError::Io(source) => LoadTaskError::TaskFile {
                path: path.to_owned(),
                source,
            },
            ReadError::TooLarge => LoadTaskError::TooLarge {
                path: path.to_owned(),
                limit: TASK_BYTES_MAX,
            },
        })?;
        let not_a_task = |source| LoadTaskError::Task {
            path: path.to_owned(),
            source,
        };
        let task = TaskSpec::from_bytes(&bytes).map_err(not_a_task)?;
        let rules = task.rules().map_err(not_a_task)?;
        let data = read_data(&task, &rules, directory)?;
        let models = Models {
            hub: OnceCell::new(),
            offline: arguments.offline,
            progress,
        };
        let base = find_base(&task, arguments, directory, &models)?;
        let (mut candidates, mut sources, mut unfetched) = (Vec::new(), Vec::new(), Vec::new());
        for (position, (candidate, place)) in places.into_iter().enumerate() {
            match models.fetched(&place) {
                Ok(Model { path, commit }) => {
                    candidates.push(CandidateSource {
                        name: candidate.name,
                        path,
                    });
                    sources.push(match commit {
                        Some(commit) => format!(
                            "{}@{commit}",
                            candidate.source.split('@').next().unwrap_or_default()
                        ),
                        None => candidate.source,
                    });
                }
                Err(failure) => {
                    progress.on_event(Event::CandidateFailed {
                        name: candidate.name.clone(),
                        failure: failure.clone(),
                    });
                    unfetched.push((position, candidate, failure));
                }
            }
        }
        if let (true, Some((_, candidate, failure))) = (candidates.is_empty(), unfetched.first()) {
            let (name, reason) = (candidate.name.clone(), failure.reason.clone());
            return Err(LoadTaskError::NoCandidate { name, reason });
        }
        Ok(Self {
            task,
            rules,
            data,
            base,
            candidates,
            sources,
            unfetched,
        })
    }

    /// Names the candidates' sources as the user did, and puts those that could not be fetched in their places.
    pub(super) fn complete(&self, mut evaluation: Evaluation) -> Evaluation {
        for (outcome, source) in evaluation.candidates.iter_mut().zip(&self.sources) {
            outcome.source.clone_from(source);
        }
        for (position, candidate, failure) in &self.unfetched {
            let CandidateArg { name, source } = candidate.clone();
            let outcome = CandidateOutcome {
                name,
                source,
                kind: None,
                result: CandidateResult::Failed(failure.clone()),
            };
            evaluation
                .candidates
                .insert((*position).min(evaluation.candidates.len()), outcome);
        }
        evaluation
    }
}

fn read_data(task: &TaskSpec, rules: &RuleSet, directory: &Path) -> Result<DataSet, LoadTaskError> {
    let path = directory.join(&task.dataset.path);
    let limit = rules.data.file_bytes_max;
    let bytes = read_at_most(&path, limit).map_err(|error| match error {
        ReadError::Io(source) => LoadTaskError::DataFile {
            path: path.clone(),
            source,
        },
        ReadError::TooLarge => LoadTaskError::TooLarge {
            path: path.clone(),
            limit,
        },
    })?;
    if let Some(expected) = &task.dataset.sha256 {
        let found = sha256_hex(&bytes);
        if found != *expected {
            return Err(LoadTaskError::DataHash {
                path,
                found,
                expected: expected.clone(),
            });
        }
    }
    DataSet::from_bytes(
        &path.display().to_string(),
        &bytes,
        task.dataset.format,
        &rules.data,
    )
    .map_err(LoadTaskError::Data)
}

// A path in the task file is relative to it; one on the command line, to the working directory.
fn find_base(
    task: &TaskSpec,
    arguments: &EvalArgs,
    directory: &Path,
    models: &Models<'_>,
) -> Result<PathBuf, LoadTaskError> {
    let (base, directory) = match &arguments.base {
        Some(base) => (base, Path::new("")),
        None => (&task.base_model, directory),
    };
    let place =
        Place::of(base, directory).ok_or_else(|| LoadTaskError::NoBase { base: base.clone() })?;
    models
        .fetched(&place)
        .map(|model| model.path)
        .map_err(|failure| LoadTaskError::FetchBase {
            id: base.clone(),
            reason: failure.reason,
        })
}

/// Where a model's files are.
struct Model {
    path: PathBuf,
    // Of a model from the hub.
    commit: Option<String>,
}

/// Models from the hub, or why there is no hub. Settings are read only if a model is on it.
struct Models<'a> {
    hub: OnceCell<Hub>,
    offline: bool,
    progress: &'a Progress,
}

impl Models<'_> {
    fn fetched(&self, place: &Place) -> Result<Model, Failure> {
        let id = match place {
            Place::Local(path) => {
                return Ok(Model {
                    path: path.clone(),
                    commit: None,
                });
            }
            Place::Hub(id) => id,
        };
        self.fetch(id).map_err(|error| Failure {
            owner: error.owner(),
            reason: Shown::new(&error).text(),
        })
    }

    fn fetch(&self, id: &str) -> Result<Model, HubError> {
        let hub = match self.hub.get() {
            Some(hub) => hub,
            None => {
                let hub = Hub::new(HubSettings::from_env(self.offline)?)?;
                self.hub.get_or_init(|| hub)
            }
        };
        let progress = self.progress;
        let mut show = |transfer: HubProgress<'_>| progress.fetching(id, &transfer);
        let fetched = progress.without_asking(|| hub.fetch(id, &mut show))?;
        Ok(Model {
            path: fetched.dir,
            commit: Some(fetched.commit),
        })
    }
}

enum ReadError {
    Io(std::io::Error),
    TooLarge,
}

fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = File::open(path).map_err(ReadError::Io)?;
    let mut bytes =
        Vec::with_capacity(fs::metadata(path).map_or(0, |found| found.len().min(limit)) as usize);
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(ReadError::Io)?;
    if bytes.len() as u64 > limit {
        Err(ReadError::TooLarge)
    } else {
        Ok(bytes)
    }
}
