//! What is hard on somebody and follows from the rules is said.

use super::*;

#[test]
fn who_falls_to_somebody_who_is_refused_later_stays_out_and_is_named() {
    let mut world = World::new(&["a", "b", "c", "d", "e", "f"]);
    // b has the address of a, and a's licence is wrong; d has the owner of c, who cannot pay.
    world.candidates[1].ip = world.candidates[0].ip;
    let missing = LicenceRefusal::NotText {
        name: "LICENSE".to_owned(),
    };
    world.licence("a", Err(missing.clone()));
    world.candidates[3].coldkey = "cold-poor".to_owned();
    world.candidates[2].coldkey = "cold-poor".to_owned();
    world.rules.entry.text = crate::rules::TypeEntry::Open {
        field_min: 2,
        fee_rao: FEE,
    };
    let decision = world.decision();
    assert_eq!(bracket(&decision), "e f");
    assert!(matches!(why(&decision, "b"), Refusal::Identity(_)));
    let [first, second] = decision.notes.as_slice() else {
        panic!("{:?}", decision.notes)
    };
    let expected = Note::FellToRefused {
        hotkey: "b".to_owned(),
        identity: Identity::Ip,
        kept: "a".to_owned(),
        refusal: Refusal::Licence(missing),
    };
    assert_eq!(first, &expected);
    let text = second.to_string();
    assert!(
        text.starts_with("d fell to c, which has the same coldkey, and c is not in: cold-poor has"),
        "{text}"
    );
    // If a is let in, nothing has to be said of b.
    world.licence("a", Ok(()));
    let decision = world.decision();
    assert_eq!(bracket(&decision), "a e f");
    assert_eq!(decision.notes.len(), 1);
}

#[test]
fn a_chain_of_those_who_fell_is_said_link_by_link() {
    let mut world = World::new(&["a", "b", "c", "d", "e", "f", "g"]);
    // c falls to b by address, b to a by owner, a to the checker.
    world.candidates[2].ip = world.candidates[1].ip;
    world.candidates[1].answer = candidate("a", "").answer;
    world.facts.obfuscation.clear();
    for name in ["d", "e", "f", "g"] {
        world.obfuscation(name, CheckVerdict::Clean);
    }
    world.obfuscation("a", CheckVerdict::Rejected { code: 2 });
    world
        .facts
        .licences
        .retain(|subject, _| subject.hotkey() != "b");
    world
        .facts
        .sources
        .retain(|subject, _| subject.hotkey() != "b");
    let decision = world.decision();
    let notes: Vec<String> = decision.notes.iter().map(Note::to_string).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].contains("c fell to b")
            && notes[0].ends_with("a stays, which has the same owner of its repository")
    );
    assert!(notes[1].contains("b fell to a") && notes[1].ends_with("ended with code 2"));
}

#[test]
fn a_field_is_counted_before_copies_fall() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    world.source("c", &sha("c"), "x");
    world.source("d", &sha("d"), "x");
    let decision = world.decision();
    assert_eq!(bracket(&decision), "a b");
    assert_eq!(
        decision.notes,
        [Note::FieldShrunk {
            bracket: 2,
            field_min: 4
        }]
    );
    // Nobody is left: there is no round to draw, and all have paid.
    world.source("a", &sha("a"), "x");
    world.source("b", &sha("b"), "x");
    let decision = world.decision();
    assert_eq!(
        decision.field,
        Field::Stuck {
            bracket: Vec::new(),
            least: 1
        }
    );
    assert_eq!(decision.fees.len(), 4);
}

#[test]
fn an_environment_tournament_needs_a_group_of_two() {
    let mut world = World::new(&["a", "b", "c", "d", "e"]);
    for name in ["a", "b", "c", "d"] {
        world.source(name, &sha(name), "x");
    }
    let mut input = world.input();
    input.tournament = TournamentType::Environment;
    let GateOutcome::Decided(decision) = decide(&input).unwrap() else {
        panic!("all is known")
    };
    assert_eq!(
        decision.field,
        Field::Stuck {
            bracket: vec!["e".to_owned()],
            least: 2
        }
    );
}

#[test]
fn who_fell_to_an_enrolled_one_that_is_a_copy_is_named() {
    let mut world = World::new(&["a", "b", "c"]);
    let decision = world.decision();
    world.record(&decision);
    for name in ["d", "e"] {
        world.candidates.push(candidate(name, ""));
        world.clean(name);
        world.pay(name, FEE);
    }
    world.candidates[3].ip = world.candidates[0].ip;
    world.source("a", &sha("a"), "x");
    world.source("b", &sha("b"), "x");
    let decision = world.decision();
    assert_eq!(bracket(&decision), "c e");
    assert!(
        matches!(
            &decision.notes[0],
            Note::FellToRefused { hotkey, kept, refusal: Refusal::Copy(_), .. } if hotkey == "d" && kept == "a"
        ),
        "{:?}",
        decision.notes
    );
}

#[test]
fn a_fee_that_did_not_get_into_the_ledger_is_taken_or_said() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    let first = world.decision();
    world.record(&first);
    let complete = std::mem::take(&mut world.ledger);
    // The fee of b got lost on the way, and c has nothing left.
    for event in complete.events() {
        let of_c = matches!(event, LedgerEvent::TransferIn { coldkey, .. } if coldkey == "cold-c");
        let fee = |name: &str| event.id() == format!("fee:text:t1:cold-{name}:0");
        if !(of_c || fee("b") || fee("c")) {
            world.ledger.apply(event.clone()).unwrap();
        }
    }
    let again = world.decision();
    assert_eq!(bracket(&again), "a b c d");
    assert_eq!(again.fees, [first.fees[1].clone()]);
    let [missing, unpaid] = again.notes.as_slice() else {
        panic!("{:?}", again.notes)
    };
    assert_eq!(
        missing.to_string(),
        "b is enrolled and the ledger had no fee of it, which is in fees again"
    );
    assert!(unpaid.to_string().starts_with("c is enrolled"), "{unpaid}");
    assert_eq!(unpaid.name(), "unpaid");
    // Added, it is said no more; and who got it back has paid.
    world.ledger = complete;
    assert_eq!(world.decision().notes, []);
    for refund in world.ledger.refunds("t1") {
        world.ledger.apply(refund).unwrap();
    }
    let after = world.decision();
    assert_eq!((after.notes.len(), after.fees.len()), (0, 0));
}
