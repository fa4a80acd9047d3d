//! Help, versions, and arguments that do not fit.

use crate::binary::{command, example, run};

#[test]
fn help_names_every_command_and_every_exit_code() {
    let help = run(["--help"]);
    assert_eq!(help.code, Some(0));
    for command in ["eval", "doctor"] {
        assert!(help.stdout.contains(command), "{}", help.stdout);
    }
    let help = run(["eval", "--help"]);
    assert_eq!(help.code, Some(0));
    for text in [
        "--candidate",
        "--json",
        "--god-json",
        "--report",
        "--memory",
        "--threads",
        "--explain",
        "130",
    ] {
        assert!(help.stdout.contains(text), "{text}: {}", help.stdout);
    }
}

#[test]
fn the_version_names_the_numerics() {
    let short = run(["-V"]);
    assert_eq!(
        (short.code, short.stdout.trim()),
        (Some(0), concat!("gradus ", env!("CARGO_PKG_VERSION")))
    );
    let long = run(["--version"]);
    assert!(
        long.stdout.contains("numerics ") && long.stdout.contains(std::env::consts::ARCH),
        "{}",
        long.stdout
    );
}

#[test]
fn nothing_and_nonsense_are_usage_errors() {
    run::<&str>([]).complains(2, &["Usage"]);
    run(["evaluate"]).complains(2, &["evaluate", "eval"]);
    run(["eval", "--threds", "2"]).complains(2, &["--threds", "--threads"]);
}

#[test]
fn an_amount_of_memory_needs_a_unit_that_is_known() {
    run(["eval", "--memory", "2"]).complains(2, &["2 has no unit", "2GiB"]);
    run(["eval", "--memory", "2GiBs"]).complains(2, &["not a unit", "KiB"]);
    run(["eval", "--memory", "much"]).complains(2, &["does not start with a number"]);
    run(["eval", "--memory", "0MB"]).complains(2, &["out of range"]);
}

#[test]
fn threads_and_instruction_sets_have_limits() {
    run(["eval", "--threads", "0"]).complains(2, &["--threads"]);
    run(["eval", "--isa", "sse9"]).complains(2, &["avx512", "portable"]);
}

#[test]
fn candidates_need_names_of_their_own_and_a_place() {
    let task = example("task.json");
    let task = task.to_str().unwrap();
    run(["eval", task]).complains(2, &["no candidate"]);
    run(["eval", "-c", "x=examples/text/model"]).complains(2, &["no task"]);
    run(["eval", task, "-c", "=x"]).complains(2, &["NAME=PATH"]);
    run(["eval", task, "-c", "model_params_count=x"]).complains(2, &["model_params_count"]);
    run(["eval", task, "-c", "x=./no/such"]).complains(2, &["no directory ./no/such"]);
    let twice = [
        "eval",
        task,
        "-c",
        "x=examples/text/model",
        "-c",
        "x=examples/text/candidates/careful",
    ];
    run(twice).complains(2, &["two candidates are called", "another name"]);
}

#[test]
fn no_result_overwrites_an_input_or_another_result() {
    let directory = tempfile::tempdir().unwrap();
    let candidate = example("candidates/careful").display().to_string();
    let copy = |name: &str| {
        let to = directory.path().join(name);
        std::fs::copy(example(name), &to).unwrap();
        to
    };
    std::fs::create_dir(directory.path().join("data")).unwrap();
    let (task, data) = (copy("task.json"), copy("data/eval.json"));
    let base = example("model").display().to_string();
    let with = |json: &std::path::Path, more: &[&str]| {
        let json = json.display().to_string();
        let task = task.display().to_string();
        let mut arguments = vec!["eval", &task, "-c", &candidate, "--base", &base];
        arguments.extend(["--json", &json]);
        arguments.extend(more);
        run(arguments)
    };
    let before = [&task, &data].map(|file| std::fs::read(file).unwrap());
    for input in [&task, &data] {
        with(input, &[]).complains(2, &["would replace it"]);
    }
    with(&example("model/config.json"), &[]).complains(2, &["would overwrite it"]);
    assert_eq!(
        [&task, &data].map(|file| std::fs::read(file).unwrap()),
        before
    );
    let same = directory.path().join("same");
    let other = directory.path().join("data/../same").display().to_string();
    with(&same, &["--report", &other]).complains(2, &["two results"]);
    assert!(!same.exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_stdout_is_an_error_and_results_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("r.json");
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = command()
        .args(["eval", "--quiet", "--json"])
        .arg(&file)
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(std::fs::read_to_string(&file).unwrap().contains("careful"));
}
