use super::*;
use gradus_chain::node::{AgreeError, Capabilities, Endpoints, Exclusion, Head, Profile, items};
use gradus_node::{ChainFault, Fault, Method};

struct Three {
    chain: Chain,
    nodes: Vec<gradus_node::Node>,
    urls: Vec<String>,
}

fn three() -> Three {
    let chain = chain(Spec::V461, |_| ());
    let serve = |_| gradus_node::Node::serve(&chain).expect("loopback");
    let nodes: Vec<_> = (0..3).map(serve).collect();
    let urls = nodes.iter().map(gradus_node::Node::url).collect();
    Three { chain, nodes, urls }
}

impl Three {
    fn connect(&self, required: usize) -> Result<Endpoints, AgreeError> {
        Endpoints::connect(
            &Profile::local(NETUID, Vec::new()),
            &self.urls,
            policy(required),
        )
    }

    /// Two of three agree on the facts; the third is left out for this.
    #[track_caller]
    fn two_agree(&self, why: impl Fn(&Exclusion) -> bool) {
        let endpoints = self.connect(2).expect("two");
        let pinned = endpoints.pin(Head::Finalized).expect("two");
        let agreed = pinned
            .read("facts", |snapshot| {
                snapshot.facts(NETUID, 0, pair().account())
            })
            .expect("two");
        assert_eq!(agreed.by, self.urls[1..]);
        let excluded = [&pinned.excluded[..], &agreed.excluded].concat();
        assert_eq!(excluded.len(), 1, "{excluded:?}");
        assert_eq!(excluded[0].url, self.urls[0]);
        assert!(why(&excluded[0].why), "{:?}", excluded[0]);
        // With all three required there is no answer, and the third is named.
        let error = match self.connect(3) {
            Err(error) => error,
            Ok(endpoints) => match endpoints.pin(Head::Finalized) {
                Err(error) => error,
                Ok(pinned) => pinned
                    .read("facts", |snapshot| {
                        snapshot.facts(NETUID, 0, pair().account())
                    })
                    .expect_err("two of three"),
            },
        };
        assert!(error.to_string().contains(&self.urls[0]), "{error}");
    }
}

#[test]
fn nodes_of_one_chain_agree() {
    let three = three();
    let endpoints = three.connect(3).expect("three");
    for (head, number) in [(Head::Finalized, 8), (Head::Best, 10)] {
        let pinned = endpoints.pin(head).expect("three");
        assert_eq!((pinned.block.number, pinned.finalized.number), (number, 8));
        assert_eq!(pinned.excluded, []);
        let agreed = pinned
            .read("the time", |snapshot| snapshot.timestamp_ms())
            .expect("three");
        assert_eq!(agreed.by.len(), 3);
    }
    assert_eq!(endpoints.genesis(), hash(three.chain.genesis_hash()));
}

#[test]
fn a_node_that_lags_is_left_out() {
    let three = three();
    three.nodes[0].inject(Fault::Lag(6));
    three.two_agree(|why| matches!(why, Exclusion::Lags { own: 4, others: 8 }));
}

#[test]
fn a_node_that_lies_about_storage_is_left_out() {
    for item in [items::LAST_UPDATE, items::WEIGHTS_SET_RATE_LIMIT] {
        let three = three();
        let node = Node::connect(&three.urls[1], limits()).expect("a node");
        let snapshot = best(&node);
        let capabilities: &Capabilities = snapshot.capabilities();
        let key = capabilities
            .storage_key(item, &[&NETUID.to_le_bytes()])
            .expect("known");
        let value = match item == items::LAST_UPDATE {
            // Five uids, each of which was never updated but the first.
            true => [&[5 << 2][..], &7_u64.to_le_bytes(), &[0; 32]].concat(),
            false => 1_u64.to_le_bytes().to_vec(),
        };
        three.nodes[0].inject(Fault::Lie {
            key,
            value: Some(value),
        });
        three.two_agree(|why| matches!(why, Exclusion::Differs { .. } | Exclusion::Unreadable(_)));
    }
}

