//! Facts that are not there, and trees and checkers that say them.

use super::{Place, decide, four, written};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn facts_that_are_not_there_are_asked_for_by_name_and_nothing_is_decided() {
    let place = Place::new();
    let mut file = four();
    let lacks = |file: &Value, says: &[&str]| {
        let done = decide(&written(&place, file), &[]);
        done.complains(1, says);
        assert_eq!(done.stdout, "");
    };
    let facts = |file: &mut Value, number: usize, name: &str| {
        let fact = file["facts"][number].as_object_mut().unwrap();
        fact.remove(name).unwrap();
    };
    facts(&mut file, 3, "source");
    lacks(
        &file,
        &[
            "a fact is not known",
            "the source of d (d/r at 0000",
            "give source, or name its tree in checkout",
        ],
    );
    facts(&mut file, 1, "obfuscation");
    facts(&mut file, 2, "licence");
    lacks(
        &file,
        &[
            "2 facts are not known",
            "what the obfuscation check says of b",
            "what the licence check says of c",
            "name the tree of its default branch in default_checkout",
        ],
    );
    // With a tree, but without the validator's own texts.
    fs::create_dir(place.path("tree")).unwrap();
    file["facts"][2]["default_checkout"] = json!("tree");
    lacks(
        &file,
        &[
            "2 facts are not known",
            "name the validator's own texts in [licence]",
        ],
    );
    let answer = json!({"github_repo": "https://github.com/a/r", "commit_hash": format!("{:040x}", 0), "github_token": "SECRET"});
    file["candidates"][0]["answer"]["text"] = json!(answer.to_string());
    let done = decide(&written(&place, &file), &[]);
    done.complains(
        1,
        &[
            "whether the token of a (a/r at 0000",
            "say opens or dropped in token",
        ],
    );
    assert!(!done.stderr.contains("SECRET"));
}

#[test]
fn trees_and_the_checker_say_what_is_not_known() {
    let place = Place::new();
    let tree = place.path("tree");
    fs::create_dir_all(tree.join(".git")).unwrap();
    fs::write(tree.join("a.py"), "print( 1 )\n").unwrap();
    let commit = format!("{:040x}", 3);
    fs::write(tree.join(".git/HEAD"), format!("{commit}\n")).unwrap();
    let mut file = four();
    let fact = file["facts"][3].as_object_mut().unwrap();
    fact.remove("source");
    fact.remove("obfuscation");
    fact.insert("checkout".to_owned(), json!("tree"));
    let checker = place.path("check");
    let script = |text: &str| {
        fs::write(&checker, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&checker, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script(
        "[ \"$1 $3 $4\" = \"--repo --commit 0000000000000000000000000000000000000003\" ] && [ -f \"$2/a.py\" ]",
    );
    file["obfuscation"] = json!({"program": "./check"});
    let done = decide(&written(&place, &file), &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stdout.contains("field: ready, 4 play"),
        "{}",
        done.stdout
    );

    // Its digest is that of another's: the same normalised text, in a tree of its own.
    let other = place.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("a.py"), "# a comment\nprint(   1 )").unwrap();
    let fact = file["facts"][0].as_object_mut().unwrap();
    fact.remove("source");
    fact.insert("checkout".to_owned(), json!("other"));
    let done = decide(&written(&place, &file), &[]);
    assert!(
        done.stdout
            .contains("out  a  its source is also that of a, d (it has paid)"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout
            .contains("note: copies of one another left 2 of a field that has to have 4")
    );

    // A checker that a signal ends has said nothing, and whoever starts none neither.
    script("kill -9 $$");
    decide(&written(&place, &file), &[]).complains(
        1,
        &[
            "d's source was not checked",
            "ended by signal 9",
            "run it again",
        ],
    );
    file["obfuscation"] = json!({"program": "./gone"});
    decide(&written(&place, &file), &[])
        .complains(1, &["d's source was not checked", "cannot be started"]);
    // A clone that is elsewhere.
    fs::write(tree.join(".git/HEAD"), format!("{}\n", "7".repeat(40))).unwrap();
    decide(&written(&place, &file), &[]).complains(
        1,
        &[
            "tree is at commit 777",
            "but d submits 000",
            "check out the commit",
        ],
    );
    file["facts"][3]["checkout"] = json!("nowhere");
    decide(&written(&place, &file), &[]).complains(1, &["nowhere cannot be opened as a tree"]);
}
