//! Nodes that lie, that are of another chain, and too few of them.

use super::*;

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
    status(&[]).complains(2, &["2 nodes have to agree, 1 are named", "--agree 1"]);
    status(&["--agree", "1"]).complains(1, &["of at least 1 nodes"]);
}

#[test]
fn who_is_asked_is_the_same_for_every_command() {
    let place = Place::new(1, |_| ());
    let url = place.nodes[0].url();
    let hotkey = golden("ss58");
    let state = place.path("nobodys");
    let commands: [&[&str]; 3] = [
        &["chain", "doctor"],
        &[
            "weights",
            "status",
            "--follow",
            "--state",
            state.to_str().unwrap(),
        ],
        &[
            "weights",
            "set",
            "--values",
            "/dev/null",
            "--signer",
            "true",
            "--hotkey",
            &hotkey,
        ],
    ];
    for words in commands {
        let ask = |more: &[&str]| run(words.iter().chain(more));
        // One node that is named twice is one opinion.
        let twice = ["--network", "local", "--endpoint", &url, "--endpoint", &url];
        ask(&[&twice[..], &["--agree", "2"]].concat())
            .complains(2, &["2 nodes have to agree, 1 are named"]);
        // Nothing said is the main network, where a single node has to be asked for.
        ask(&["--endpoint", &url]).complains(2, &["2 nodes have to agree, 1 are named"]);
        ask(&["--network", "local"]).complains(2, &["--network local has no public nodes"]);
        ask(&["--agree", "0"]).complains(2, &["--agree"]);
        ask(&["--timeout", "0"]).complains(2, &["--timeout"]);
        ask(&["--network", "nakamoto"]).complains(2, &["nakamoto", "finney"]);
    }
    assert!(place.nodes[0].requests().is_empty());
}

#[test]
fn a_state_directory_says_whose_it_is_where_no_network_is_named() {
    let place = Place::new(1, |_| ());
    assert_eq!(finish(&mut place.set(&["--yes"])).code, Some(0));
    let status = |more: &[&str]| {
        let mut status = command();
        status.args(["weights", "status", "--json", "--state"]);
        finish(status.arg(place.path("state")).args(more))
    };
    let known = json_of(&status(&[]));
    assert_eq!(known["status"]["profile"], "local");
    assert_eq!(known["status"]["intents"][0]["word"], "verified");
    let other = status(&["--netuid", "7"]);
    other.complains(
        1,
        &["netuid 56, not", "netuid 7", "another state directory"],
    );
    assert_eq!(status(&["--netuid", "56"]).code, Some(0));
    let finney = status(&["--network", "finney"]);
    finney.complains(
        1,
        &[
            "holds the state of network local",
            "another state directory",
        ],
    );
}
