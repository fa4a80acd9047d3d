//! `gradus weights set` and `status` against a double of the chain's node: what is shown, what lands and is proven, what is refused and by which
//! words, and what a kill leaves.
//!
//! | module | is about |
//! |---|---|
//! | `interrupts` | Ctrl-C while somebody else is waited for |
//! | `operator` | what operators get wrong, and what they are told |

mod interrupts;
mod operator;

use crate::binary::{Finished, command, finish, repository};
use gradus_node::{Blocks, Chain, ChainConfig, Fault, Neuron, Node, SubnetConfig, address, hex};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const NETUID: u16 = 56;
/// The validator's place; miners have the uids before it.
const UID: u16 = 3;
/// As the runtime's constant says.
const BLOCK_TIME_MS: u64 = 250;
/// How fast blocks come.
const TICK: Duration = Duration::from_millis(50);
/// What the chain stores of the values that these tests set.
const STORED: [(u16, u16); 2] = [(0, 16_384), (2, 65_535)];

/// The golden key: a development mnemonic, nobody's.
fn golden(field: &str) -> String {
    let path = repository().join("runtime/chain/tests/golden/keyfile-vectors.json");
    let golden: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    golden[field].as_str().unwrap().to_owned()
}

/// A chain, its nodes, and an operator's directory.
struct Place {
    directory: TempDir,
    chain: Chain,
    nodes: Vec<Node>,
}

