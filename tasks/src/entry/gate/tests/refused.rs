use super::*;

#[test]
fn each_step_refuses_with_its_reason() {
    let mut world = World::new(&[
        "a", "b", "c", "d", "commit", "data", "obf", "slow", "lic", "poor",
    ]);
    world.candidates.push(Candidate {
        answer: None,
        ..candidate("silent", "")
    });
    let bad = Err(ResponseError::Malformed { line: 1, column: 1 });
    world.candidates.push(Candidate {
        answer: Some(bad),
        ..candidate("bad", "")
    });
    world.candidates.push(candidate("a", ""));
    world.candidates.push(candidate("boss", ""));
    world.answers("commit", r#","commit_hash":"main""#);
    world.answers("data", r#","requested_datasets":["a/b","x/y"]"#);
    world.obfuscation("obf", CheckVerdict::Rejected { code: 3 });
    world.obfuscation("slow", CheckVerdict::TimedOut { limit_ms: 60_000 });
    let licence = LicenceRefusal::Differs {
        name: "LICENSE".to_owned(),
        line: 2,
    };
    world.licence("lic", Err(licence.clone()));
    world.ledger = Ledger::new();
    for name in ["a", "b", "c", "d", "commit", "data", "obf", "slow", "lic"] {
        world.pay(name, FEE);
    }
    world.pay("poor", FEE - 1);
    let decision = world.decision();
    assert_eq!(bracket(&decision), "a b c d");
    assert_eq!(why(&decision, "silent"), &Refusal::Silent);
    assert_eq!(why(&decision, "a"), &Refusal::Twice);
    assert!(matches!(
        why(&decision, "bad"),
        Refusal::Response(ResponseError::Malformed { .. })
    ));
    assert!(matches!(
        why(&decision, "commit"),
        Refusal::Response(ResponseError::Commit { .. })
    ));
    assert!(matches!(
        why(&decision, "data"),
        Refusal::Response(ResponseError::Dataset { .. })
    ));
    assert_eq!(why(&decision, "obf"), &Refusal::Obfuscated { code: 3 });
    assert_eq!(
        why(&decision, "slow"),
        &Refusal::ObfuscationTimedOut { limit_ms: 60_000 }
    );
    assert_eq!(why(&decision, "lic"), &Refusal::Licence(licence));
    assert!(matches!(
        why(&decision, "poor"),
        Refusal::Fee(LedgerError::Insufficient { fee_rao: FEE, .. })
    ));
    // The boss is no candidate, and nobody else fell.
    assert_eq!(decision.refused.len(), 9);
    assert_eq!(decision.fees.len(), 4);
}

#[test]
fn copies_fall_after_they_have_paid_and_a_source_that_could_not_be_had_does_not() {
    let mut world = World::new(&["a", "b", "c", "d", "e"]);
    let same = format!(r#","commit_hash":"{}""#, sha("same"));
    for name in ["b", "d"] {
        world.answers(name, &same);
        world.source(name, &sha("same"), "x");
    }
    world.facts.boss_source = Some(SourceFact {
        commit: sha("boss"),
        digest: "digest-e".to_owned(),
    });
    let subject = world.subject("c");
    world
        .facts
        .sources
        .insert(subject, SourceState::Unavailable);
    let decision = world.decision();
    assert_eq!(bracket(&decision), "a c");
    assert_eq!((decision.fees.len(), decision.copies.len()), (5, 2));
    let Refusal::Copy(cluster) = why(&decision, "b") else {
        panic!("{decision:?}")
    };
    assert_eq!(
        (cluster.basis, cluster.hotkeys.join(" ")),
        (Basis::Commit, "b d".to_owned())
    );
    let Refusal::Copy(cluster) = why(&decision, "e") else {
        panic!("{decision:?}")
    };
    assert_eq!(
        (cluster.basis, cluster.dropped.join(" ")),
        (Basis::Source, "e".to_owned())
    );
    let a = world.subject("a");
    world.facts.sources.remove(&a);
    assert_eq!(world.needs(), [Need::Source(a)]);
}

#[test]
fn a_ledger_that_has_another_fee_of_the_name_stops_the_gate() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    let fee = world.decision().fees.remove(0);
    let LedgerEvent::Fee {
        id,
        tournament_id,
        coldkey,
        ..
    } = fee
    else {
        panic!("a fee")
    };
    world
        .ledger
        .apply(LedgerEvent::Fee {
            id,
            tournament_id,
            coldkey,
            amount_rao: 1,
        })
        .unwrap();
    let error = decide(&world.input()).unwrap_err();
    assert!(
        matches!(error, GateError::Ledger(LedgerError::Conflict { .. })),
        "{error}"
    );
}

#[test]
fn in_december_2025_two_hotkeys_of_a_coldkey_entered_and_paid_twice() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut world = World::new(&names);
    world.rules = RuleSet::named("2025-12-12-86623e97").unwrap();
    world.facts.sources.clear();
    world.candidates[1].coldkey = "cold-a".to_owned();
    world.candidates[1].ip = world.candidates[0].ip;
    world.answers(
        "c",
        r#","commit_hash":"main","github_token":"t","requested_datasets":["a/b"]"#,
    );
    let decision = world.decision();
    assert_eq!(bracket(&decision), names.join(" "));
    assert_eq!(decision.admitted[2].commit, Commit::Main);
    assert_eq!(decision.admitted[2].response.github_token, None);
    assert!(decision.admitted[2].datasets.is_empty());
    world.record(&decision);
    assert_eq!(world.ledger.balance_rao("cold-a"), FEE - 2 * 200_000_000);
    let mut input = world.input();
    input.tournament = TournamentType::Environment;
    assert!(matches!(decide(&input), Err(GateError::NoSuchType { .. })));
}
