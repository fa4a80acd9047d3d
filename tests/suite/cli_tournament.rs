//! `gradus tournament`: who may enter; files that grow by events, are replayed, shown, reported, and paid.

mod entry;
mod events;
mod files;
mod results;
mod succession;

use crate::binary::{Finished, command, finish, repository};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const BURN: &str = "5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu";

/// A played tournament.
fn golden(name: &str) -> PathBuf {
    let folder = repository().join("tasks/tests/golden/tournaments");
    folder.join(name)
}

fn lines(name: &str) -> Vec<String> {
    let text = fs::read_to_string(golden(name)).unwrap();
    text.lines().map(str::to_owned).collect()
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The text tournament's beginning.
    fn begun(&self) -> PathBuf {
        let path = self.path("t.jsonl");
        let done = finish(&mut self.new_command(&path, &["--champion", "former", "--wins", "1"]));
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        path
    }

    fn new_command(&self, path: &Path, more: &[&str]) -> Command {
        let entrants = self.file("entrants", "a\nb\n c \n\nd\ne\n");
        let mut command = command();
        command.args(["tournament", "new"]).arg(path);
        command.args(["--type", "text", "--seed", "11"]);
        if !more.contains(&"--id") {
            command.args(["--id", "tourn_text"]);
        }
        command.arg("--entrants").arg(entrants).args(more);
        command
    }

    fn apply(&self, path: &Path, events: &str, more: &[&str]) -> Finished {
        let events = self.file("events", events);
        let mut command = command();
        command.args(["tournament", "apply"]).arg(path).arg(events);
        finish(command.args(more))
    }
}

fn tournament(arguments: &[&str], path: &Path) -> Finished {
    let mut command = command();
    command.arg("tournament").arg(arguments[0]).arg(path);
    finish(command.args(&arguments[1..]))
}

fn show(path: &Path) -> Value {
    let done = tournament(&["show", "--json"], path);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}
