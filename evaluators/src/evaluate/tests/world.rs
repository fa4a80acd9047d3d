//! A base of a golden family with a tokenizer whose words are token ids, tasks and rows for it.

use crate::evaluation::{CandidateResult, Evaluation, Event, Failure, Observer, Score};
use crate::{CandidateSource, EvaluateError, Options, Request, evaluate};
use gradus_tasks::{DataSet, RuleSet, TaskSpec};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;

/// A directory of golden data.
pub(super) fn golden(family: &str) -> PathBuf {
    crate::testing::golden().join("b-1").join(family)
}

/// A base and a directory for what a test damages.
pub(super) struct World {
    dir: TempDir,
    family: String,
}

/// Id of EOS; every other id i is the word `wi`.
const EOS: u32 = 2;

impl World {
    pub(super) fn new(family: &str) -> Self {
        let world = Self {
            dir: tempfile::tempdir().unwrap(),
            family: family.to_owned(),
        };
        world.copy("model", "base");
        world.write_tokenizer(400, true);
        world
    }

    /// A tokenizer of `words` words, beside the base.
    pub(super) fn write_tokenizer(&self, words: u32, eos: bool) {
        let word = |id: u32| match id {
            EOS => "</s>".to_owned(),
            id => format!("w{id}"),
        };
        let vocabulary: Map<String, Value> = (0..words).map(|id| (word(id), json!(id))).collect();
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "w0"}
        });
        let mut config = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
        if eos {
            config["eos_token"] = json!("</s>");
        }
        let base = self.base();
        std::fs::write(base.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        std::fs::write(base.join("tokenizer_config.json"), config.to_string()).unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn base(&self) -> PathBuf {
        self.path("base")
    }

    /// A copy of the golden model or adapter `from`, which may be damaged.
    pub(super) fn copy(&self, from: &str, to: &str) -> PathBuf {
        let (from, to) = (golden(&self.family).join(from), self.path(to));
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
        to
    }

    /// The golden adapter `name`, as it is.
    pub(super) fn adapter(&self, name: &str) -> CandidateSource {
        candidate(name, &golden(&self.family).join(name))
    }

    /// The base as a candidate with weights of its own.
    pub(super) fn base_as_full(&self) -> CandidateSource {
        let path = self.path("full");
        if !path.exists() {
            self.copy("model", "full");
        }
        candidate("full", &path)
    }

    pub(super) fn request<'a>(
        &self,
        base: &'a Path,
        task: &'a Task,
        data: &'a DataSet,
        candidates: &'a [CandidateSource],
        options: Options,
    ) -> Request<'a> {
        Request {
            task: &task.spec,
            rules: &task.rules,
            data,
            base,
            tokenizer_dir: None,
            candidates,
            options,
        }
    }

    pub(super) fn evaluate(
        &self,
        task: &Task,
        data: &DataSet,
        candidates: &[CandidateSource],
        options: Options,
    ) -> Result<Evaluation, EvaluateError> {
        let base = self.base();
        evaluate(
            &self.request(&base, task, data, candidates, options),
            &Watch::default(),
        )
    }
}

pub(super) fn candidate(name: &str, path: &Path) -> CandidateSource {
    CandidateSource {
        name: name.to_owned(),
        path: path.to_owned(),
    }
}

/// A task and its rules.
pub(super) struct Task {
    pub(super) spec: TaskSpec,
    pub(super) rules: RuleSet,
}

fn task(id: &str, dataset_type: Value, kl_coef: Option<f64>) -> Task {
    let file = json!({
        "version": 1, "id": id, "base_model": "base", "dataset": {"path": "rows.json", "format": "json"},
        "dataset_type": dataset_type, "use_kl": kl_coef.is_some(), "kl_coef": kl_coef
    });
    let spec = TaskSpec::from_bytes(file.to_string().as_bytes()).unwrap();
    let rules = spec.rules().unwrap();
    Task { spec, rules }
}

fn instruct_columns() -> Value {
    json!({
        "field_instruction": "prompt", "field_output": "answer", "format": "{instruction}", "no_input_format": "{instruction}"
    })
}

pub(super) fn instruct() -> Task {
    task("instruct", instruct_columns(), None)
}

pub(super) fn kl() -> Task {
    task("kl", instruct_columns(), Some(0.5))
}

pub(super) fn dpo() -> Task {
    let columns =
        json!({"field_prompt": "prompt", "field_chosen": "answer", "field_rejected": "other"});
    task("dpo", columns, None)
}

/// A text of token ids.
pub(super) fn words(ids: &[u32]) -> String {
    ids.iter().map(|id| format!("w{id} ")).collect()
}

