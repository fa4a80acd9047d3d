//! Whole tasks on the example's model: every row and every mean is what transformers and peft say.

use gradus_evaluators::{Evaluation, Options};
use gradus_tests::{evaluate_file, root, score};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Per row and pair; on means; relative for KL. f32 sums in another order are off by some 1e-6.
const ROW: f64 = 1e-4;
const MEAN: f64 = 1e-5;
const KL: f64 = 1e-4;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The base and the three adapters.
fn run(task: &Path, options: Options) -> Evaluation {
    let example = root().join("examples/text");
    let candidates = ["careful", "hurried", "scrambled"]
        .map(|name| (name, example.join("candidates").join(name)));
    let mut candidates = candidates.to_vec();
    candidates.push(("base", example.join("model")));
    evaluate_file(task, &candidates, options).unwrap()
}

/// Holds `got` to `want`; the largest errors of rows and of means.
fn compare(got: &Evaluation, want: &Value, name: &str) -> (f64, f64) {
    let score = score(got, name);
    let near = |what: &str, got: f64, want: f64, bound: f64| -> f64 {
        let error = (got - want).abs();
        assert!(
            error <= bound,
            "{name}, {what}: {got}, the reference says {want}"
        );
        error
    };
    let mut row_error = 0.0f64;
    let rows = want["rows"].as_array().unwrap();
    let losses = score.rows.iter().zip(&score.per_example_losses);
    let losses: BTreeMap<usize, f64> = losses
        .map(|(row, loss)| (row.source_row, loss.unwrap()))
        .collect();
    assert_eq!(losses.len(), rows.len(), "{name}: rows");
    for (row, loss) in losses {
        let want = rows[row].as_f64().unwrap();
        row_error = row_error.max(near(&format!("row {row}"), loss, want, ROW));
    }
    let mut mean_error = near(
        "loss",
        score.eval_loss,
        want["loss"].as_f64().unwrap(),
        MEAN,
    );
    if let Some(raw) = want["loss_raw"].as_f64() {
        mean_error = mean_error.max(near(
            "loss without KL",
            score.eval_loss_raw.unwrap(),
            raw,
            MEAN,
        ));
        let kl = want["kl_divergence"].as_f64().unwrap();
        near("KL", score.kl_divergence.unwrap(), kl, KL * kl);
    }
    (row_error, mean_error)
}

#[test]
fn the_examples_tasks_have_the_losses_that_transformers_finds() {
    let example = root().join("examples/text");
    let expected = json(&example.join("expected.json"));
    for task in ["task-kl.json", "task-dpo.json"] {
        let got = run(&example.join(task), Options::default());
        for name in ["base", "careful", "hurried", "scrambled"] {
            let mut want = expected[task]["candidates"][name].clone();
            if want["rows"].is_null() {
                // A KL term leaves the rows' losses as they are.
                want["rows"] = expected["task.json"]["candidates"][name]["rows"].clone();
            }
            let (row, mean) = compare(&got, &want, name);
            println!("{task} {name}: row {row:.1e} mean {mean:.1e}");
        }
        assert!(!score(&got, "base").is_finetune);
    }
}

#[test]
fn chat_tasks_have_the_losses_that_axolotl_and_transformers_find() {
    let golden = root().join("tests/golden/chat");
    let expected = json(&golden.join("expected.json"));
    for task in ["task-chatml.json", "task-tokenizer_default.json"] {
        let (got, want) = (run(&golden.join(task), Options::default()), &expected[task]);
        for row in &score(&got, "careful").rows {
            assert_eq!(
                want["lengths"][row.source_row], row.num_tokens,
                "{task} row {}",
                row.source_row
            );
            assert_eq!(
                want["labels"][row.source_row], row.num_labels,
                "{task} row {}",
                row.source_row
            );
        }
        for name in ["base", "careful", "hurried", "scrambled"] {
            let (row, mean) = compare(&got, &want["candidates"][name], name);
            println!("{task} {name}: row {row:.1e} mean {mean:.1e}");
        }
    }
}

#[test]
fn the_examples_bits_do_not_depend_on_threads_or_memory() {
    let example = root().join("examples/text");
    let with = |threads, memory: Option<u64>| {
        let options = Options {
            threads,
            memory_bytes: memory,
            ..Options::default()
        };
        run(&example.join("task-dpo.json"), options)
    };
    let want = with(1, None);
    for got in [with(2, None), with(3, Some(72 << 20))] {
        for name in ["base", "careful", "hurried", "scrambled"] {
            let bits = |evaluation: &Evaluation| -> Vec<Option<u64>> {
                let losses = &score(evaluation, name).per_example_losses;
                losses.iter().map(|loss| loss.map(f64::to_bits)).collect()
            };
            assert_eq!(bits(&got), bits(&want), "{name}");
        }
    }
}
