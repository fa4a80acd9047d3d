//! Old blocks, whose state one node keeps and the others do not.

use super::prepared::prepared;
use super::several::*;
use super::*;
use gradus_chain::land::Landing;
use gradus_chain::node::items;
use gradus_chain::submission::{Chain as _, ChainError, Outcome};
use gradus_node::{Fault, Method, RpcError};

/// Says of every block that its state is gone.
fn discard(node: &gradus_node::Node) {
    let words = "UnknownBlock: State already discarded for 0x00";
    for method in ["state_getStorage", "state_getRuntimeVersion"] {
        let error = RpcError::new(4003, "Client error", words);
        node.inject(Fault::Refuse(Method::Named(method), error));
    }
}

/// As finney's nodes by default: two keep the newest states, one all. That it stands alone for ever is the end of asking.
#[test]
fn what_one_archive_alone_knows_is_not_kept_and_where_an_extrinsic_landed_is_known() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 3);
    let intent = prepared(&chain, &urls[2]).expect("a vector").intent;
    let node = Node::connect(&urls[2], limits()).expect("a node");
    let signed = sign(&best(&node), &set(None), &pair());
    node.submit(&signed, 461).expect("taken");
    chain.produce_to(16);
    let mut patience = patient(2);
    patience.question = Duration::from_millis(1_500);
    let endpoints = local(&urls, patience.clone()).expect("three");
    let pair = pair();
    let mut landing = Landing::new(&endpoints, &pair, |_| ());
    let heads = landing.heads().expect("three");
    let at = heads.finalized;
    nodes[..2].iter().for_each(discard);
    let pruned = Err(ChainError::Pruned { number: at.number });
    assert_eq!(landing.account(&intent, at), pruned);
    // Blocks themselves are kept: what is not known is what the extrinsic did.
    let place = landing.find(signed.hash, 9, 14, heads.best).expect("three");
    let place = place.expect("in a block");
    assert_eq!((place.block.number, place.outcome), (11, Outcome::Unknown));
    // One archive that is believed alone knows it.
    patience.required = 1;
    let one = local(&urls[2..], patience).expect("one");
    let mut alone = Landing::new(&one, &pair, |_| ());
    let place = alone.find(signed.hash, 9, 14, heads.best).expect("one");
    assert_eq!(place.expect("in a block").outcome, Outcome::Succeeded);
    // Two that keep it and say different things are not none that keeps it.
    nodes[1].clear();
    let key = best(&node)
        .capabilities()
        .storage_key(items::WEIGHTS_SET_RATE_LIMIT, &[&NETUID.to_le_bytes()]);
    nodes[1].inject(Fault::Lie {
        key: key.expect("known"),
        value: Some(77_u64.to_le_bytes().to_vec()),
    });
    let Err(ChainError::Unavailable { why }) = landing.account(&intent, at) else {
        panic!("of two that differ one was believed");
    };
    assert!(why.contains("elsewhere"), "{why}");
    // While one is silent that may keep it, nothing is known; what helps is.
    nodes[1].clear();
    discard(&nodes[1]);
    nodes[2].inject(Fault::HangBefore(Method::Any));
    let Err(ChainError::Unavailable { why }) = landing.account(&intent, at) else {
        panic!("the one that hangs may keep it");
    };
    assert!(
        why.contains("archive nodes") && why.contains("--agree 1"),
        "{why}"
    );
}
