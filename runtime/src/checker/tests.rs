use super::*;

const LONG: Duration = Duration::from_secs(30);

/// A checker that is a shell script; `$1` is the repository, `$2` the commit.
fn shell(script: &str, limit: Duration) -> Checker {
    let words = ["-c", script, "checker", "{repo}", "{commit}"];
    Checker::with_limit("/bin/sh", words.map(str::to_owned).to_vec(), limit)
}

fn commit() -> Commit {
    Commit::Sha("0123456789abcdef0123456789abcdef01234567".to_owned())
}

fn run(script: &str, limit: Duration) -> Result<Checked, CheckerError> {
    shell(script, limit).check("https://github.com/a/b", &commit(), &["SECRET"])
}

#[test]
fn code_0_is_clean_and_every_other_one_is_rejected() {
    let checked = run("echo \"$1 $2\"", LONG).unwrap();
    assert_eq!(checked.verdict, CheckVerdict::Clean);
    assert_eq!(
        checked.output,
        format!("https://github.com/a/b {}\n", commit())
    );
    for code in [1, 3, 126, 255] {
        let checked = run(&format!("echo found >&2; exit {code}"), LONG).unwrap();
        assert_eq!(checked.verdict, CheckVerdict::Rejected { code });
        assert_eq!(checked.output, "found\n");
    }
}

#[test]
fn a_checker_that_does_not_end_is_killed_and_the_source_rejected() {
    let checked = run("echo begun; sleep 60", Duration::from_millis(200)).unwrap();
    assert_eq!(checked.verdict, CheckVerdict::TimedOut { limit_ms: 200 });
    assert_eq!(checked.output, "begun\n");
}

#[test]
fn a_missing_program_and_a_signal_are_this_hosts_failures() {
    let missing = Checker::with_limit("/nowhere/checker", Vec::new(), LONG);
    let error = missing.check("x", &commit(), &[]).unwrap_err();
    assert!(
        matches!(
            error,
            CheckerError::Run {
                source: RunError::Start(_),
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.owner(), Owner::Host);
    assert!(error.to_string().contains("/nowhere/checker"), "{error}");
    let error = run("kill -KILL $$", LONG).unwrap_err();
    assert!(
        matches!(error, CheckerError::Killed { signal: 9, .. }),
        "{error}"
    );
    assert_eq!(error.owner(), Owner::Host);
}

#[test]
fn output_is_kept_up_to_a_limit_and_a_checker_that_prints_more_still_ends() {
    let checked = run(
        "head -c 1000000 /dev/zero | tr '\\0' x; printf '\\033[31m'",
        LONG,
    )
    .unwrap();
    assert_eq!(checked.verdict, CheckVerdict::Clean);
    assert_eq!(checked.output.len(), OUTPUT_BYTES_MAX);
    let checked = run("printf 'a\\033[31mb\\007\\n'", LONG).unwrap();
    assert_eq!(checked.output, "a[31mb\n");
}

#[test]
fn a_secret_among_the_arguments_stops_it_before_it_starts() {
    let directory = tempfile::tempdir().unwrap();
    let ran = directory.path().join("ran");
    let checker = shell(&format!(": > {}", ran.display()), LONG);
    let error = checker
        .check("https://SECRET@github.com/a/b", &commit(), &["", "SECRET"])
        .unwrap_err();
    assert!(matches!(error, CheckerError::Secret { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("SECRET"));
    assert!(!ran.exists());
}

#[test]
fn the_environment_is_no_more_than_what_a_program_needs() {
    let checked = run("env", LONG).unwrap();
    for line in checked.output.lines() {
        let name = line.split('=').next().unwrap();
        // The shell's own are not ours.
        let own = ["PWD", "SHLVL", "_", "OLDPWD", "GIT_TERMINAL_PROMPT"];
        assert!(VARIABLES.contains(&name) || own.contains(&name), "{line}");
    }
    assert!(!checked.output.contains("CARGO"));
}

#[test]
fn arguments_and_limit_are_the_rule_sets() {
    let rules = gradus_tasks::RuleSet::newest().entry.obfuscation;
    let checker = Checker::new("checker", &rules);
    assert_eq!(
        checker.arguments,
        ["--repo", "{repo}", "--commit", "{commit}"]
    );
    assert_eq!(checker.limit, Duration::from_secs(60));
}
