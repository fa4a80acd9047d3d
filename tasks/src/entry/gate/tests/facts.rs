//! Facts are of one commit of one repository.

use super::*;

#[test]
fn what_was_found_out_about_an_older_commit_is_never_applied_to_a_new_one() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    let old = world.subject("b");
    // The miner answers anew while its old commit is being looked at, and the verdict comes late.
    let newer = format!(r#","commit_hash":"{}""#, sha("newer"));
    world.candidates[1].answer = candidate("b", &newer).answer;
    let stale = |world: &World, fact: &str| match decide(&world.input()).unwrap_err() {
        error @ GateError::Stale { .. } => {
            let text = error.to_string();
            let expected = format!("the {fact} of b is of b/r at {}", sha("b"));
            assert!(text.contains(&expected), "{text}");
            assert!(text.contains(&format!("submits b/r at {}", sha("newer"))));
        }
        error => panic!("{error}"),
    };
    stale(&world, "obfuscation check");
    world.facts.obfuscation.remove(&old);
    stale(&world, "licence check");
    world.facts.licences.remove(&old);
    stale(&world, "source");
    world.facts.sources.remove(&old);
    world.facts.tokens.insert(old.clone(), TokenFact::Opens);
    stale(&world, "token");
    world.facts.tokens.remove(&old);
    // Nothing is known of the new one.
    assert_eq!(world.needs(), [Need::Obfuscation(world.subject("b"))]);
    world.clean("b");
    world.source("b", &sha("newer"), "digest-b");
    assert_eq!(bracket(&world.decision()), "a b c d");
}

#[test]
fn another_repository_of_the_same_commit_is_another_submission() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    let json = format!(
        r#"{{"github_repo":"https://github.com/b/other","commit_hash":"{}"}}"#,
        sha("b")
    );
    let answer = TrainingRepoResponse::from_json(json.as_bytes(), ExtraFields::Ignored);
    world.candidates[1].answer = Some(answer);
    let error = decide(&world.input()).unwrap_err();
    assert!(
        matches!(&error, GateError::Stale { hotkey, .. } if hotkey == "b"),
        "{error}"
    );
    // Names are the same in any case of letters, and so are digits.
    let json = format!(
        r#"{{"github_repo":"https://github.com/B/R.git","commit_hash":"{}"}}"#,
        sha("b").to_ascii_uppercase()
    );
    let answer = TrainingRepoResponse::from_json(json.as_bytes(), ExtraFields::Ignored);
    world.candidates[1].answer = Some(answer);
    assert_eq!(bracket(&world.decision()), "a b c d");
}

#[test]
fn facts_of_who_is_enrolled_are_of_what_it_entered_with() {
    let mut world = World::new(&["a", "b", "c"]);
    let decision = world.decision();
    world.record(&decision);
    world.candidates.push(candidate("d", ""));
    world.clean("d");
    world.pay("d", FEE);
    // Another answer of somebody who is in changes nothing, and facts of it are of nothing.
    let newer = format!(r#","commit_hash":"{}""#, sha("newer"));
    world.candidates[0].answer = candidate("a", &newer).answer;
    assert_eq!(bracket(&world.decision()), "a b c d");
    world.source("a", &sha("newer"), "digest-d");
    let error = decide(&world.input()).unwrap_err();
    assert!(
        matches!(&error, GateError::Stale { hotkey, fact: "source", .. } if hotkey == "a"),
        "{error}"
    );
}

#[test]
fn a_source_that_was_read_at_another_commit_is_refused() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    world.source("c", &sha("another"), "digest-c");
    let error = decide(&world.input()).unwrap_err();
    let expected = GateError::SourceCommit {
        hotkey: "c".to_owned(),
        found: sha("another"),
        expected: sha("c"),
    };
    assert_eq!(error, expected);
}
