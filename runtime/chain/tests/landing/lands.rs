use super::*;
use crate::child::{End, Task};
use gradus_node::{Fault, Method, Node};

/// Endpoints of a chain.
fn serve(chain: &Chain, count: usize) -> (Vec<Node>, Vec<String>) {
    let nodes: Vec<_> = (0..count)
        .map(|_| Node::serve(chain).expect("loopback"))
        .collect();
    let urls = nodes.iter().map(Node::url).collect();
    (nodes, urls)
}

#[test]
fn each_method_lands_and_is_proven() {
    let (open, hidden) = (chain(1, false, |_| ()), chain(2, true, |_| ()));
    for (chain, validator, hash_commit) in
        [(&open, 0, false), (&hidden, 0, false), (&hidden, 1, true)]
    {
        let place = tempfile::tempdir().expect("a directory");
        let (_nodes, urls) = serve(chain, 2);
        let mut task = Task::new(chain, place.path(), urls, validator);
        task.hash_commit = hash_commit;
        assert_eq!(task.run(), End::Done);
        let status = task.status(chain);
        let (word, reason) = only(&status);
        assert_eq!(word, Word::Verified, "{reason}: {status:#?}");
        assert_eq!(chain.weights(NETUID, 0, uid(validator)), STORED);
        let extrinsics = if hash_commit { 2 } else { 1 };
        assert_eq!(chain.applied_by(pair(validator).account().0), extrinsics);
    }
}

/// Three endpoints, of which one does something else: the other two decide.
#[test]
fn a_node_that_lies_swallows_or_hangs_beside_two_others_changes_nothing() {
    // An operator's patience is counted in epochs, and a node's silence in seconds.
    let chain = chain(5, false, |config| config.subnets[0].tempo = 360);
    let key = |uid: u16| {
        let key = [gradus_node::Key::U16(NETUID), gradus_node::Key::U16(uid)];
        chain
            .storage()
            .runtime()
            .key(("SubtensorModule", "Keys"), &key)
    };
    let faults = [
        Fault::Lie {
            key: key(1),
            value: Some(vec![9; 32]),
        },
        Fault::Swallow,
        Fault::Lag(3),
        Fault::HangBefore(Method::Submit),
        Fault::HangBefore(Method::Named("state_getStorage")),
    ];
    for (validator, fault) in (0..).zip(faults) {
        let place = tempfile::tempdir().expect("a directory");
        let (nodes, urls) = serve(&chain, 3);
        nodes[0].inject(fault.clone());
        let task = Task::new(&chain, place.path(), urls, validator);
        assert_eq!(task.run(), End::Done, "{fault:?}");
        let (word, reason) = only(&task.status(&chain));
        assert_eq!(word, Word::Verified, "{fault:?}: {reason}");
        assert_eq!(
            chain.applied_by(pair(validator).account().0),
            1,
            "{fault:?}"
        );
    }
}
