//! Scores of the example, plans, progress lines, exit codes.

use crate::binary::{command, example, finish, peak_memory, run};
use serde_json::Value;

#[test]
fn without_arguments_the_embedded_example_is_ranked() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("r.json");
    let done = finish(
        command()
            .args(["eval", "--json"])
            .arg(&file)
            .env("TMPDIR", directory.path()),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let order: Vec<_> = ["careful", "scrambled", "hurried"]
        .iter()
        .map(|name| done.stdout.find(name).unwrap())
        .collect();
    assert!(order.is_sorted(), "{}", done.stdout);
    assert!(!done.stdout.contains('\u{1b}'), "a pipe gets no colours");
    let result: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let expected: Value =
        serde_json::from_slice(&std::fs::read(example("expected.json")).unwrap()).unwrap();
    for candidate in result["candidates"].as_array().unwrap() {
        let name = candidate["name"].as_str().unwrap();
        assert_eq!(candidate["source"], format!("example:candidates/{name}"));
        let loss = candidate["result"]["eval_loss"].as_f64().unwrap();
        let reference = expected["task.json"]["candidates"][name]["loss"]
            .as_f64()
            .unwrap();
        assert!(
            (loss - reference).abs() <= 1e-5,
            "{name}: {loss}, transformers says {reference}"
        );
    }
    assert_eq!(
        crate::binary::names(directory.path()),
        ["r.json"],
        "what was unpacked is gone"
    );
}

#[test]
fn progress_is_json_lines_that_begin_and_end() {
    let done = run(["eval"]);
    let events = done.events();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        (kinds[0], kinds[1], kinds[2]),
        ("opening", "started", "progress"),
        "{kinds:?}"
    );
    assert_eq!(kinds.last(), Some(&"finished"), "{kinds:?}");
    let times: Vec<f64> = events
        .iter()
        .map(|event| event["elapsed_s"].as_f64().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let fractions: Vec<f64> = events
        .iter()
        .filter_map(|event| event["fraction"].as_f64())
        .collect();
    assert!(
        fractions.is_sorted() && fractions.iter().all(|f| (0.0..=1.0).contains(f)),
        "{fractions:?}"
    );
    let end = events.last().unwrap();
    assert_eq!((&end["scored"], &end["failed"]), (&3.into(), &0.into()));
    let started = &events[1];
    assert_eq!(end["tokens"], started["tokens_total"]);
    for speed in ["seconds", "tokens_per_s", "flops_per_s"] {
        assert!(end[speed].as_f64().unwrap() > 0.0, "{end}");
    }
    assert!(
        end.get("of_floor").is_none(),
        "only GPUs have a floor: {end}"
    );
}

#[test]
fn quiet_is_quiet() {
    let done = run(["eval", "--quiet"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
}

#[test]
fn threads_instruction_sets_and_memory_change_no_bit() {
    let directory = tempfile::tempdir().unwrap();
    let losses = |options: &[&str]| -> Value {
        let file = directory.path().join("r.json");
        let candidate = format!("careful={}", example("candidates/careful").display());
        let mut eval = command();
        eval.args(["eval", "--quiet", "-c", &candidate, "--god-json"])
            .arg(&file)
            .arg(example("task.json"));
        let done = finish(eval.args(options));
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
    };
    let reference = losses(&[]);
    assert_eq!(losses(&["--threads", "1", "--memory", "70MiB"]), reference);
    assert_eq!(losses(&["--threads", "3", "--isa", "portable"]), reference);
}

#[test]
fn a_plan_is_printed_and_nothing_is_scored() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plan.json");
    let mut eval = command();
    let done = finish(
        eval.args(["eval", "--explain", "--memory", "1GiB", "--json"])
            .arg(&file),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stdout.contains("200 rows") && done.stdout.contains("memory"),
        "{}",
        done.stdout
    );
    assert!(!done.stdout.contains("careful"), "{}", done.stdout);
    let plan: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(plan["sets"][0]["rows"], 200);
    assert_eq!(plan["memory_bytes"], 1u64 << 30);

    let done = run(["eval", "--explain", "--report", "report.html"]);
    done.complains(2, &["--explain", "--report"]);
}

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_below_the_plan() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plan.json");
    for limit in ["70MiB", "200MiB"] {
        let options = ["eval", "--quiet", "--memory", limit];
        let explained = finish(
            command()
                .args(options)
                .args(["--explain", "--json"])
                .arg(&file),
        );
        assert_eq!(explained.code, Some(0), "{}", explained.stderr);
        let plan: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let planned = plan["planned_bytes"].as_u64().unwrap();
        let peak = peak_memory(command().args(options));
        assert!(peak > 10 << 20, "{peak} bytes are not a process");
        assert!(peak <= planned, "{limit}: {peak} of {planned} planned");
    }
}

#[test]
fn too_little_memory_names_the_least_that_works() {
    let done = run(["eval", "--memory", "1MiB"]);
    done.complains(1, &["too small", "--memory "]);
    let events = done.events();
    let help = events.last().unwrap()["help"].as_str().unwrap();
    let least = help.strip_prefix("--memory ").unwrap();
    let done = run(["eval", "--memory", least]);
    assert_eq!(done.code, Some(0), "{least}: {}", done.stderr);
}

#[test]
fn a_candidate_that_fails_leaves_the_others_their_scores() {
    let directory = tempfile::tempdir().unwrap();
    let (task, file) = (example("task.json"), directory.path().join("r.json"));
    let mut eval = command();
    eval.arg("eval").arg(task).arg("--json").arg(&file);
    for (name, path) in [
        ("empty", "data"),
        ("careful", "candidates/careful"),
        ("base", "model"),
    ] {
        eval.arg("-c")
            .arg(format!("{name}={}", example(path).display()));
    }
    let done = finish(&mut eval);
    assert_eq!(done.code, Some(3), "{}", done.stderr);
    assert!(
        done.stdout
            .contains("empty has no score (fault: submission)"),
        "{}",
        done.stdout
    );
    assert!(
        done.events()
            .iter()
            .any(|event| event["event"] == "candidate_failed" && event["name"] == "empty")
    );
    let result: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let statuses: Vec<_> = result["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["result"]["status"])
        .collect();
    assert_eq!(statuses, ["failed", "scored", "scored"]);
    let ranking = result["comparison"]["ranking"].as_array().unwrap();
    assert_eq!(
        (&ranking[0]["name"], &ranking[0]["place"]),
        (&"careful".into(), &1.into())
    );
    assert_eq!(
        (&ranking[1]["name"], &ranking[1]["place"]),
        (&"base".into(), &Value::Null),
        "the base is no fine-tune"
    );
}
