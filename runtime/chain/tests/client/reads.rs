use super::*;
use gradus_chain::node::{Head, MetagraphSource, NEURONS_MAX, Profile, ReadError, Warning, report};
use gradus_node::{ChainFault, Fault, Method, RpcError};

const SPECS: [Spec; 3] = [Spec::V365, Spec::V439, Spec::V461];

#[test]
fn a_subnet_is_read_as_it_was_made_in_three_specs() {
    for spec in SPECS {
        let chain = chain(spec, |subnet| {
            subnet.tempo = 77;
            subnet.weights_version_key = 61_000;
            subnet.weights_set_rate_limit = 9;
            subnet.commit_reveal = true;
            subnet.reveal_period_epochs = 3;
            subnet.max_weights_limit = 40_000;
            subnet.mechanisms = 2;
        });
        let (_served, node) = serve(&chain);
        assert_eq!(node.genesis(), hash(chain.genesis_hash()));
        let snapshot = best(&node);
        let subnet = snapshot.subnet(NETUID).expect("there");
        assert_eq!((subnet.tempo, subnet.num_uids), (77, NEURONS.into()));
        assert_eq!(subnet.weights_version_key, 61_000);
        assert_eq!(subnet.weights_set_rate_limit_blocks, 9);
        assert!(subnet.commit_reveal_enabled);
        assert_eq!(
            (subnet.reveal_period_epochs, subnet.commit_reveal_version),
            (3, 4)
        );
        assert_eq!(subnet.mechanism_count, Some(2));
        assert_eq!(subnet.min_allowed_weights, 2);
        assert_eq!(subnet.stake_threshold_rao, 1_000_000_000_000);
        assert_eq!(subnet.owner_hotkey, owner().account());
        assert_eq!(subnet.epoch_state().is_some(), spec != Spec::V365);
        assert_eq!(
            subnet.activity_cutoff.factor_milli.is_some(),
            spec != Spec::V365
        );
        let error = snapshot.subnet(57).expect_err("not there");
        assert!(
            matches!(error, ReadError::NoSubnet { netuid: 57, .. }),
            "{error}"
        );
        assert_eq!(snapshot.block().number, 10);
    }
}

#[test]
fn a_metagraph_from_storage_is_the_one_from_the_runtime_but_for_stakes() {
    for spec in SPECS {
        let chain = chain(spec, |_| ());
        let (served, node) = serve(&chain);
        let snapshot = best(&node);
        let full = snapshot.metagraph(NETUID).expect("there");
        assert_eq!(full.source, MetagraphSource::RuntimeApi);
        assert_eq!(full.neurons.len(), usize::from(NEURONS));
        let validator = full.neuron(pair().account()).expect("registered");
        assert_eq!((validator.uid, validator.validator_permit), (0, true));
        assert!(validator.total_stake_rao.expect("stakes") >= 1_000_000_000_000);
        assert_eq!(
            full.neuron(account([3; 32])).map(|neuron| neuron.uid),
            Some(3)
        );
        for method in ["get_selective_metagraph", "get_metagraph"] {
            let name: &'static str = format!("SubnetInfoRuntimeApi_{method}").leak();
            let refusal = RpcError::new(4003, "Client error", "Exported method is not found");
            served.inject(Fault::Refuse(Method::RuntimeCall(name), refusal));
        }
        let stored = snapshot.metagraph(NETUID).expect("there");
        assert_eq!(stored.source, MetagraphSource::Storage);
        assert_eq!(stored.digest(), full.digest());
        let mut without = full.neurons.clone();
        for neuron in &mut without {
            neuron.total_stake_rao = None;
        }
        assert_eq!(stored.neurons, without);
    }
}

/// A node that is busy has the function all the same: what another way would give is not what other nodes say.
#[test]
fn a_function_that_a_node_refuses_once_is_not_one_that_the_runtime_lacks() {
    let chain = chain(Spec::V461, |_| ());
    let (served, node) = serve(&chain);
    let refuse = |function: &'static str, words: &str| {
        let refusal = RpcError::new(-32_603, "Internal error", words);
        served.inject_once(Fault::Refuse(Method::RuntimeCall(function), refusal));
    };
    let versions = "Metadata_metadata_versions";
    let head = node.best_head().expect("a head");
    refuse(versions, "too many requests");
    let error = node.at(head).err().expect("busy");
    assert!(matches!(error, ReadError::Rpc(_)), "{error}");
    // And nothing of it stays.
    let digest = |node: &Node| {
        let snapshot = node.at(head).expect("a block");
        snapshot.capabilities().runtime().digest()
    };
    let other = Node::connect(&served.url(), limits()).expect("a node");
    assert_eq!(digest(&node), digest(&other));
    let old = Node::connect(&served.url(), limits()).expect("a node");
    refuse(
        versions,
        "Exported method Metadata_metadata_versions is not found",
    );
    digest(&old);
    let selective = "SubnetInfoRuntimeApi_get_selective_metagraph";
    let snapshot = best(&node);
    refuse(selective, "too many requests");
    snapshot.metagraph(NETUID).expect_err("busy");
    refuse(selective, "too many requests");
    snapshot
        .epoch_settings(NETUID, 0)
        .expect_err("busy: the limit of an old item is no answer");
    let full = snapshot.metagraph(NETUID).expect("there");
    assert_eq!(full.source, MetagraphSource::RuntimeApi);
}

