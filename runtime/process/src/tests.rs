use crate::{Capture, End, Ended, Excess, Run, RunError};
use gradus_owner::Owner;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than any of these programs takes, unless it has to be killed.
const LONG: Duration = Duration::from_secs(30);

/// Both outputs of a program that reads nothing.
fn quiet() -> Run {
    Run {
        input: Vec::new(),
        capture: Capture::Both,
        output_bytes_max: 64,
        excess: Excess::Drop,
        time_limit: LONG,
    }
}

fn shell(run: &Run, script: &str) -> Ended {
    let mut command = Command::new("/bin/sh");
    run.execute(command.args(["-c", script]))
        .unwrap_or_else(|error| panic!("{script}: {error}"))
}

#[test]
fn an_end_is_a_code_or_a_signal() {
    for code in [0, 3, 126, 255] {
        let ended = shell(&quiet(), &format!("echo out; exit {code}"));
        let expected = Ended {
            end: End::Code(code),
            output: b"out\n".to_vec(),
            exceeded: false,
        };
        assert_eq!(ended, expected);
    }
    assert_eq!(shell(&quiet(), "kill -9 $$").end, End::Signal(9));
}

#[test]
fn a_program_that_is_not_there_is_the_hosts_failure() {
    let error = quiet()
        .execute(&mut Command::new("/nowhere/program"))
        .expect_err("it is not there");
    assert!(matches!(error, RunError::Start(_)), "{error}");
    assert_eq!(error.owner(), Owner::Host);
}

#[test]
fn input_is_read_to_its_end_and_need_not_be_read() {
    let long = vec![b'x'; 1 << 20];
    let run = Run {
        input: long.clone(),
        output_bytes_max: long.len(),
        ..quiet()
    };
    let ended = shell(&run, "cat");
    assert_eq!((ended.end, ended.exceeded), (End::Code(0), false));
    assert!(ended.output == long, "{} bytes", ended.output.len());
    let blind = shell(&run, "echo no");
    assert_eq!((blind.end, &*blind.output), (End::Code(0), &b"no\n"[..]));
    let empty = shell(&quiet(), "cat; echo end");
    assert_eq!(&*empty.output, b"end\n");
}

#[test]
fn standard_error_is_read_only_where_it_is_asked_for() {
    let script = "echo error >&2; sleep 0.05; echo out";
    assert_eq!(&*shell(&quiet(), script).output, b"error\nout\n");
    let run = Run {
        capture: Capture::Stdout,
        ..quiet()
    };
    assert_eq!(&*shell(&run, script).output, b"out\n");
}

#[test]
fn output_above_the_limit_is_dropped_or_ends_the_program() {
    let print = |count: usize| format!("head -c {count} /dev/zero | tr '\\0' x");
    for (count, kept, exceeded) in [(64, 64, false), (65, 64, true), (1_000_000, 64, true)] {
        let ended = shell(&quiet(), &print(count));
        assert_eq!(ended.end, End::Code(0), "{count}");
        assert_eq!((ended.output.len(), ended.exceeded), (kept, exceeded));
    }
    let run = Run {
        excess: Excess::End,
        ..quiet()
    };
    assert_eq!(shell(&run, &print(64)).end, End::Code(0));
    // Whether it was still there to be killed or not.
    assert_eq!(shell(&run, &print(65)).end, End::OutputLimit);
    let started = Instant::now();
    assert_eq!(shell(&run, "yes").end, End::OutputLimit);
    assert!(started.elapsed() < LONG, "not at the time limit");
}

#[test]
fn nothing_of_a_program_lives_on_after_its_limit_or_its_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let late = directory.path().join("late");
    let child = format!("(sleep 2; : > {})", late.display());
    let limited = Run {
        time_limit: Duration::from_millis(200),
        ..quiet()
    };
    let started = Instant::now();
    // One holds its output open, one has closed it, and stays.
    for script in [
        format!("{child} & sleep 60"),
        format!("{child} & exec >&- 2>&-; sleep 60"),
    ] {
        assert_eq!(shell(&limited, &script).end, End::TimeLimit, "{script}");
    }
    // Two end and leave a child behind, which is not waited for.
    for script in [
        format!("{child} & exit 0"),
        format!("{child} >&- 2>&- & exit 0"),
    ] {
        assert_eq!(shell(&quiet(), &script).end, End::Code(0), "{script}");
    }
    assert!(started.elapsed() < Duration::from_secs(20));
    std::thread::sleep(Duration::from_millis(2_500));
    assert!(!late.exists(), "a child wrote after all");
}

#[test]
fn who_asks_at_a_terminal_is_ended_at_once_and_who_is_stopped_may_go_on() {
    let started = Instant::now();
    // As the kernel does to a group in the background that reads from its terminal, or sets it up.
    for signal in ["TTIN", "TTOU"] {
        let ended = shell(&quiet(), &format!("kill -{signal} $$; echo went on"));
        assert_eq!((ended.end, &*ended.output), (End::WantedTerminal, &b""[..]));
    }
    let stopped = "(sleep 0.2; kill -CONT $$) & kill -STOP $$; echo went on";
    let ended = shell(&quiet(), stopped);
    assert_eq!(
        (ended.end, &*ended.output),
        (End::Code(0), &b"went on\n"[..])
    );
    assert!(started.elapsed() < LONG, "not at the time limit");
}

#[test]
fn who_leaves_the_group_and_holds_the_pipe_is_not_waited_for() {
    let started = Instant::now();
    let ended = shell(&quiet(), "setsid sleep 5 & echo out");
    assert_eq!((ended.end, &*ended.output), (End::Code(0), &b"out\n"[..]));
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn who_waits_no_longer_ends_the_program_and_its_children() {
    let directory = tempfile::tempdir().expect("a directory");
    let late = directory.path().join("late");
    let script = format!("(sleep 1; : > {}) & sleep 60", late.display());
    let started = Instant::now();
    let mut command = Command::new("/bin/sh");
    let ended = quiet()
        .execute_unless(command.args(["-c", &script]), || {
            started.elapsed() > Duration::from_millis(100)
        })
        .expect("it runs");
    assert_eq!(ended.end, End::Stopped);
    assert!(started.elapsed() < Duration::from_secs(20));
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(!late.exists(), "a child wrote after all");
    // One that has ended before is not stopped.
    let mut command = Command::new("/bin/sh");
    let asked = std::cell::Cell::new(false);
    let ended = quiet().execute_unless(command.args(["-c", "exit 3"]), || {
        std::thread::sleep(Duration::from_millis(1));
        asked.replace(true) && started.elapsed() > LONG
    });
    assert_eq!(ended.expect("it runs").end, End::Code(3));
}
