//! Token ids, labels and order equal to those of axolotl and transformers, over golden files written by
//! `tests/golden/prompts/make_prompt_golden.py`.
//!
//! The committed files are of three small tokenizers. `GRADUS_REAL_TOKENIZERS` may name a directory of directories,
//! each a real tokenizer with the `golden.json` that the same script wrote for it.

use gradus_tasks::{DataSet, Prepared, RuleSet, TaskSpec, TextTokenizer, TokenizerFiles, prepare};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/prompts")
}

fn tokenizer(dir: &Path) -> TextTokenizer {
    let read = |name: &str| std::fs::read(dir.join(name)).ok();
    let (json, config) = (read("tokenizer.json"), read("tokenizer_config.json"));
    let (map, jinja) = (read("special_tokens_map.json"), read("chat_template.jinja"));
    TextTokenizer::from_bytes(TokenizerFiles {
        tokenizer_json: &json.expect("a tokenizer directory has tokenizer.json"),
        tokenizer_config: config.as_deref(),
        special_tokens_map: map.as_deref(),
        chat_template_jinja: jinja.as_deref(),
        model_type: None,
    })
    .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
}

fn rules(dpo_max_length: u64) -> RuleSet {
    let mut rules = RuleSet::newest();
    rules.text.double_when_empty = false;
    rules.data.chat_messages_min = 1;
    rules.data.empty_row_fraction_max = 1.0;
    rules.dpo.max_length_default = dpo_max_length;
    rules
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_u64().unwrap() as u32)
        .collect()
}

fn labels(value: &Value) -> Vec<i32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_i64().unwrap() as i32)
        .collect()
}

