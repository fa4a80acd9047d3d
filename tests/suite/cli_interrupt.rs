//! Ctrl-C and readers that go away.
#![cfg(unix)]

use crate::binary::{command, example, finish, names};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn an_interrupted_run_leaves_no_file_of_any_kind() {
    for name in ["INT", "TERM"] {
        let directory = tempfile::tempdir().unwrap();
        let mut eval = command();
        eval.args(["eval", "--threads", "1"])
            .env("TMPDIR", directory.path());
        for option in ["--json", "--god-json", "--report"] {
            eval.arg(option)
                .arg(directory.path().join(option.trim_start_matches('-')));
        }
        let mut child = eval
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let started = lines
            .by_ref()
            .find(|line| line.as_ref().unwrap().contains("\"started\""));
        assert!(started.is_some(), "the run says that it started");
        signal(&child, name);
        let last = lines.last().unwrap().unwrap();
        assert!(last.contains("interrupted"), "{last}");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let mut stdout = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        assert_eq!(stdout, "", "no ranking of half a run");
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for arguments in [&["eval", "--quiet"][..], &["doctor"], &["eval", "--help"]] {
        let mut child = command()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn results_are_written_though_nobody_reads_the_ranking() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.json");
    let mut child = command()
        .args(["eval", "--json"])
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let results: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let expected: Value =
        serde_json::from_slice(&fs::read(example("expected.json")).unwrap()).unwrap();
    let candidates = results["candidates"].as_array().unwrap();
    let careful = candidates.iter().find(|c| c["name"] == "careful").unwrap();
    let loss = careful["result"]["eval_loss"].as_f64().unwrap();
    let reference = expected["task.json"]["candidates"]["careful"]["loss"]
        .as_f64()
        .unwrap();
    assert!(
        (loss - reference).abs() <= 1e-5,
        "{loss}, transformers says {reference}"
    );
    let done = finish(command().args(["eval", "--quiet"]).stdin(Stdio::null()));
    assert_eq!(done.code, Some(0));
}
