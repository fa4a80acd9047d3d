use super::*;
use gradus_chain::node::{Endpoints, Head, Profile};
use gradus_node::{Fault, Method};
use std::time::Instant;

/// Prints how long questions take that one of three nodes answers after five seconds.
#[test]
#[ignore = "a measurement"]
fn measure_a_question_that_one_of_three_answers_after_five_seconds() {
    let chain = chain(Spec::V461, |_| ());
    let serve = |_| gradus_node::Node::serve(&chain).expect("loopback");
    let nodes: Vec<_> = (0..3).map(serve).collect();
    let urls: Vec<String> = nodes.iter().map(gradus_node::Node::url).collect();
    let profile = Profile::local(NETUID, Vec::new());
    let policy = AgreementPolicy::default();
    let endpoints = Endpoints::connect(&profile, &urls, policy).expect("three");
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