/// A row of every kind of task: the instruction's answer is also the preferred completion.
pub(super) fn row(prompt: &[u32], answer: &[u32], other: &[u32]) -> Map<String, Value> {
    let row = json!({"prompt": words(prompt), "answer": words(answer), "other": words(other)});
    row.as_object().unwrap().clone()
}

pub(super) fn data(rows: Vec<Map<String, Value>>) -> DataSet {
    DataSet::from_rows("rows.json", rows)
}

/// Ids from 3 to 152, always the same.
pub(super) fn ids(seed: u64, count: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        3 + (state >> 33) as u32 % 150
    };
    (0..count).map(|_| next()).collect()
}

/// Rows of 3 to 126 tokens: alone, sharing a long prefix, sharing a short one, prefixes of each other, the same twice.
pub(super) fn ragged_rows() -> Vec<Map<String, Value>> {
    let system = ids(1, 37);
    let with = |seed: u64, count: usize| [&system[..], &ids(seed, count)].concat();
    let short = |seed: u64, count: usize| [&system[..9], &ids(seed, count)].concat();
    vec![
        row(&ids(2, 1), &ids(3, 1), &ids(4, 2)),
        row(&with(5, 11), &ids(6, 7), &ids(7, 3)),
        row(&with(8, 2), &ids(9, 40), &ids(10, 29)),
        row(&ids(11, 61), &ids(12, 60), &ids(13, 13)),
        row(&short(14, 5), &ids(15, 17), &ids(15, 18)),
        row(&with(16, 47), &ids(17, 1), &ids(18, 31)),
        row(&with(5, 11), &ids(6, 7), &ids(7, 3)),
        row(&short(19, 30), &ids(20, 3), &ids(21, 5)),
        row(&system, &ids(22, 2), &ids(23, 23)),
        row(&with(5, 11), &ids(24, 19), &ids(25, 1)),
        row(&ids(26, 3), &ids(27, 5), &ids(28, 8)),
        row(&system[..20], &ids(29, 33), &ids(30, 2)),
    ]
}

pub(super) fn result<'a>(evaluation: &'a Evaluation, name: &str) -> &'a CandidateResult {
    let outcome = evaluation.candidates.iter().find(|c| c.name == name);
    &outcome
        .unwrap_or_else(|| panic!("no outcome of {name}"))
        .result
}

pub(super) fn score<'a>(evaluation: &'a Evaluation, name: &str) -> &'a Score {
    match result(evaluation, name) {
        CandidateResult::Scored(score) => score,
        CandidateResult::Failed(failure) => panic!("{name} failed: {failure:?}"),
    }
}

pub(super) fn failed<'a>(evaluation: &'a Evaluation, name: &str) -> &'a Failure {
    match result(evaluation, name) {
        CandidateResult::Failed(failure) => failure,
        CandidateResult::Scored(score) => panic!("{name} has a loss of {}", score.eval_loss),
    }
}

/// The bits of a candidate's rows, by row of the file.
pub(super) fn row_bits(evaluation: &Evaluation, name: &str) -> BTreeMap<usize, Option<u64>> {
    let score = score(evaluation, name);
    assert_eq!(score.rows.len(), score.per_example_losses.len());
    let losses = score.per_example_losses.iter().map(|l| l.map(f64::to_bits));
    score
        .rows
        .iter()
        .map(|r| r.source_row)
        .zip(losses)
        .collect()
}

/// The bits of a candidate's rows, and of what is made of all of them.
pub(super) fn bits(
    evaluation: &Evaluation,
    name: &str,
) -> (BTreeMap<usize, Option<u64>>, u64, Option<u64>) {
    let score = score(evaluation, name);
    let kl = score.kl_divergence.map(f64::to_bits);
    (row_bits(evaluation, name), score.eval_loss.to_bits(), kl)
}

/// The numbers themselves: what a failing comparison shows.
pub(super) fn losses(evaluation: &Evaluation, name: &str) -> Vec<Option<f64>> {
    score(evaluation, name).per_example_losses.clone()
}

type React<'a> = Box<dyn Fn(&Event) + Sync + 'a>;

/// Keeps every event; may react to them, and may stop.
#[derive(Default)]
pub(super) struct Watch<'a> {
    pub(super) events: Mutex<Vec<Event>>,
    /// What to do at an event.
    pub(super) react: Option<React<'a>>,
    /// Number of `cancelled` questions that are answered with no.
    pub(super) patience: Option<usize>,
    pub(super) asked: Mutex<usize>,
}

impl Observer for Watch<'_> {
    fn on_event(&self, event: Event) {
        if let Some(react) = &self.react {
            react(&event);
        }
        self.events.lock().unwrap().push(event);
    }

    fn cancelled(&self) -> bool {
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        self.patience.is_some_and(|patience| *asked > patience)
    }
}
