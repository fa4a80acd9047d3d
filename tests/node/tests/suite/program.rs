//! The double as a program.

use std::process::Command;

fn run(argument: &str) -> (Option<i32>, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_gradus-node"))
        .arg(argument)
        .output()
        .expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("its words are text");
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn help_lists_every_option() {
    let (code, stdout, _) = run("--help");
    assert_eq!(code, Some(0));
    for option in [
        "--port",
        "--tick-ms",
        "--tempo",
        "--rate-limit",
        "--commit-reveal",
        "--spec",
        "--validator",
        "--miner",
    ] {
        assert!(stdout.contains(option), "{option}: {stdout}");
    }
    let (code, _, stderr) = run("--halp");
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("--halp") && stderr.contains("--help"),
        "{stderr}"
    );
}
