use super::several::*;
use super::*;
use gradus_chain::node::{Endpoints, Exclusion, items};
use gradus_node::Fault;

#[test]
fn nodes_of_one_host_or_address_count_once_on_a_public_network() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, urls) = serve_many(&chain, 2);
    let elsewhere = gradus_node::Node::serve_on(&chain, host(2), 0);
    let elsewhere = elsewhere.expect("all of loopback");
    let profile = public(&chain);
    let named = format!("ws://LocalHost:{}", nodes[1].port());
    // Two ports of a host; a name and its address.
    for second in [&urls[1], &named] {
        let two = [urls[0].clone(), second.clone()];
        let error = Endpoints::connect(&profile, &two, policy(2)).err();
        let error = error.expect("one operator");
        assert_eq!(error.found(), 1, "{error}");
        assert!(error.to_string().contains("counts as one with"), "{error}");
        // Believed alone where one is enough, and on a chain of one's own.
        assert!(Endpoints::connect(&profile, &two, policy(1)).is_ok());
        assert!(local(&two, policy(2)).is_ok());
        // With another operator's they are two, whoever of the first's answers.
        let three = [&two[..], &[elsewhere.url()]].concat();
        let endpoints = Endpoints::connect(&profile, &three, policy(2)).expect("two operators");
        let agreed = time(&endpoints).expect("two operators");
        assert_eq!(agreed.by, three);
        let why = of(&agreed.excluded, &two[1]);
        assert!(
            matches!(why, Some(Exclusion::CountsWith { other, .. }) if *other == two[0]),
            "{why:?}"
        );
        assert!(Endpoints::connect(&profile, &three, policy(3)).is_err());
    }
}

#[test]
fn two_nodes_of_one_operator_do_not_outvote_another() {
    let chain = chain(Spec::V461, |_| ());
    let (nodes, mut urls) = serve_many(&chain, 2);
    let elsewhere = gradus_node::Node::serve_on(&chain, host(2), 0);
    let elsewhere = elsewhere.expect("all of loopback");
    urls.push(elsewhere.url());
    let endpoints = Endpoints::connect(&public(&chain), &urls, policy(1)).expect("two operators");
    let node = Node::connect(&urls[0], limits()).expect("a node");
    let snapshot = best(&node);
    let key = snapshot
        .capabilities()
        .storage_key(items::NOW, &[])
        .expect("known");
    for node in &nodes {
        let value = Some(1_u64.to_le_bytes().to_vec());
        node.inject(Fault::Lie {
            key: key.clone(),
            value,
        });
    }
    let error = time(&endpoints).expect_err("one against one");
    assert_eq!(error.found(), 0, "{error}");
    assert!(
        urls.iter().all(|url| error.to_string().contains(url)),
        "{error}"
    );
}