impl Place {
    fn new(nodes: usize, edit: impl FnOnce(&mut SubnetConfig)) -> Self {
        let own = address::decode(&golden("ss58")).unwrap();
        let mut neurons: Vec<_> = (0..UID)
            .map(|uid| Neuron::miner([uid as u8 + 1; 32]))
            .collect();
        neurons.push(Neuron::validator(own));
        let mut subnet = SubnetConfig {
            netuid: NETUID,
            neurons,
            ..SubnetConfig::default()
        };
        edit(&mut subnet);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let chain = Chain::start(ChainConfig {
            blocks: Blocks::Every(TICK),
            start_ms: now.as_millis() as u64 - 60_000,
            block_time_ms: BLOCK_TIME_MS,
            kept_states: 4_096,
            subnets: vec![subnet],
            ..ChainConfig::default()
        });
        chain.produce_to(10);
        let directory = tempfile::tempdir().unwrap();
        let place = Self {
            nodes: (0..nodes).map(|_| Node::serve(&chain).unwrap()).collect(),
            chain,
            directory,
        };
        place.write("key", golden("plain_keyfile").as_bytes(), 0o600);
        place.write("values.json", b"[[0,50],[2,200]]", 0o644);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn weights(&self, word: &str, more: &[&str]) -> Command {
        let drand = self.chain.drand();
        let beacon = format!(
            "{}:{}:{}",
            drand.public_key(),
            drand.genesis_s(),
            drand.period_s()
        );
        let mut weights = command();
        weights.args(["weights", word, "--network", "local", "--netuid", "56"]);
        weights.args(["--beacon", &beacon]);
        for node in &self.nodes {
            weights.args(["--endpoint", &node.url()]);
        }
        if !more.contains(&"--state") {
            weights.arg("--state").arg(self.path("state"));
        }
        weights.args(more);
        weights
    }

    fn set(&self, more: &[&str]) -> Command {
        let mut set = self.weights("set", more);
        if !more.contains(&"--keyfile") {
            set.arg("--keyfile").arg(self.path("key"));
        }
        if !more.contains(&"--resume") && !more.contains(&"--values") {
            set.arg("--values").arg(self.path("values.json"));
        }
        set
    }

    fn applied(&self) -> usize {
        let own = address::decode(&golden("ss58")).unwrap();
        self.chain.applied_by(own)
    }

    fn row(&self) -> Vec<(u16, u16)> {
        self.chain.weights(NETUID, 0, UID)
    }

    fn status(&self) -> Value {
        let mut status = self.weights("status", &["--json"]);
        json_of(&finish(&mut status))
    }
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}

fn is_secret_free(finished: &Finished) {
    for secret in ["mnemonic", "password"] {
        let secret = golden(secret);
        assert!(!finished.stdout.contains(&secret) && !finished.stderr.contains(&secret));
    }
}

#[test]
fn without_yes_it_shows_what_would_change_and_touches_nothing() {
    let place = Place::new(2, |_| ());
    let done = finish(&mut place.set(&[]));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for text in [
        "method plain",
        "65535",
        "the chain would take it",
        "2 values change",
    ] {
        assert!(done.stdout.contains(text), "{text:?}: {}", done.stdout);
    }
    let shown = json_of(&finish(&mut place.set(&["--json"])));
    assert_eq!(shown["accepted"], true);
    let miner = address::encode(&[3; 32]);
    let change = json!({"uid": 2, "hotkey": miner, "now": 0, "then": 65_535});
    assert_eq!(shown["changes"][1], change);
    assert_eq!(place.applied(), 0);
    assert!(place.chain.submissions().is_empty());
    assert!(!place.path("state").exists(), "nothing is written down");
    is_secret_free(&done);
}

#[test]
fn plain_weights_are_verified_and_set_again_is_refused_until_a_block_that_is_waited_for() {
    let place = Place::new(2, |subnet| subnet.weights_set_rate_limit = 40);
    let done = finish(&mut place.set(&["--yes", "--json"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let status = json_of(&done);
    assert_eq!(status["intents"][0]["word"], "verified", "{status}");
    assert_eq!(place.row(), STORED);
    assert_eq!(place.applied(), 1);
    let events = done.events();
    assert!(
        events.iter().all(|event| event["event"] == "record") && events.len() >= 4,
        "{}",
        done.stderr
    );
    let kept = place.status();
    assert_eq!(kept["status"]["intents"][0]["word"], "verified", "{kept}");

    let updated = place.chain.last_update(NETUID, 0, UID);
    let again = finish(&mut place.set(&["--yes"]));
    let retry = format!("retry at block {}", updated + 40);
    again.complains(1, &[&retry, "nothing was signed"]);
    assert_eq!(place.applied(), 1);

    place.write("values.json", b"[[0,1],[1,1]]", 0o644);
    let waited = finish(&mut place.set(&["--yes", "--wait"]));
    assert_eq!(waited.code, Some(0), "{}", waited.stderr);
    assert!(waited.stderr.contains("\"waits\""), "{}", waited.stderr);
    assert_eq!(place.row(), [(0, 65_535), (1, 65_535)]);
    assert_eq!(place.applied(), 2);
    is_secret_free(&waited);
}

#[test]
fn timelocked_weights_are_verified_once_the_chain_has_opened_them() {
    let place = Place::new(1, |subnet| subnet.commit_reveal = true);
    let shown = finish(&mut place.set(&[]));
    assert!(
        shown.stdout.contains("method timelocked"),
        "{}",
        shown.stdout
    );
    let done = finish(&mut place.set(&["--yes"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("verified"), "{}", done.stdout);
    assert!(done.stderr.contains("revealed in block"), "{}", done.stderr);
    assert_eq!(place.row(), STORED);
    let activity = finish(&mut place.weights("status", &["--hotkey", &golden("ss58")]));
    assert_eq!(activity.code, Some(0), "{}", activity.stderr);
    assert!(
        activity.stdout.contains("blocks from inactive"),
        "{}",
        activity.stdout
    );
}

#[test]
fn a_node_that_lies_is_named_and_two_that_do_not_decide() {
    let place = Place::new(3, |_| ());
    let keys = [gradus_node::Key::U16(NETUID), gradus_node::Key::U16(2)];
    let storage = place.chain.storage();
    place.nodes[1].inject(Fault::Lie {
        key: storage.runtime().key(("SubtensorModule", "Keys"), &keys),
        value: Some(vec![9; 32]),
    });
    let done = finish(&mut place.set(&["--yes"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let left_out: Vec<Value> = done.events();
    let named = left_out
        .iter()
        .find(|event| event["event"] == "left_out")
        .unwrap_or_else(|| panic!("{}", done.stderr));
    assert_eq!(named["url"], place.nodes[1].url());
    assert_eq!(place.row(), STORED);
    // Of two, nobody can say which one lies: it is named, and nothing is done.
    let mut two = command();
    two.args([
        "weights",
        "set",
        "--network",
        "local",
        "--netuid",
        "56",
        "--yes",
    ]);
    for node in &place.nodes[..2] {
        two.args(["--endpoint", &node.url()]);
    }
    two.arg("--values").arg(place.path("values.json"));
    two.arg("--keyfile").arg(place.path("key"));
    two.arg("--state").arg(place.path("other"));
    let done = finish(&mut two);
    done.complains(1, &["at least 2 nodes agree", &place.nodes[1].url()]);
}

#[test]
fn other_chains_are_refused_by_name() {
    let place = Place::new(1, |_| ());
    let mut finney = command();
    finney.args([
        "weights",
        "set",
        "--network",
        "finney",
        "--agree",
        "1",
        "--yes",
    ]);
    finney.args(["--endpoint", &place.nodes[0].url()]);
    finney.arg("--values").arg(place.path("values.json"));
    finney.arg("--keyfile").arg(place.path("key"));
    finney.arg("--state").arg(place.path("state"));
    finish(&mut finney).complains(1, &["belongs to another network", "0x2f0555cc"]);

    // A directory of one chain is not another's, though both are local.
    assert_eq!(finish(&mut place.set(&["--yes"])).code, Some(0));
    place.nodes[0].inject(Fault::Genesis([9; 32]));
    let other = finish(&mut place.set(&["--yes"]));
    other.complains(1, &["holds the state of", "use another state directory"]);
    assert_eq!(place.applied(), 1);
}

#[test]
fn keys_that_others_can_read_or_that_do_not_open_are_refused() {
    let place = Place::new(1, |_| ());
    let open = place.write("open", golden("plain_keyfile").as_bytes(), 0o644);
    let refused = finish(&mut place.set(&["--yes", "--keyfile", open.to_str().unwrap()]));
    refused.complains(1, &["chmod 600"]);
    let sealed = hex::decode(&format!("0x{}", golden("encrypted_keyfile_hex"))).unwrap();
    let sealed = place.write("sealed", &sealed, 0o600);
    let mut set = place.set(&[
        "--yes",
        "--keyfile",
        sealed.to_str().unwrap(),
        "--password-env",
        "HOTKEY_PASSWORD",
    ]);
    let wrong = finish(set.env("HOTKEY_PASSWORD", "wrong"));
    wrong.complains(1, &["password"]);
    assert_eq!(place.applied(), 0);
    is_secret_free(&wrong);
    is_secret_free(&refused);
}

#[test]
fn a_uid_that_changed_hands_since_the_values_were_computed_is_refused() {
    let place = Place::new(1, |_| ());
    // An audit record says whom each value was for.
    let audit = place.path("audit.json");
    let mut show = command();
    show.args(["weights", "show", "examples/weights/results.json"]);
    show.args(["--subnet", "examples/weights/subnet.json", "--audit"]);
    assert_eq!(finish(show.arg(&audit)).code, Some(0));
    let moved = finish(&mut place.set(&["--yes", "--values", audit.to_str().unwrap()]));
    moved.complains(1, &["changed hands", "compute them anew"]);
    assert_eq!(place.applied(), 0);
}

#[test]
fn incentives_do_not_stand_in_before_they_are_due() {
    let place = Place::new(1, |_| ());
    let mut set = place.weights("set", &["--yes", "--fallback", "--keyfile"]);
    let refused = finish(set.arg(place.path("key")));
    refused.complains(
        1,
        &["the fallback is not due: 0 failures in a row of at least 2"],
    );
    assert!(place.chain.submissions().is_empty());
}

/// Reads progress until a line has a word, then kills the process.
fn kill_at(mut set: Command, word: &str) {
    let mut child = set
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let found = lines.map_while(Result::ok).any(|line| line.contains(word));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found, "no line says {word:?}");
}

#[test]
fn what_was_killed_goes_on_by_looking() {
    for word in ["signed 0x", "into its pool"] {
        let place = Place::new(1, |_| ());
        kill_at(place.set(&["--yes"]), word);
        let left = place.status();
        assert_ne!(left["status"]["intents"][0]["word"], "verified", "{left}");
        // Another vector beside one that may land is refused.
        place.write("values.json", b"[[0,1],[1,1]]", 0o644);
        finish(&mut place.set(&["--yes"])).complains(1, &["finish it first"]);
        let done = finish(&mut place.set(&["--resume"]));
        assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
        assert_eq!(place.row(), STORED);
        assert_eq!(place.applied(), 1, "{word}");
        finish(&mut place.set(&["--resume"])).complains(1, &["nothing is on its way"]);
    }
}

#[test]
fn ctrl_c_stops_between_two_steps_and_says_how_to_go_on() {
    let place = Place::new(1, |subnet| subnet.commit_reveal = true);
    let mut set = place.set(&["--yes"]);
    let mut child = set
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("committed in block")));
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // Looking needs no key once the commit is in storage.
    let followed = finish(&mut place.weights("status", &["--follow"]));
    assert_eq!(followed.code, Some(0), "{}", followed.stderr);
    assert!(followed.stdout.contains("verified"), "{}", followed.stdout);
    assert_eq!(place.row(), STORED);
}

#[test]
fn a_state_directory_that_cannot_be_written_means_that_nothing_is_sent() {
    let place = Place::new(1, |_| ());
    let full = Path::new("/dev/full/state");
    let done = finish(&mut place.set(&["--yes", "--state", full.to_str().unwrap()]));
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(place.chain.submissions().is_empty());
}

#[test]
fn on_finney_one_node_is_not_believed_by_default() {
    let hotkey = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";
    let nobody = "ws://127.0.0.1:9";
    let place = tempfile::tempdir().expect("a directory");
    let status = |more: &[&str]| {
        let mut command = crate::binary::command();
        command.args([
            "weights",
            "status",
            "--network",
            "finney",
            "--endpoint",
            nobody,
        ]);
        command
            .args(["--hotkey", hotkey, "--state"])
            .arg(place.path());
        crate::binary::finish(command.args(more))
    };
    status(&[]).complains(2, &["2 nodes have to agree, 1 are named"]);
    status(&["--agree", "1"]).complains(1, &["of at least 1 nodes"]);
}
