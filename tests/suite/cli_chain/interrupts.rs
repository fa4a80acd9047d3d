//! Ctrl-C while somebody else is waited for: it is honoured at once, and leaves nothing running.

use super::*;
use std::net::TcpListener;
use std::process::Child;
use std::time::Instant;

/// Far less than what is waited for.
const SOON: Duration = Duration::from_secs(20);

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status();
    assert!(sent.unwrap().success());
}

/// Interrupts a command; what it says, and whether it ended soon with the code of one that was interrupted.
#[track_caller]
fn interrupted(child: Child) -> String {
    let started = Instant::now();
    interrupt(&child);
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(130), "{said}");
    assert!(started.elapsed() < SOON, "{said}");
    said
}

#[test]
fn a_signer_that_hangs_is_killed() {
    let place = Place::new(1, |_| ());
    let pid = place.path("pid");
    let script = format!(
        "#!/bin/sh\nsleep 300 &\necho $! > {0}.new; mv {0}.new {0}\nwait\n",
        pid.display()
    );
    let signer = place.write("sign", script.as_bytes(), 0o755);
    let mut set = place.weights("set", &["--yes", "--signer-timeout", "300"]);
    set.arg("--values").arg(place.path("values.json"));
    set.arg("--signer").arg(signer);
    set.args(["--hotkey", &golden("ss58")]);
    let child = set.stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
    let child = child.unwrap();
    while !pid.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = interrupted(child);
    assert!(said.contains("asked to stop"), "{said}");
    let sleeper = fs::read_to_string(pid).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", sleeper.trim()));
    // Gone, or dead and waiting for whoever inherits it.
    assert!(
        state.as_ref().map_or(true, |stat| stat.contains(") Z")),
        "{state:?}"
    );
    // What was planned is still there to be gone on with or given up.
    assert_eq!(place.status()["status"]["intents"][0]["word"], "planned");
}

#[test]
fn a_node_that_says_nothing_is_not_waited_for() {
    let place = Place::new(0, |_| ());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", silent.local_addr().unwrap());
    let mut set = place.set(&["--yes", "--timeout", "300", "--endpoint", &url]);
    let child = set.stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
    let child = child.unwrap();
    let _held = silent.accept().unwrap();
    let said = interrupted(child);
    assert!(said.contains("\"interrupted\""), "{said}");
    assert!(!place.path("state").exists(), "nothing is written down");
}
