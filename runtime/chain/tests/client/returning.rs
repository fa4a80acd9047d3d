use super::several::*;
use super::*;
use gradus_chain::land::Landing;
use gradus_chain::node::{Endpoints, Exclusion, Head};
use gradus_chain::submission::{Chain as _, ChainError};
use gradus_node::{Fault, Method};
use std::time::Instant;

#[test]
fn a_node_that_was_down_comes_back_and_one_of_another_chain_does_not() {
    let ours = chain(Spec::V461, |_| ());
    let (nodes, mut urls) = serve_many(&ours, 2);
    let (down, port) = nobody(3);
    urls.insert(0, down);
    let foreign = gradus_node::Node::serve(&ours).expect("loopback");
    foreign.inject(Fault::Genesis([9; 32]));
    urls.push(foreign.url());
    let endpoints = local(&urls, patient(2)).expect("two");
    assert_eq!(endpoints.nodes().len(), 2);
    let standing = endpoints.excluded();
    assert!(
        matches!(of(&standing, &urls[0]), Some(Exclusion::Unreadable(_))),
        "{standing:?}"
    );
    assert!(
        matches!(of(&standing, &urls[3]), Some(Exclusion::Differs { .. })),
        "{standing:?}"
    );
    // Up again, but at rest for a while; then it is one of those that agree.
    let back = gradus_node::Node::serve_on(&ours, host(3), port).expect("the port");
    foreign.clear();
    assert_eq!(time(&endpoints).expect("two").by, urls[1..3]);
    std::thread::sleep(Duration::from_millis(700));
    let agreed = time(&endpoints).expect("three");
    assert_eq!(agreed.by, urls[..3]);
    assert_eq!(
        of(&endpoints.excluded(), &urls[0]).map(ToString::to_string),
        None
    );
    assert_eq!(endpoints.nodes().len(), 3);
    assert!(
        of(
            &endpoints.pin(Head::Best).expect("three").excluded,
            &urls[3]
        )
        .is_some()
    );
    drop((back, nodes));
}

#[test]
fn one_that_comes_back_with_another_chain_is_left_out_for_good() {
    let ours = chain(Spec::V461, |_| ());
    let (_nodes, mut urls) = serve_many(&ours, 2);
    let (down, port) = nobody(4);
    urls.push(down);
    let mut patience = patient(2);
    patience.rest = Duration::ZERO;
    let endpoints = local(&urls, patience).expect("two");
    let other = gradus_node::Node::serve_on(&ours, host(4), port).expect("the port");
    other.inject(Fault::Genesis([9; 32]));
    for _ in 0..2 {
        let agreed = time(&endpoints).expect("two");
        let why = of(&agreed.excluded, &urls[2]);
        let expected = "the genesis";
        assert!(
            matches!(why, Some(Exclusion::Differs { what, .. }) if *what == expected),
            "{why:?}"
        );
        other.clear();
    }
    assert_eq!(endpoints.nodes().len(), 2);
}

/// That a block's state is gone is believed only if every node that was named says so: one that is down may keep it.
#[test]
fn a_node_that_was_never_connected_may_keep_what_the_others_do_not() {
    let pruned = |urls: &[String], hangs: Option<&gradus_node::Node>| {
        let mut patience = patient(2);
        patience.question = Duration::from_millis(1_500);
        let endpoints: Endpoints = local(urls, patience).expect("two");
        let node = Node::connect(&urls[1], limits()).expect("a node");
        let hash = node.block_hash(2).expect("answered").expect("block 2");
        let at = gradus_chain::BlockRef { number: 2, hash };
        if let Some(node) = hangs {
            node.inject(Fault::HangBefore(Method::Any));
        }
        let pair = pair();
        Landing::new(&endpoints, &pair, |_| ()).pulse(1, at)
    };
    let ours = few_states(4);
    let (nodes, urls) = serve_many(&ours, 3);
    let answer = pruned(&urls, None);
    assert_eq!(answer, Err(ChainError::Pruned { number: 2 }));
    let with_down = [&urls[..2], &[nobody(5).0]].concat();
    let answer = pruned(&with_down, None);
    assert!(
        matches!(answer, Err(ChainError::Unavailable { .. })),
        "{answer:?}"
    );
    let answer = pruned(&urls, Some(&nodes[2]));
    assert!(
        matches!(answer, Err(ChainError::Unavailable { .. })),
        "{answer:?}"
    );
}

/// A node that may be back is asked, and not relied on: one that hiccupped is asked as well until the other has answered.
#[test]
fn a_node_that_hangs_again_after_its_rest_does_not_stand_for_one_that_rests() {
    let ours = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&ours, 3);
    let mut patience = patient(2);
    patience.rest = Duration::from_millis(1_500);
    let endpoints = local(&urls, patience).expect("three");
    nodes[0].inject(Fault::HangBefore(Method::Any));
    assert_eq!(time(&endpoints).expect("two").by, urls[1..]);
    std::thread::sleep(Duration::from_millis(700));
    nodes[1].inject(Fault::DropBefore(Method::Any));
    time(&endpoints).expect_err("one that is awake");
    nodes[1].clear();
    std::thread::sleep(Duration::from_millis(900));
    // The first one's rest is over, the second one's is not.
    let start = Instant::now();
    assert_eq!(time(&endpoints).expect("two").by, urls[1..]);
    assert!(
        start.elapsed() < Duration::from_millis(1_200),
        "{:?}",
        start.elapsed()
    );
}
