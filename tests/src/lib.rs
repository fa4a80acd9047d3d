//! What the suite's modules share: tasks read from their files, and evaluated in this process.

use gradus_evaluators::{
    CandidateResult, CandidateSource, EvaluateError, Evaluation, Event, Observer, Options, Request,
    Score, evaluate,
};
use gradus_tasks::{DataSet, TaskSpec};
use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

struct Quiet;

impl Observer for Quiet {
    fn on_event(&self, _: Event) {}
}

/// Evaluates a task file on candidates, names with directories.
///
/// # Errors
/// As [`evaluate`].
///
/// # Panics
/// If the task or its data cannot be read.
pub fn evaluate_file(
    task: &Path,
    candidates: &[(&str, PathBuf)],
    options: Options,
) -> Result<Evaluation, EvaluateError> {
    let read = |path: &Path| {
        std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let dir = task.parent().expect("a task file lies in a directory");
    let spec = TaskSpec::from_bytes(&read(task)).expect("the suite's tasks are right");
    let rules = spec.rules().expect("a task's rule set is checked");
    let bytes = read(&dir.join(&spec.dataset.path));
    let data = DataSet::from_bytes(&spec.dataset.path, &bytes, spec.dataset.format, &rules.data)
        .expect("the suite's data are right");
    let candidates: Vec<CandidateSource> = candidates
        .iter()
        .map(|(name, path)| CandidateSource {
            name: (*name).to_owned(),
            path: path.clone(),
        })
        .collect();
    let request = Request {
        task: &spec,
        rules: &rules,
        data: &data,
        base: &dir.join(&spec.base_model),
        tokenizer_dir: None,
        candidates: &candidates,
        options,
    };
    evaluate(&request, &Quiet)
}

/// A candidate's score.
///
/// # Panics
/// If it has none.
#[must_use]
pub fn score<'a>(evaluation: &'a Evaluation, name: &str) -> &'a Score {
    let outcome = evaluation.candidates.iter().find(|c| c.name == name);
    match &outcome
        .unwrap_or_else(|| panic!("no outcome of {name}"))
        .result
    {
        CandidateResult::Scored(score) => score,
        CandidateResult::Failed(failure) => panic!("{name} failed: {failure:?}"),
    }
}
