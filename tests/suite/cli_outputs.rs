//! Result files: whole or not there, readable, self-contained.

use crate::binary::{command, example, finish, gradus, names, run};
use serde_json::Value;
use std::fs;
use std::process::Command;

fn careful() -> String {
    format!("careful={}", example("candidates/careful").display())
}

#[test]
fn both_result_files_say_the_same_and_replace_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, subnets) = (
        directory.path().join("ours.json"),
        directory.path().join("subnets.json"),
    );
    fs::write(&ours, "old").unwrap();
    let done = finish(
        command()
            .args(["eval", "--json"])
            .arg(&ours)
            .arg("--god-json")
            .arg(&subnets),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let read = |path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let (ours, subnets) = (read(&ours), read(&subnets));
    assert_eq!(ours["schema"], "gradus.evaluation.v1");
    assert_eq!(subnets["model_params_count"], ours["model_params_count"]);
    for candidate in ours["candidates"].as_array().unwrap() {
        let theirs = &subnets[candidate["name"].as_str().unwrap()];
        for field in [
            "is_finetune",
            "eval_loss",
            "per_example_losses",
            "eval_set_fingerprint",
        ] {
            assert_eq!(theirs[field], candidate["result"][field], "{field}");
        }
    }
    assert_eq!(names(directory.path()), ["ours.json", "subnets.json"]);
}

#[test]
fn the_report_is_one_file_that_fetches_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.html");
    let done = finish(command().args(["eval", "--report"]).arg(&path));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let page = fs::read_to_string(path).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for part in ["careful", "hurried", "scrambled", "<svg", "Provenance"] {
        assert!(page.contains(part), "{part}");
    }
    for reference in [
        "http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
    for tag in [
        "svg", "table", "tr", "td", "section", "figure", "div", "g", "text", "p",
    ] {
        let opened =
            page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_place_that_takes_no_file_is_found_before_the_work() {
    let done = run(["eval", "--json", "/no/such/directory/r.json"]);
    done.complains(1, &["/no/such/directory", "help"]);
    assert!(!done.stderr.contains("started"), "{}", done.stderr);
    run(["eval", "--report", "examples"]).complains(1, &["is a directory"]);
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file_and_no_part_of_the_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.json");
    fs::write(&path, "old").unwrap();
    // A limit on the size of files stops a write where a full disk would.
    let limited = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let done = finish(
        Command::new("sh")
            .args(["-c", limited, "sh"])
            .arg(gradus())
            .args(["eval", "-c", &careful(), "--json"])
            .arg(&path)
            .arg(example("task.json")),
    );
    done.complains(
        1,
        &[
            "r.json was not written",
            "what was there before is there unchanged",
        ],
    );
    assert!(
        done.stdout.contains("careful"),
        "the ranking is not lost: {}",
        done.stdout
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(directory.path()), ["r.json"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error() {
    run(["eval", "--quiet", "--json", "/dev/full"]).complains(1, &["/dev/full was not written"]);
}
