//! Tasks, data and candidates that are not what they say.

use crate::binary::{Finished, command, example, finish};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The example's task with its paths made absolute, changed by `change`, on `careful`.
fn changed(directory: &Path, change: impl FnOnce(&mut Value)) -> Finished {
    let mut task: Value = serde_json::from_slice(&fs::read(example("task.json")).unwrap()).unwrap();
    task["base_model"] = example("model").to_str().unwrap().into();
    task["dataset"]["path"] = example("data/eval.json").to_str().unwrap().into();
    change(&mut task);
    let path = directory.join("task.json");
    fs::write(&path, task.to_string()).unwrap();
    evaluated(&path, &example("candidates/careful"))
}

fn evaluated(task: &Path, candidate: &Path) -> Finished {
    let candidate = format!("it={}", candidate.display());
    finish(command().args(["eval", "-c", &candidate]).arg(task))
}

#[test]
fn a_task_that_is_not_there_or_not_a_task_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("no.json");
    evaluated(&missing, &example("model")).complains(1, &["no.json", "cannot be read"]);
    fs::write(&missing, b"{\"version\": 1,").unwrap();
    evaluated(&missing, &example("model")).complains(1, &["no.json is not a task"]);
    evaluated(directory.path(), &example("model")).complains(1, &["cannot be read"]);
}

#[test]
fn an_unknown_field_and_another_version_are_named() {
    let directory = tempfile::tempdir().unwrap();
    changed(directory.path(), |task| task["sequence_length"] = json!(5))
        .complains(1, &["sequence_length"]);
    changed(directory.path(), |task| task["version"] = json!(9)).complains(1, &["version is 9"]);
    changed(directory.path(), |task| task["rule_set"] = json!("2019"))
        .complains(1, &["2019", "known are"]);
}

#[test]
fn data_that_is_missing_another_or_broken_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    changed(here, |task| task["dataset"]["path"] = json!("rows.json"))
        .complains(1, &["rows.json", "cannot be read"]);
    changed(here, |task| {
        task["dataset"]["sha256"] = json!("0".repeat(64))
    })
    .complains(1, &["SHA-256", "eval.json"]);
    let with_data = |bytes: &[u8]| {
        fs::write(here.join("rows.json"), bytes).unwrap();
        changed(here, |task| {
            task["dataset"] = json!({"path": "rows.json", "format": "json"})
        })
    };
    with_data(b"[{\"instruct\": \"x\"").complains(1, &["rows.json"]);
    with_data(b"[]").complains(1, &["rows.json"]);
    with_data(b"\xff\xfe").complains(1, &["rows.json"]);
}

#[test]
fn a_base_that_is_nowhere_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    changed(here, |task| task["base_model"] = json!("./gone"))
        .complains(1, &["no base model", "./gone", "--base"]);
    // Tests run without the network, and this cache is empty.
    fs::write(
        here.join("task.json"),
        fs::read(example("task.json")).unwrap(),
    )
    .unwrap();
    let task = here.join("task.json");
    let candidate = format!("it={}", example("candidates/careful").display());
    let done = finish(
        command()
            .args([
                "eval",
                "--offline",
                "--base",
                "nobody/nothing",
                "-c",
                &candidate,
            ])
            .arg(task)
            .env("HF_HUB_CACHE", here),
    );
    // The data file is relative to the task, so it is what is missed first.
    done.complains(1, &["eval.json"]);
    let done = finish(
        command()
            .args([
                "eval",
                "--offline",
                "--base",
                "nobody/nothing",
                "-c",
                &candidate,
            ])
            .arg(example("task.json"))
            .env("HF_HUB_CACHE", here),
    );
    done.complains(1, &["nobody/nothing", "not in the cache"]);
}

#[test]
fn a_candidate_that_cannot_be_fetched_has_no_score_and_the_others_do() {
    let directory = tempfile::tempdir().unwrap();
    let careful = format!("careful={}", example("candidates/careful").display());
    let eval = |candidates: &[&str]| {
        let mut eval = command();
        eval.args(["eval", "--offline"])
            .arg(example("task.json"))
            .env("HF_HUB_CACHE", directory.path());
        for candidate in candidates {
            eval.args(["-c", candidate]);
        }
        finish(&mut eval)
    };
    let done = eval(&["far=nobody/nothing", &careful]);
    assert_eq!(done.code, Some(3), "{}", done.stderr);
    assert!(
        done.stdout.contains("far has no score (fault: host)"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("1  careful"), "{}", done.stdout);
    eval(&["far=nobody/nothing"])
        .complains(1, &["no candidate can be fetched", "not in the cache"]);
}

#[test]
fn weights_that_are_cut_off_are_the_submissions_fault() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(
            example("candidates/careful").join(name),
            directory.path().join(name),
        )
        .unwrap();
    }
    let weights = directory.path().join("adapter_model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&weights, &bytes[..length]).unwrap();
        let done = evaluated(&example("task.json"), directory.path());
        assert_eq!(done.code, Some(3), "{length} bytes: {}", done.stderr);
        assert!(
            done.stdout.contains("it has no score (fault: submission)"),
            "{length} bytes: {}",
            done.stdout
        );
        assert!(
            done.stdout.contains("adapter_model.safetensors"),
            "{length} bytes: {}",
            done.stdout
        );
    }
}

#[test]
fn a_hostile_name_reaches_neither_terminal_nor_page() {
    let directory = tempfile::tempdir().unwrap();
    let (page, name) = (
        directory.path().join("r.html"),
        "\u{1b}[2J<script>alert(1)</script>\u{202e}",
    );
    let candidate = format!("{name}={}", example("candidates/careful").display());
    let done = finish(
        command()
            .args(["eval", "-c", &candidate, "--report"])
            .arg(&page)
            .arg(example("task.json")),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let page = fs::read_to_string(page).unwrap();
    for text in [&done.stdout, &page] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
}
