//! Files of `gradus tournament` and `gradus weights`: outputs destroy no input, two who make one file make one, what is added keeps the file's mode,
//! and pipes are not waited for.

use crate::binary::{Finished, command, finish, names, repository};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const ENTRANTS: &str = "a\nb\nc\nd\ne\n";

/// A folder with a copy of a tournament that is over.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::copy(golden(), place.path("t.jsonl")).unwrap();
        place.file("p", "a\n");
        place.file("entrants", ENTRANTS);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A command in the folder.
    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = command();
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    fn run(&self, line: &str) -> Finished {
        finish(&mut self.command(line.split_whitespace()))
    }

    fn new_command(&self, name: &str) -> Command {
        let line = "tournament new --id t --type text --seed 11 --entrants entrants";
        self.command(line.split_whitespace().chain([name]))
    }
}

fn golden() -> PathBuf {
    repository().join("tasks/tests/golden/tournaments/text.jsonl")
}

fn is_whole(path: &Path) {
    assert_eq!(fs::read(path).unwrap(), fs::read(golden()).unwrap());
}

#[test]
fn no_output_replaces_what_it_was_made_of() {
    let place = Place::new();
    let tournament = place.path("t.jsonl");
    fs::hard_link(&tournament, place.path("hard")).unwrap();
    symlink(&tournament, place.path("soft")).unwrap();
    for line in [
        "tournament report t.jsonl --html t.jsonl",
        "tournament report t.jsonl --html ./t.jsonl",
        "tournament report t.jsonl --html hard",
        "tournament report soft --html t.jsonl",
        "tournament replay t.jsonl --state t.jsonl",
        "tournament replay t.jsonl --result soft",
        "weights collect t.jsonl --participants p -o t.jsonl",
        "weights collect p t.jsonl --participants t.jsonl -o hard",
    ] {
        place
            .run(line)
            .complains(2, &["is read by this command", "name another file"]);
        is_whole(&tournament);
        is_whole(&place.path("hard"));
        is_whole(&place.path("soft"));
    }
    let whole = place.path("o");
    for other in ["o", "./o", whole.to_str().unwrap()] {
        let line = format!("tournament replay t.jsonl --state o --result {other}");
        place.run(&line).complains(2, &["two results"]);
        assert!(!whole.exists());
    }
    let example = repository().join("examples/weights");
    for name in ["results.json", "subnet.json"] {
        fs::copy(example.join(name), place.path(name)).unwrap();
        let line = format!("weights show results.json --subnet subnet.json --audit {name}");
        place.run(&line).complains(2, &["is read by this command"]);
        let kept = fs::read(place.path(name)).unwrap();
        assert_eq!(kept, fs::read(example.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn of_several_who_make_one_tournament_one_does() {
    let place = Place::new();
    let children: Vec<_> = (0..6)
        .map(|_| {
            let mut new = place.new_command("new.jsonl");
            new.stdout(Stdio::null()).stderr(Stdio::piped());
            new.spawn().unwrap()
        })
        .collect();
    let mut made = 0;
    for child in children {
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        match done.status.code() {
            Some(0) => made += 1,
            code => assert!(
                code == Some(1) && said.contains("is there already"),
                "{said}"
            ),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(
        names(place.0.path()),
        ["entrants", "new.jsonl", "p", "t.jsonl"]
    );
}

#[test]
fn what_is_added_keeps_the_files_mode_and_removes_what_a_kill_left() {
    let place = Place::new();
    assert_eq!(finish(&mut place.new_command("n.jsonl")).code, Some(0));
    let path = place.path("n.jsonl");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let left = place.file(".n.jsonlAb3dEf.tmp", "half an ev");
    place.file("started", "{\"event\":\"started\"}");
    let done = place.run("tournament apply n.jsonl started --stamp");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!left.exists());
}

#[test]
fn who_cannot_be_told_what_follows_is_told_that_the_events_are_there() {
    let place = Place::new();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let new = finish_to(place.new_command("n.jsonl"), full());
    new.complains(1, &["the tournament is in n.jsonl", "do not do it again"]);
    place.file("started", "{\"event\":\"started\"}");
    let line = "tournament apply n.jsonl started --stamp";
    let applied = finish_to(place.command(line.split(' ')), full());
    applied.complains(1, &["the events are in n.jsonl", "do not do it again"]);
    let text = fs::read_to_string(place.path("n.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
}

/// Runs a command whose output goes somewhere.
fn finish_to(mut command: Command, stdout: Stdio) -> Finished {
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn();
    let done = child.unwrap().wait_with_output().unwrap();
    Finished {
        code: done.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

#[test]
fn a_replay_up_to_an_event_reads_none_after_it() {
    let place = Place::new();
    let text = fs::read_to_string(golden()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[9] = "no event at all";
    place.file("bad.jsonl", &lines.join("\n"));
    let until = |number: usize| {
        let line = format!("tournament replay bad.jsonl --until {number}");
        place.run(&line)
    };
    let done = until(8);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(
        done.stdout,
        place.run("tournament replay t.jsonl --until 8").stdout
    );
    until(9).complains(1, &["line 10"]);
}

#[test]
fn older_rules_do_not_pay_for_a_tournament_by_newer_ones() {
    let place = Place::new();
    let line = "weights collect t.jsonl --participants p --rules 2025-12-12-86623e97";
    place.run(line).complains(1, &["t.jsonl", "are newer than"]);
}

#[test]
fn a_pipe_in_a_tournaments_place_is_not_waited_for() {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.path("pipe")).status();
    assert!(made.unwrap().success());
    place.file("started", "{\"event\":\"started\"}");
    for line in [
        "tournament show pipe",
        "tournament apply pipe started --stamp",
        "weights collect pipe --participants p",
    ] {
        place.run(line).complains(1, &["pipe", "no plain file"]);
    }
}

#[test]
fn events_are_not_added_to_one_of_two_names() {
    let place = Place::new();
    assert_eq!(finish(&mut place.new_command("n.jsonl")).code, Some(0));
    place.file("started", "{\"event\":\"started\"}");
    fs::hard_link(place.path("n.jsonl"), place.path("hard")).unwrap();
    symlink(place.path("n.jsonl"), place.path("soft")).unwrap();
    for name in ["n.jsonl", "hard", "soft"] {
        let done = place.run(&format!("tournament apply {name} started --stamp"));
        done.complains(1, &["has 2 names (hard links)", "remove the others"]);
    }
    fs::remove_file(place.path("hard")).unwrap();
    let done = place.run("tournament apply soft started --stamp");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(place.path("soft").is_symlink());
    let text = fs::read_to_string(place.path("n.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn a_tournament_does_not_grow_in_standard_input() {
    let place = Place::new();
    place.file("started", "{\"event\":\"started\"}");
    let new = finish(&mut place.new_command("-"));
    new.complains(2, &["FILE is `-`", "./-"]);
    assert!(!place.path("-").exists());
    let apply = "tournament apply - started --stamp";
    place.run(apply).complains(2, &["FILE is `-`", "./-"]);
    // A file can be called so.
    assert_eq!(finish(&mut place.new_command("./-")).code, Some(0));
    let done = place.run("tournament apply ./- started --stamp");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

#[test]
fn who_has_no_room_for_events_is_told_that_the_tournament_is_as_it_was() {
    let place = Place::new();
    assert_eq!(finish(&mut place.new_command("n.jsonl")).code, Some(0));
    let before = fs::read(place.path("n.jsonl")).unwrap();
    let reason = "x".repeat(900);
    let left = ENTRANTS.lines().map(|hotkey| {
        format!("{{\"event\":\"left\",\"hotkey\":\"{hotkey}\",\"why\":\"withdrawn\"}}\n")
    });
    let started = "{\"event\":\"started\"}\n".to_owned();
    let failed = format!("{{\"event\":\"prep_failed\",\"task\":1,\"reason\":\"{reason}\"}}\n");
    let events: String = std::iter::once(started)
        .chain([failed])
        .chain(left)
        .collect();
    place.file("events", &events);
    // A limit on the size of files stops a write where a full disk would: 512 bytes.
    let limited = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let apply = place.command("tournament apply n.jsonl events --stamp".split(' '));
    let mut shell = Command::new("sh");
    shell
        .current_dir(place.0.path())
        .args(["-c", limited, "sh"]);
    shell.arg(apply.get_program()).args(apply.get_args());
    let done = finish(&mut shell);
    done.complains(
        1,
        &[
            "n.jsonl is as it was: the events were not added",
            "make room",
        ],
    );
    assert!(!done.stderr.contains("no part of it"), "{}", done.stderr);
    assert_eq!(fs::read(place.path("n.jsonl")).unwrap(), before);
    let done = place.run("tournament apply n.jsonl events --stamp");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}
