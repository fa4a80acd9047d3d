use super::several::*;
use super::*;
use gradus_chain::node::{Exclusion, Head};
use gradus_node::{Fault, Method};
use std::time::Instant;

/// Longer than any of these tests waits.
const HANGS: Duration = Duration::from_secs(60);

#[test]
fn a_slow_node_costs_a_grace_once_and_is_named() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 3);
    let mut patience = patient(2);
    patience.rest = HANGS;
    patience.limits.call = HANGS;
    let endpoints = local(&urls, patience).expect("three");
    time(&endpoints).expect("metadata are read");
    nodes[0].inject(Fault::Slow(Method::Any, Duration::from_secs(4)));
    let start = Instant::now();
    let agreed = time(&endpoints).expect("two");
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(400), "no grace: {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(agreed.by, urls[1..]);
    let why = of(&agreed.excluded, &urls[0]).expect("named");
    let shown = why.to_string();
    assert!(
        matches!(
            why,
            Exclusion::Late {
                what: "the time",
                others_agreed: true,
                ..
            }
        ),
        "{why:?}"
    );
    assert!(shown.contains("slow or hangs"), "{shown}");
    // It rests: the others are not held up again, and why it is not asked stays said.
    let start = Instant::now();
    let pinned = endpoints.pin(Head::Finalized).expect("two");
    let agreed = pinned
        .read("the time", |snapshot| snapshot.timestamp_ms())
        .expect("two");
    assert!(
        start.elapsed() < Duration::from_millis(300),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(pinned.excluded, endpoints.excluded());
    assert!(matches!(
        of(&pinned.excluded, &urls[0]),
        Some(Exclusion::Late { .. })
    ));
    assert_eq!((agreed.by.len(), agreed.excluded.len()), (2, 0));
}

#[test]
fn a_difference_is_noticed_within_the_grace_and_a_tie_waits_for_who_is_slow() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 3);
    let mut patience = patient(2);
    patience.limits.call = HANGS;
    let endpoints = local(&urls, patience).expect("three");
    let block = endpoints.pin(Head::Finalized).expect("three").block;
    let key = chain.storage().runtime().key(("Timestamp", "Now"), &[]);
    let value = Some(1_u64.to_le_bytes().to_vec());
    nodes[0].inject(Fault::Lie { key, value });
    let ask = || endpoints.read_at(block, "the time", |snapshot| snapshot.timestamp_ms());
    // Later than the others, who are enough without it, but not by much: it is named.
    let slow = |wait| {
        Fault::Slow(
            Method::Named("state_getStorage"),
            Duration::from_millis(wait),
        )
    };
    nodes[0].inject(slow(150));
    let agreed = ask().expect("two");
    assert_eq!(agreed.by, urls[1..]);
    let why = of(&agreed.excluded, &urls[0]);
    assert!(matches!(why, Some(Exclusion::Differs { .. })), "{why:?}");
    // One against one: no answer before the third, however long the grace.
    nodes[1].inject(slow(1_200));
    let start = Instant::now();
    let agreed = ask().expect("two");
    assert!(start.elapsed() >= Duration::from_millis(1_200));
    assert_eq!(agreed.by, urls[1..]);
}

#[test]
fn one_deadline_is_for_all_nodes_and_all_that_a_question_needs() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 3);
    let mut patience = patient(2);
    patience.question = Duration::from_millis(900);
    patience.limits.call = Duration::from_millis(700);
    patience.limits.attempts = 5;
    let endpoints = local(&urls, patience).expect("three");
    for node in &nodes[..2] {
        node.inject(Fault::HangBefore(Method::Any));
    }
    let start = Instant::now();
    let error = time(&endpoints).expect_err("one of three");
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(850) && took < Duration::from_millis(1_400),
        "{took:?}"
    );
    assert_eq!(error.found(), 1);
    let late = |url: &String| {
        let why = of(error.excluded(), url);
        matches!(
            why,
            Some(Exclusion::Late {
                others_agreed: false,
                ..
            })
        )
    };
    assert!(urls[..2].iter().all(late), "{error}");
    // All rest but one: so they are asked nevertheless.
    nodes.iter().for_each(gradus_node::Node::clear);
    assert_eq!(time(&endpoints).expect("three").by, urls);
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_question_nor_holds_it_up() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 3);
    let mut patience = patient(2);
    patience.rest = Duration::ZERO;
    patience.limits.call = HANGS;
    let endpoints = local(&urls, patience).expect("three");
    time(&endpoints).expect("three");
    nodes[0].inject_once(Fault::Slow(
        Method::Named("chain_getBlockHash"),
        Duration::from_secs(3),
    ));
    let ask = |number: u64| endpoints.ask("a hash", move |node| node.block_hash(number));
    let late = ask(3).expect("two");
    assert!(matches!(
        of(&late.excluded, &urls[0]),
        Some(Exclusion::Late { .. })
    ));
    // At once, and of the right block: the answer to the first is on a connection that nobody listens to.
    let start = Instant::now();
    let agreed = ask(4).expect("three");
    assert_eq!(agreed.by, urls, "{:?}", agreed.excluded);
    assert!(
        start.elapsed() < Duration::from_millis(390),
        "{:?}",
        start.elapsed()
    );
    assert_ne!(agreed.value, late.value);
}

#[test]
fn two_questions_at_once_do_not_wait_for_each_other() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 1);
    let mut patience = patient(1);
    patience.limits.call = HANGS;
    let endpoints = local(&urls, patience).expect("one");
    time(&endpoints).expect("one");
    let slow = Method::Named("state_getRuntimeVersion");
    nodes[0].inject_once(Fault::Slow(slow, Duration::from_secs(2)));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| time(&endpoints).expect("one"));
        std::thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        time(&endpoints).expect("one");
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?}",
            start.elapsed()
        );
        first.join().expect("answered");
    });
}

/// Prints how long questions take that one of three nodes answers after five seconds.
#[test]
#[ignore = "a measurement"]
fn measure_a_question_that_one_of_three_answers_after_five_seconds() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 3);
    let endpoints = local(&urls, AgreementPolicy::default()).expect("three");
    let block = endpoints.pin(Head::Finalized).expect("three").block;
    nodes[0].inject(Fault::Slow(Method::Any, Duration::from_secs(5)));
    for round in 1..=3 {
        let start = Instant::now();
        let agreed = endpoints.read_at(block, "the time", |snapshot| snapshot.timestamp_ms());
        let agreed = agreed.expect("two at least");
        println!(
            "question {round}: {:?}, by {}",
            start.elapsed(),
            agreed.by.len()
        );
    }
}
