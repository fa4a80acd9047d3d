//! The official SDK takes the double for a node: it reads, sets weights in the open, and commits them under a timelock.

use crate::signer::{Signer, chain};
use gradus_node::{Blocks, Node, Spec, address, hex};
use serde_json::Value as Json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The SDK in an environment of its own below the target folder, made once; `None`, with a word on why, if no registry can be reached.
fn python() -> Option<PathBuf> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/requirements.txt");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bittensor-11.1.0");
    let python = home.join("bin/python");
    let done = home.join("done");
    if done.exists() {
        return Some(python);
    }
    // Not of a run that was cut off.
    let _ = std::fs::remove_dir_all(&home);
    let run = |program: &Path, arguments: &[&str]| {
        let run = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .output();
        match run {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(error.to_string()),
        }
    };
    let home = home.to_str().expect("a path of text");
    let requirements = requirements.to_str().expect("a path of text");
    let made = run(Path::new("python3"), &["-m", "venv", home]).and_then(|()| {
        let arguments = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--retries",
            "1",
        ];
        let arguments = [&arguments[..], &["--timeout", "10", "-r", requirements]].concat();
        run(&python, &arguments)
    });
    if let Err(why) = made {
        let last = why.trim().lines().last().unwrap_or("").to_owned();
        // Past the harness, which would keep it to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED sdk: no SDK to install: {last}");
        return None;
    }
    std::fs::write(done, "").expect("a mark is written");
    Some(python)
}

fn drive(python: &Path, node: &Node, seed: u8) -> Json {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/drive.py");
    let output = Command::new(python)
        .arg(script)
        .args([node.url(), hex::encode(&[seed; 32])[2..].to_owned()])
        .args(["56", "0=0.25", "2=1.0"])
        .output()
        .expect("Python runs");
    let error = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(said.trim()).unwrap_or_else(|_| panic!("{said}\n{error}"))
}

#[test]
fn the_official_sdk_reads_sets_and_commits() {
    let Some(python) = python() else { return };
    let alice = Signer::new(7);
    for (spec, commit_reveal) in [(Spec::V439, false), (Spec::V461, true)] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let chain = chain(&alice, |config, subnet| {
            config.spec = spec;
            // The SDK believes the metadata's time between blocks, and the clock.
            config.blocks = Blocks::Every(Duration::from_millis(250));
            config.block_time_ms = 250;
            config.start_ms = now.expect("after 1970").as_millis() as u64;
            subnet.commit_reveal = commit_reveal;
            subnet.tempo = 360;
            subnet.weights_set_rate_limit = 200;
        });
        let node = Node::serve(&chain).expect("a port");
        let said = drive(&python, &node, 7);
        assert_eq!(said["version"], "11.1.0");
        assert_eq!(said["spec_version"], spec.version());
        assert_eq!(said["hotkey"], address::encode(&alice.account()));
        assert_eq!(said["hotkeys"][0], said["hotkey"]);
        assert_eq!(said["hotkeys"].as_array().map(Vec::len), Some(4));
        assert_eq!(said["tempo"], 360);
        assert_eq!(said["commit_reveal"], commit_reveal);
        assert_eq!(said["success"], true, "{said}");
        assert_eq!(said["again"]["success"], false);
        assert!(said["again"]["message"].to_string().contains("rate limit"));
        let applied = chain.applied();
        assert_eq!(applied.len(), 1);
        assert_eq!(
            (applied[0].account, &applied[0].error),
            (alice.account(), &None)
        );
        let block = chain.block(applied[0].block_number).expect("it is");
        assert_eq!(said["block_hash"], hex::encode(&block.hash));
        if !commit_reveal {
            assert_eq!(applied[0].call, "set_weights");
            assert_eq!(chain.weights(56, 0, 0), [(0, 16384), (2, 65535)]);
            continue;
        }
        assert_eq!(applied[0].call, "commit_timelocked_weights");
        let dump = chain.dump(56);
        let commits = &dump["mechanisms"][0]["timelocked_commits"][0]["commits"];
        assert_eq!(commits[0]["hotkey"], hex::encode(&alice.account()));
        // Two uids: hotkey, vectors and key are 51 bytes, 244 are the cipher's.
        assert_eq!(commits[0]["commit_bytes"], 295);
    }
}