fn run_case(tokenizer: &TextTokenizer, case: &Value) -> Result<Option<Prepared>, String> {
    let mut task = json!({
        "version": 1, "id": "golden", "base_model": "m", "dataset": {"path": "d", "format": "json"},
        "dataset_type": case["dataset_type"]
    });
    if let Some(len) = case.get("sequence_len") {
        task["sequence_len"] = len.clone();
    }
    let task =
        TaskSpec::from_bytes(task.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let rows = case["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_object().unwrap().clone())
        .collect();
    let data = DataSet::from_rows("golden", rows);
    let rules = rules(
        case.get("max_length")
            .and_then(Value::as_u64)
            .unwrap_or(8192),
    );
    match prepare(&task, &rules, &data, tokenizer, None) {
        Ok(prepared) => Ok(Some(prepared)),
        Err(gradus_tasks::PrepareError::NothingLeft { .. }) => Ok(None),
        Err(error) => {
            let cause = std::error::Error::source(&error)
                .map(|c| format!(": {c}"))
                .unwrap_or_default();
            Err(format!("{error}{cause}"))
        }
    }
}

/// What differs between a case and the golden one.
fn difference(tokenizer: &TextTokenizer, case: &Value) -> Option<String> {
    let got = match (run_case(tokenizer, case), case.get("error")) {
        (Err(_), Some(_)) => return None,
        (Err(error), None) => return Some(format!("fails: {error}")),
        (Ok(_), Some(error)) => {
            return Some(format!("passes where the reference fails with {error}"));
        }
        (Ok(got), None) => got,
    };
    let expect = case["expect"].as_array().unwrap();
    match got {
        None if expect.is_empty() => None,
        None => Some(format!("keeps nothing of {}", expect.len())),
        Some(Prepared::Sft(set)) => {
            if set.rows.len() != expect.len() {
                return Some(format!(
                    "{} samples, expected {}: {}",
                    set.rows.len(),
                    expect.len(),
                    set.dropped
                ));
            }
            for (at, (row, want)) in set.rows.iter().zip(expect).enumerate() {
                if row.source_row as u64 != want["row"].as_u64().unwrap() {
                    return Some(format!(
                        "sample {at} is row {}, expected {}",
                        row.source_row, want["row"]
                    ));
                }
                if row.ids != ids(&want["ids"]) {
                    return Some(format!(
                        "sample {at}: ids {:?}\n   expected {}",
                        row.ids, want["ids"]
                    ));
                }
                if row.labels != labels(&want["labels"]) {
                    return Some(format!(
                        "sample {at}: labels {:?}\n   expected {}",
                        row.labels, want["labels"]
                    ));
                }
            }
            None
        }
        Some(Prepared::Dpo(set)) => {
            if set.pairs.len() != expect.len() {
                return Some(format!(
                    "{} pairs, expected {}",
                    set.pairs.len(),
                    expect.len()
                ));
            }
            for (pair, want) in set.pairs.iter().zip(expect) {
                let got = json!({
                    "row": pair.source_row, "prompt_len": pair.prompt_len, "chosen": pair.chosen,
                    "rejected": pair.rejected, "chosen_cut": pair.chosen_cut, "rejected_cut": pair.rejected_cut
                });
                if got != *want {
                    return Some(format!("pair {got}\n   expected {want}"));
                }
            }
            None
        }
    }
}

/// Cases that were compared and what differed.
fn check(dir: &Path) -> (usize, Vec<String>) {
    let name = dir.file_name().unwrap().to_string_lossy().into_owned();
    let tokenizer = tokenizer(dir);
    let text = std::fs::read(dir.join("golden.json"))
        .expect("golden.json, written by make_prompt_golden.py");
    let golden: Value = serde_json::from_slice(&text).unwrap();
    let mut differences = Vec::new();
    let mut cases = 0;
    let mut note = |what: String, difference: Option<String>| {
        cases += 1;
        differences.extend(difference.map(|d| format!("{name} {what}: {d}")));
    };
    let id = |key: &str| golden[key].as_u64().map(|id| id as u32);
    note(
        "bos".into(),
        (tokenizer.bos_id() != id("bos")).then(|| format!("{:?}", tokenizer.bos_id())),
    );
    note(
        "eos".into(),
        (tokenizer.eos_id() != id("eos")).then(|| format!("{:?}", tokenizer.eos_id())),
    );
    for case in golden["encode"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let differs = |what: &str, got: &dyn std::fmt::Debug, want: &Value| {
            Some(format!("{what} {got:?}, expected {want}"))
        };
        let with = tokenizer.encode(text, true).unwrap();
        let bare = tokenizer.encode_spans(text).unwrap();
        let offsets: Vec<Vec<usize>> = bare
            .starts
            .iter()
            .zip(&bare.ends)
            .map(|(a, b)| vec![*a, *b])
            .collect();
        note(
            format!("encode {text:?}"),
            if with != ids(&case["ids"]) {
                differs("ids", &with, &case["ids"])
            } else if bare.ids != ids(&case["bare"])
                || tokenizer.encode(text, false).unwrap() != bare.ids
            {
                differs("bare", &bare.ids, &case["bare"])
            } else if json!(offsets) != case["offsets"] {
                differs("offsets", &offsets, &case["offsets"])
            } else {
                None
            },
        );
    }
    for kind in ["instruct", "chat", "dpo"] {
        for (at, case) in golden[kind].as_array().unwrap().iter().enumerate() {
            let what = format!("{kind} {at} {} {}", case["dataset_type"], case["rows"][0]);
            note(what, difference(&tokenizer, case));
        }
    }
    (cases, differences)
}

fn report(dirs: &[PathBuf]) {
    let mut all = Vec::new();
    for dir in dirs {
        let (cases, differences) = check(dir);
        println!(
            "{}: {} of {cases} cases equal",
            dir.display(),
            cases - differences.len()
        );
        all.extend(differences);
    }
    assert!(
        all.is_empty(),
        "{} differ, the first:\n{}",
        all.len(),
        all[..all.len().min(12)].join("\n")
    );
}

#[test]
fn ids_labels_and_order_equal_axolotls_on_small_tokenizers() {
    report(&["tiny", "tiny-bos", "tiny-far"].map(|name| golden_dir().join(name)));
}

#[test]
fn ids_labels_and_order_equal_axolotls_on_real_tokenizers() {
    let Ok(root) = std::env::var("GRADUS_REAL_TOKENIZERS") else {
        println!("SKIPPED: GRADUS_REAL_TOKENIZERS does not name a directory of real tokenizers");
        return;
    };
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(root)
        .expect("GRADUS_REAL_TOKENIZERS is a directory")
        .map(|entry| entry.unwrap().path())
        .filter(|dir| dir.join("golden.json").exists() && dir.join("tokenizer.json").exists())
        .collect();
    dirs.sort();
    assert!(!dirs.is_empty(), "no directory there has a golden.json");
    report(&dirs);
}
