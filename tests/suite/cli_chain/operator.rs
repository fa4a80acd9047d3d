//! What operators get wrong, and what they are told before anything is on its way.

use super::stopping::kill_at;
use super::*;
use std::os::unix::fs::symlink;

/// Somebody who has no key here.
fn stranger() -> String {
    address::encode(&[7; 32])
}

impl Place {
    /// `set` by a command that signs.
    fn set_by(&self, signer: &str, more: &[&str]) -> Command {
        let mut set = self.weights("set", more);
        if !more.contains(&"--resume") {
            set.arg("--values").arg(self.path("values.json"));
        }
        if !more.contains(&"--hotkey") {
            set.args(["--hotkey", &golden("ss58")]);
        }
        set.args(["--signer", signer]);
        set
    }

    fn pipe(&self, name: &str) {
        let made = Command::new("mkfifo").arg(self.path(name)).status();
        assert!(made.unwrap().success());
    }
}

#[test]
fn an_intent_that_is_not_through_is_told_before_another_is_begun() {
    let place = Place::new(1, |_| ());
    kill_at(place.set(&["--yes"]), "signed 0x");
    let id = place.status()["status"]["intents"][0]["id"].clone();
    let id = id.as_str().unwrap();
    place.write("values.json", b"[[0,1],[1,1]]", 0o644);
    let abandon = format!("gradus weights abandon {id}");
    let ways = ["is not through", "gradus weights set --resume", &abandon];
    let shown = finish(&mut place.set(&[]));
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for text in ways {
        assert!(shown.stdout.contains(text), "{text:?}: {}", shown.stdout);
    }
    assert!(!shown.stdout.contains("--yes does it"), "{}", shown.stdout);
    let shown = json_of(&finish(&mut place.set(&["--json"])));
    assert_eq!(shown["open_intent"], id, "{shown}");
    finish(&mut place.set(&["--yes"])).complains(1, &ways);
    // It is not another's to go on with.
    let stranger = stranger();
    let other = finish(&mut place.set_by("true", &["--resume", "--hotkey", &stranger]));
    let nothing = format!("nothing of {stranger} is on its way");
    other.complains(1, &[&nothing, id, &golden("ss58")]);
}

