use super::several::*;
use super::*;
use gradus_chain::land::Landing;
use gradus_chain::submission::{Chain as _, ChainError};
use gradus_node::{Fault, Method, RpcError};
use std::time::Instant;

/// Three endpoints, and an extrinsic that the chain takes.
struct Three {
    chain: Chain,
    nodes: Vec<gradus_node::Node>,
    urls: Vec<String>,
    extrinsic: Vec<u8>,
}

fn three() -> Three {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 3);
    let node = Node::connect(&urls[2], limits()).expect("a node");
    let extrinsic = sign(&best(&node), &set(None), &pair()).bytes;
    Three {
        chain,
        nodes,
        urls,
        extrinsic,
    }
}

impl Three {
    /// Hands it out; what came of it, and how long that took.
    fn submit(&self) -> (Result<Result<(), u8>, ChainError>, Duration) {
        let mut patience = patient(2);
        patience.question = Duration::from_secs(1);
        let endpoints = local(&self.urls, patience).expect("three");
        let pair = pair();
        let mut landing = Landing::new(&endpoints, &pair, |_| ());
        let start = Instant::now();
        let word = landing.submit(&self.extrinsic);
        let custom =
            |refusal: gradus_chain::submission::Refusal| refusal.custom.unwrap_or_default();
        (word.map(|word| word.map_err(custom)), start.elapsed())
    }

    fn endpoints(&self) -> Vec<usize> {
        let mut ids: Vec<usize> = self
            .chain
            .submissions()
            .iter()
            .map(|one| one.endpoint)
            .collect();
        ids.sort_unstable();
        ids
    }
}

#[test]
fn an_extrinsic_that_one_has_taken_does_not_wait_for_one_that_hangs() {
    let three = three();
    three.nodes[0].inject(Fault::HangBefore(Method::Submit));
    let (word, took) = three.submit();
    assert_eq!(word, Ok(Ok(())));
    assert!(took < Duration::from_millis(1_200), "{took:?}");
    assert_eq!(
        three.endpoints(),
        [three.nodes[1].id(), three.nodes[2].id()]
    );
}

#[test]
fn a_slow_node_gets_the_extrinsic_although_nobody_waits_for_it() {
    let three = three();
    let slow = Method::Named("state_getRuntimeVersion");
    let (word, took) = {
        let endpoints = local(&three.urls, patient(2)).expect("three");
        three.nodes[0].inject(Fault::Slow(slow, Duration::from_millis(1_200)));
        let pair = pair();
        let start = Instant::now();
        let word = Landing::new(&endpoints, &pair, |_| ()).submit(&three.extrinsic);
        (word, start.elapsed())
    };
    assert_eq!(word, Ok(Ok(())));
    assert!(took < Duration::from_millis(1_000), "{took:?}");
    assert_eq!(three.endpoints().len(), 2);
    std::thread::sleep(Duration::from_millis(1_500));
    let all: Vec<usize> = three.nodes.iter().map(gradus_node::Node::id).collect();
    assert_eq!(three.endpoints(), all, "a quick one may have swallowed it");
}

#[test]
fn a_refusal_is_none_while_one_that_may_have_taken_it_is_silent() {
    let three = three();
    three.nodes[0].inject(Fault::HangAfter(Method::Submit));
    for node in &three.nodes[1..] {
        node.inject(Fault::Refuse(Method::Submit, RpcError::custom(6)));
    }
    let (word, took) = three.submit();
    assert!(
        matches!(word, Err(ChainError::Unavailable { .. })),
        "{word:?}"
    );
    // Up to the question's deadline, and no longer.
    assert!(took < Duration::from_millis(1_400), "{took:?}");
    three.nodes[0].clear();
    three.nodes[0].inject(Fault::Refuse(Method::Submit, RpcError::custom(6)));
    let (word, _) = three.submit();
    assert_eq!(word, Ok(Err(6)));
}

#[test]
fn what_a_pools_number_means_is_written_down_with_its_words() {
    let three = three();
    for node in &three.nodes {
        node.inject(Fault::Refuse(Method::Submit, RpcError::custom(1)));
    }
    let endpoints = local(&three.urls, patient(2)).expect("three");
    let pair = pair();
    let word = Landing::new(&endpoints, &pair, |_| ()).submit(&three.extrinsic);
    let refusal = word.expect("an answer").expect_err("too little stake");
    assert_eq!(
        refusal.message,
        "Invalid Transaction: Custom error: 1: add stake to the hotkey, or use one that has it"
    );
}
