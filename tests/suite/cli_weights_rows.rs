//! Rows on chain: whose they are, what they are compared with, and when they count.

use crate::binary::{Finished, command, finish, repository};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SUBNET: &str = "examples/weights/subnet.json";

fn subnet() -> Value {
    serde_json::from_slice(&fs::read(repository().join(SUBNET)).unwrap()).unwrap()
}

/// The example's record, and its snapshot after a validator set just that.
struct Row {
    folder: TempDir,
    audit: PathBuf,
    subnet: Value,
    hotkey: String,
    uids: Vec<usize>,
}

impl Row {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = folder.path().join("audit.json");
        let show = [
            "weights",
            "show",
            "examples/weights/results.json",
            "--subnet",
            SUBNET,
            "--audit",
        ];
        let done = finish(command().args(show).arg(&audit));
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let record: Value = serde_json::from_slice(&fs::read(&audit).unwrap()).unwrap();
        let mut subnet = subnet();
        let values = &record["gradus"]["values"];
        subnet["neurons"][3]["weights"] = values.clone();
        let uid = |pair: &Value| pair[0].as_u64().unwrap() as usize;
        Self {
            hotkey: subnet["neurons"][3]["hotkey"].as_str().unwrap().to_owned(),
            uids: values.as_array().unwrap().iter().map(uid).collect(),
            folder,
            audit,
            subnet,
        }
    }

    fn audited(&self, subnet: &Value, more: &[&str]) -> Finished {
        let path = self.folder.path().join("subnet.json");
        fs::write(&path, subnet.to_string()).unwrap();
        let mut command = command();
        command.args(["weights", "audit"]).arg(&self.audit);
        finish(command.arg("--subnet").arg(&path).args(more))
    }
}

fn simulated(hotkey: &str, row: &Path, more: &[&str]) -> Finished {
    let mut command = command();
    command.args(["weights", "simulate", SUBNET, "--hotkey", hotkey]);
    finish(command.arg("--weights").arg(row).args(more))
}

#[test]
fn a_row_passes_only_where_its_uids_are_whose_they_were() {
    let row = Row::new();
    let of = ["--hotkey", row.hotkey.as_str()];
    let done = row.audited(&row.subnet, &of);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(
        done.stdout
            .contains("passes: cosine 1; equal to the last unit"),
        "{}",
        done.stdout
    );

    let mut other = row.subnet.clone();
    other["netuid"] = json!(12);
    row.audited(&other, &of)
        .complains(1, &["subnet.json", "is of subnet 12", "record is of 56"]);
    row.audited(&row.subnet, &[])
        .complains(1, &["--subnet is not needed", "--hotkey"]);

    // One who is paid and one who is not change hands.
    let paid = row.uids.iter().copied().find(|uid| *uid != 3).unwrap();
    let unpaid = (0..64)
        .find(|uid| *uid != 3 && !row.uids.contains(uid))
        .unwrap();
    let mut moved = row.subnet.clone();
    moved["neurons"][unpaid]["hotkey"] = json!("somebody-else");
    assert_eq!(row.audited(&moved, &of).code, Some(0));
    moved["neurons"][paid]["hotkey"] = json!("somebody-new");
    let done = row.audited(&moved, &of);
    assert_eq!(done.code, Some(1), "{}", done.stdout);
    assert!(
        done.stdout.contains("does not pass: cosine 1"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains(&format!("uid {paid} was ")),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("and is somebody-new's"),
        "{}",
        done.stdout
    );
    let done = row.audited(&moved, &["--hotkey", &row.hotkey, "--json"]);
    let shown: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(shown["row"]["passes"], false);
    assert_eq!(shown["row"]["moved"][0]["uid"], paid);
    assert_eq!(shown["row"]["moved"].as_array().unwrap().len(), 1);
}

#[test]
fn a_vector_that_counts_for_nothing_is_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let row = folder.path().join("row.json");
    fs::write(&row, "[[5,1]]").unwrap();
    let subnet = subnet();
    let neurons = subnet["neurons"].as_array().unwrap();
    let of = |permit: bool| {
        let found = neurons.iter().find(|one| one["validator_permit"] == permit);
        found.unwrap()["hotkey"].as_str().unwrap()
    };
    let done = simulated(of(false), &row, &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let says = "does not count: it has no validator permit";
    assert!(done.stdout.contains(says), "{}", done.stdout);
    let done = simulated(of(false), &row, &["--json"]);
    let shown: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(shown["uncounted"], "it has no validator permit");
    let done = simulated(of(true), &row, &[]);
    assert!(!done.stdout.contains("does not count"), "{}", done.stdout);
}