#[test]
fn a_large_subnet_is_read_from_storage_in_turns() {
    let chain = chain(Spec::V461, |subnet| {
        let account = |number: u8, of: u8| {
            Neuron::miner(
                [[number; 16], [of; 16]]
                    .concat()
                    .try_into()
                    .expect("32 bytes"),
            )
        };
        subnet.neurons = (0..=255).map(|number| account(number, 7)).collect();
    });
    let (served, node) = serve(&chain);
    for method in ["get_selective_metagraph", "get_metagraph"] {
        let name: &'static str = format!("SubnetInfoRuntimeApi_{method}").leak();
        let refusal = RpcError::new(4003, "Client error", "Exported method is not found");
        served.inject(Fault::Refuse(Method::RuntimeCall(name), refusal));
    }
    let metagraph = best(&node).metagraph(NETUID).expect("there");
    assert_eq!(metagraph.source, MetagraphSource::Storage);
    let uids = metagraph
        .neurons
        .iter()
        .map(|neuron| (neuron.uid, neuron.hotkey.0[0]));
    assert!(uids.eq((0..256).map(|uid| (uid, uid as u8))));
}

#[test]
fn a_snapshot_stays_at_its_block() {
    let chain = chain(Spec::V461, |_| ());
    let (_served, node) = serve(&chain);
    let before = best(&node);
    let digest = before.metagraph(NETUID).expect("there").digest();
    chain.inject(ChainFault::Replace {
        netuid: NETUID,
        uid: 4,
        neuron: Box::new(Neuron::miner([99; 32])),
    });
    chain.produce_block();
    chain.produce_block();
    assert_eq!(before.metagraph(NETUID).expect("there").digest(), digest);
    assert_eq!(before.uid(NETUID, account([4; 32])).expect("read"), Some(4));
    let after = best(&node);
    assert_ne!(after.metagraph(NETUID).expect("there").digest(), digest);
    assert_eq!(after.uid(NETUID, account([4; 32])).expect("read"), None);
    assert_eq!(after.uid(NETUID, account([99; 32])).expect("read"), Some(4));
    let hotkeys = |snapshot: &Snapshot<'_>| snapshot.hotkeys(NETUID, &[4, 0, 5]).expect("read");
    let [first, others] = [account([4; 32]), account([99; 32])];
    let validator = Some(pair().account());
    assert_eq!(hotkeys(&before), [Some(first), validator, None]);
    assert_eq!(hotkeys(&after), [Some(others), validator, None]);
    // Storage that is no longer kept says so.
    chain.produce_to(300);
    let error = before
        .uid(NETUID, account([4; 32]))
        .expect_err("10 of 300 blocks ago");
    assert!(error.is_pruned(), "{error:?}");
}

#[test]
fn a_pulse_of_the_chain_is_the_beacons() {
    let chain = chain(Spec::V461, |_| ());
    let (_served, node) = serve(&chain);
    let snapshot = best(&node);
    let drand = chain.drand();
    let beacon = gradus_chain::timelock::Beacon::new(
        &drand.public_key(),
        drand.genesis_s(),
        drand.period_s(),
    )
    .expect("a beacon");
    let round = snapshot.last_stored_round().expect("read").expect("stored");
    let signature = snapshot
        .pulse_signature(round)
        .expect("read")
        .expect("stored");
    assert!(beacon.verifies(round, &signature));
    assert_eq!(
        snapshot.pulse_signature(round + 1_000_000).expect("read"),
        None
    );
}

#[test]
fn reports_are_json_of_what_nodes_agree_on() {
    let chain = chain(Spec::V461, |_| ());
    let nodes = [serve(&chain), serve(&chain)];
    let urls: Vec<String> = nodes.iter().map(|(served, _)| served.url()).collect();
    let profile = Profile::local(NETUID, urls.clone());
    let endpoints =
        gradus_chain::node::Endpoints::connect(&profile, &urls, policy(2)).expect("two");
    let identity = report::identity(&profile, &endpoints).expect("agreed");
    let json = serde_json::to_value(&identity).expect("plain data");
    assert_eq!(json["network"], "local");
    assert_eq!(json["runtime"]["spec_version"], 461);
    assert_eq!(
        (&json["head"]["number"], &json["finalized"]["number"]),
        (&10.into(), &8.into())
    );
    assert_eq!(json["endpoints"].as_array().map(Vec::len), Some(2));
    let pinned = endpoints.pin(Head::Finalized).expect("agreed");
    let metagraph = report::metagraph(&pinned, NETUID).expect("agreed");
    let json = serde_json::to_value(&metagraph).expect("plain data");
    assert_eq!(
        json["metagraph"]["neurons"][0]["hotkey"],
        pair().account().to_string()
    );
    assert!(metagraph.metagraph.neurons.len() < NEURONS_MAX);
    let parameters = report::hyperparameters(&pinned, NETUID).expect("agreed");
    assert_eq!(
        serde_json::to_value(&parameters).expect("data")["parameters"]["tempo"],
        20
    );
}

#[test]
fn a_validator_that_never_set_weights_is_warned() {
    let chain = chain(Spec::V365, |subnet| subnet.activity_cutoff = 12);
    let (_served, node) = serve(&chain);
    let warning = facts(&node).activity(75).expect("10 of 12 blocks");
    assert!(matches!(
        warning,
        Warning::Activity {
            since_blocks: 10,
            cutoff_blocks: 12,
            ..
        }
    ));
}
