//! What a kill, Ctrl-C and a bad disk leave, and how it goes on.

use super::*;

/// Reads progress until a line has a word, then kills the process.
pub(super) fn kill_at(mut set: Command, word: &str) {
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
        // It may have landed before the kill.
        let place = Place::new(1, |subnet| subnet.weights_set_rate_limit = 0);
        kill_at(place.set(&["--yes"]), word);
        let left = place.status();
        assert_ne!(left["status"]["intents"][0]["word"], "verified", "{left}");
        // Another vector beside one that may land is refused.
        place.write("values.json", b"[[0,1],[1,1]]", 0o644);
        finish(&mut place.set(&["--yes"]))
            .complains(1, &["or give it up", "gradus weights abandon"]);
        let done = finish(&mut place.set(&["--resume"]));
        assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
        assert_eq!(place.row(), STORED);
        assert_eq!(place.applied(), 1, "{word}");
        finish(&mut place.set(&["--resume"])).complains(1, &["nothing is on its way"]);
    }
}

#[test]
fn nodes_that_are_lost_leave_an_intent_that_is_not_through() {
    let mut place = Place::new(1, |_| ());
    kill_at(place.set(&["--yes"]), "signed 0x");
    let urls = [place.nodes[0].url()];
    place.nodes.clear();
    let key = place.path("key");
    let resume = ["--resume", "--keyfile", key.to_str().unwrap()];
    for (word, more) in [("set", &resume[..]), ("status", &["--follow"])] {
        let lost = finish(&mut place.weights_at(&urls, word, more));
        lost.complains(3, &["not through", "set --resume", &urls[0]]);
    }
    // Where nothing is on its way, nothing is lost.
    let elsewhere = place.path("elsewhere");
    let elsewhere = [&resume[..], &["--state", elsewhere.to_str().unwrap()]].concat();
    finish(&mut place.weights_at(&urls, "set", &elsewhere)).complains(1, &[&urls[0]]);
}

#[test]
fn who_waits_for_a_block_outlasts_nodes_that_are_gone_for_a_moment() {
    let place = Place::new(1, |subnet| subnet.weights_set_rate_limit = 40);
    assert_eq!(finish(&mut place.set(&["--yes"])).code, Some(0));
    place.write("values.json", b"[[0,1],[1,1]]", 0o644);
    let mut set = place.set(&["--yes", "--wait"]);
    let mut child = set.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("\"waits\"")));
    place.nodes[0].inject(Fault::DropBefore(Method::Any));
    assert!(lines.any(|line| line.contains("\"waits_for_nodes\"")));
    place.nodes[0].clear();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    assert_eq!(place.row(), [(0, 65_535), (1, 65_535)]);
}

#[test]
fn what_stands_in_the_way_is_told_before_a_block_is_waited_for() {
    let place = Place::new(1, |subnet| subnet.weights_set_rate_limit = 100_000);
    // Planned here, and then others are set from elsewhere.
    let signer = ["--signer", "false", "--hotkey", &golden("ss58")];
    let values = place.path("values.json");
    let values = ["--yes", "--values", values.to_str().unwrap()];
    let planned = [&values[..], &signer].concat();
    finish(&mut place.weights("set", &planned)).complains(3, &["not through"]);
    let elsewhere = place.path("elsewhere");
    let elsewhere = ["--yes", "--state", elsewhere.to_str().unwrap()];
    assert_eq!(finish(&mut place.set(&elsewhere)).code, Some(0));
    let waits = finish(&mut place.set(&["--yes", "--wait"]));
    waits.complains(1, &["is not through", "gradus weights abandon"]);
    assert!(!waits.stderr.contains("\"waits\""), "{}", waits.stderr);
}

#[test]
fn ctrl_c_stops_between_two_steps_and_says_how_to_go_on() {
    let place = Place::hidden();
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