#[test]
fn a_node_of_another_chain_is_left_out() {
    let three = three();
    three.nodes[0].inject(Fault::Genesis([9; 32]));
    three.two_agree(|why| {
        matches!(
            why,
            Exclusion::Differs {
                what: "the genesis",
                ..
            }
        )
    });
    let finney = Profile::finney();
    let error = Endpoints::connect(&finney, &three.urls, policy(2))
        .err()
        .expect("not finney");
    assert_eq!(error.excluded().len(), 3);
    assert!(error.to_string().contains("finney"), "{error}");
}

#[test]
fn a_node_that_hangs_or_breaks_off_is_left_out() {
    for fault in [
        Fault::HangBefore(Method::Any),
        Fault::DropBefore(Method::Any),
    ] {
        let three = three();
        three.nodes[0].inject(fault);
        three.two_agree(|why| matches!(why, Exclusion::Unreadable(_) | Exclusion::Late { .. }));
    }
}

#[test]
fn two_that_disagree_are_no_answer_whatever_is_required() {
    let three = three();
    let two = &three.urls[..2];
    three.nodes[0].inject(Fault::Genesis([9; 32]));
    for required in [1, 2] {
        let profile = Profile::local(NETUID, Vec::new());
        let error = Endpoints::connect(&profile, two, policy(required))
            .err()
            .expect("a tie");
        let shown = error.to_string();
        assert!(two.iter().all(|url| shown.contains(url)), "{shown}");
    }
}

#[test]
fn a_broken_connection_is_made_again() {
    let three = three();
    let endpoints = three.connect(3).expect("three");
    for _ in 0..3 {
        three.nodes.iter().for_each(gradus_node::Node::disconnect);
        let pinned = endpoints.pin(Head::Finalized).expect("three");
        assert_eq!(pinned.snapshots().len(), 3);
        three.chain.produce_block();
    }
}

#[test]
fn an_upgrade_is_noticed_at_its_block() {
    let chain = chain(Spec::V439, |_| ());
    let (served, _node) = serve(&chain);
    let profile = Profile::local(NETUID, Vec::new());
    let endpoints = Endpoints::connect(&profile, &[served.url()], policy(1)).expect("one");
    let before = endpoints.pin(Head::Finalized).expect("one");
    assert_eq!(before.runtime.spec_version, 439);
    chain.inject(ChainFault::Upgrade(Spec::V461));
    chain.produce_to(14);
    let after = endpoints.pin(Head::Finalized).expect("one");
    assert_eq!(after.runtime.spec_version, 461);
    // What was pinned stays what it was.
    assert_eq!(before.first().subnet(NETUID).expect("there").tempo, 20);
}

#[test]
fn a_clock_that_no_node_shares_is_named() {
    let old = Chain::start(ChainConfig::default());
    old.produce_to(5);
    let served = gradus_node::Node::serve(&old).expect("loopback");
    let profile = Profile::local(NETUID, Vec::new());
    let endpoints = Endpoints::connect(&profile, &[served.url()], policy(1)).expect("one");
    let error = endpoints
        .pin(Head::Finalized)
        .err()
        .expect("a chain of January");
    assert!(matches!(error, AgreeError::ClockSkew { .. }), "{error}");
    assert!(error.to_string().contains("set the clock"), "{error}");
}

#[test]
fn nodes_agree_on_metadata_by_their_digest() {
    let runtime = |bytes: &[u8]| {
        let version = gradus_chain::node::RuntimeVersion {
            spec_name: "node-subtensor".into(),
            spec_version: 461,
            transaction_version: 1,
        };
        gradus_chain::node::Runtime::decode(version, bytes).expect("sound")
    };
    let bytes = Spec::V461.runtime().bytes();
    let text = b"New authority set has been applied";
    let mut texts = bytes.windows(text.len());
    let at = texts
        .position(|window| window == text)
        .expect("a documentation");
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    assert_ne!(runtime(&changed).digest(), runtime(bytes).digest());
    let three = three();
    let endpoints = three.connect(3).expect("three");
    let pinned = endpoints.pin(Head::Finalized).expect("three");
    let snapshots = pinned.snapshots().iter();
    let digests: Vec<_> = snapshots
        .map(|snapshot| snapshot.capabilities().runtime().digest())
        .collect();
    assert_eq!(digests, [runtime(bytes).digest(); 3]);
}