#[test]
fn an_intent_of_which_nothing_can_land_is_given_up_for_another() {
    let place = Place::new(1, |_| ());
    // Written down, and nobody signed.
    let done = finish(&mut place.set_by("false", &["--yes"]));
    assert_eq!(done.code, Some(3), "{}{}", done.stdout, done.stderr);
    let id = place.status()["status"]["intents"][0]["id"].clone();
    let id = id.as_str().unwrap();
    finish(&mut place.weights("abandon", &["no-such"])).complains(1, &["no intent no-such"]);
    finish(&mut place.weights("abandon", &["A B"])).complains(2, &["A B"]);
    let ended = json_of(&finish(&mut place.weights("abandon", &[id, "--json"])));
    let reason = &ended["intents"][0]["verdict"]["expired"]["reason"];
    assert_eq!(reason, "abandoned", "{ended}");
    finish(&mut place.weights("abandon", &[id])).complains(1, &[id, "it is over"]);
    // Another goes out, and while it may land it cannot be given up.
    kill_at(place.set(&["--yes"]), "signed 0x");
    let status = place.status();
    let intents = status["status"]["intents"].as_array().unwrap();
    let other = intents.iter().find(|one| one["id"] != id).unwrap();
    let other = other["id"].as_str().unwrap();
    finish(&mut place.weights("abandon", &[other])).complains(1, &[other, "may land"]);
    let done = finish(&mut place.set(&["--resume"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(place.row(), STORED);
    assert_eq!(place.applied(), 1);
}

#[test]
fn a_signer_that_cannot_be_started_leaves_no_intent() {
    let place = Place::new(1, |_| ());
    let plain = place.write("sign", b"#!/bin/sh\n", 0o644);
    for (signer, says) in [
        ("/no/such/signer --now", "there is no such program"),
        ("no-such-signer", "in any directory of PATH"),
        (plain.to_str().unwrap(), "chmod +x"),
    ] {
        for more in [&["--yes"][..], &[], &["--resume"]] {
            finish(&mut place.set_by(signer, more)).complains(1, &["--signer", says]);
        }
    }
    assert!(!place.path("state").exists(), "nothing is written down");
}

#[test]
fn a_signer_that_is_too_slow_says_which_option_gives_it_longer() {
    let place = Place::new(1, |_| ());
    let slow = place.write("sign", b"#!/bin/sh\nsleep 60\n", 0o755);
    let more = ["--yes", "--signer-timeout", "1"];
    let set = finish(&mut place.set_by(slow.to_str().unwrap(), &more));
    set.complains(3, &["within 1000 ms", "--signer-timeout", "set --resume"]);
}

#[test]
fn a_signer_that_asks_at_a_terminal_is_told_to_ask_elsewhere() {
    let place = Place::new(1, |_| ());
    // What the kernel does to one in the background that reads from its terminal.
    let asks = place.write("sign", b"#!/bin/sh\nkill -TTIN $$\nsleep 60\n", 0o755);
    let set = finish(&mut place.set_by(asks.to_str().unwrap(), &["--yes"]));
    set.complains(3, &["asked at a terminal", "set --resume"]);
    // Nothing was sent: what waits for a signature is not through, and looking does not change that.
    let followed = finish(&mut place.weights("status", &["--follow"]));
    assert_eq!(followed.code, Some(3), "{}", followed.stdout);
}

#[test]
fn a_keyfile_that_is_a_link_is_taken_only_if_that_is_said() {
    let place = Place::new(1, |_| ());
    symlink(place.path("key"), place.path("mounted")).unwrap();
    let mounted = place.path("mounted");
    let mounted = ["--keyfile", mounted.to_str().unwrap()];
    finish(&mut place.set(&mounted)).complains(1, &["symbolic link", "--allow-keyfile-link"]);
    let allowed = [&mounted[..], &["--allow-keyfile-link"]].concat();
    let done = finish(&mut place.set(&allowed));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

#[test]
fn who_is_not_registered_or_never_set_weights_is_told_so() {
    let place = Place::new(1, |_| ());
    let near = |hotkey: &str, more: &[&str]| {
        let more = [&["--hotkey", hotkey][..], more].concat();
        finish(&mut place.weights("status", &more))
    };
    let unknown = near(&stranger(), &[]);
    assert_eq!(unknown.code, Some(1), "{}", unknown.stderr);
    let says = format!("{} at block", stranger());
    assert!(unknown.stdout.contains(&says), "{}", unknown.stdout);
    assert!(
        unknown.stdout.contains("not registered in subnet 56")
            && !unknown.stdout.contains("INACTIVE"),
        "{}",
        unknown.stdout
    );
    let shown = json_of(&near(&stranger(), &["--json"]));
    let activity = &shown["activity"];
    let fields = ["registered", "last_update", "level"].map(|name| activity[name].clone());
    assert_eq!(fields, [json!(false), Value::Null, Value::Null]);

    let never = near(&golden("ss58"), &[]);
    assert_eq!(never.code, Some(0), "{}", never.stderr);
    assert!(
        never.stdout.contains("weights never set"),
        "{}",
        never.stdout
    );
}

#[test]
fn arguments_that_do_not_fit_end_with_the_same_code_everywhere() {
    let key = tempfile::NamedTempFile::new().unwrap();
    let key = key.path().to_str().unwrap();
    let near = "ws://127.0.0.1:9";
    for (arguments, says) in [
        (&["--hotkey", "5nobody", "--endpoint", near][..], "5nobody"),
        (
            &["--agree", "2", "--endpoint", near],
            "2 nodes have to agree",
        ),
        (&["--endpoint", "http://127.0.0.1:9"], "wss://HOST"),
    ] {
        let doctor = ["chain", "doctor"];
        let status = ["weights", "status", "--follow"];
        let set = ["weights", "set", "--values", key, "--keyfile", key];
        for command in [&doctor[..], &status, &set] {
            let whole = [command, &["--network", "local"], arguments].concat();
            if command == set && says != "5nobody" {
                // The key is read before a node is looked at.
                continue;
            }
            crate::binary::run(&whole).complains(2, &[says]);
        }
    }
}

#[test]
fn a_pipe_in_a_state_files_place_is_not_waited_for() {
    let place = Place::new(1, |_| ());
    assert_eq!(finish(&mut place.set(&["--yes"])).code, Some(0));
    place.pipe("state/intents/x.journal");
    let refused = finish(&mut place.weights("status", &[]));
    refused.complains(1, &["x.journal", "no plain file"]);
    fs::remove_file(place.path("state/chain.json")).unwrap();
    place.pipe("state/chain.json");
    let refused = finish(&mut place.weights("status", &[]));
    refused.complains(1, &["chain.json", "no plain file"]);
}
