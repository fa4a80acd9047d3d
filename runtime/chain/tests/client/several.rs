//! Several nodes of a double of the chain, on one machine.

use super::*;
use gradus_chain::node::{AgreeError, Agreed, Endpoints, Excluded, Exclusion, Network, Profile};
use std::net::{Ipv4Addr, TcpListener};

pub(crate) fn serve_many(chain: &Chain, count: usize) -> (Vec<gradus_node::Node>, Vec<String>) {
    let serve = |_| gradus_node::Node::serve(chain).expect("loopback");
    let nodes: Vec<_> = (0..count).map(serve).collect();
    let urls = nodes.iter().map(gradus_node::Node::url).collect();
    (nodes, urls)
}

pub(crate) fn local(urls: &[String], policy: AgreementPolicy) -> Result<Endpoints, AgreeError> {
    Endpoints::connect(&Profile::local(NETUID, Vec::new()), urls, policy)
}

/// Two of three, a grace that quick nodes keep, and a rest that ends within the test.
pub(crate) fn patient(required: usize) -> AgreementPolicy {
    AgreementPolicy {
        question: Duration::from_secs(8),
        grace: Duration::from_millis(400),
        rest: Duration::from_millis(600),
        ..policy(required)
    }
}

pub(crate) fn time(endpoints: &Endpoints) -> Result<Agreed<u64>, AgreeError> {
    endpoints.ask("the time", |node| {
        node.at(node.best_head()?)?.timestamp_ms()
    })
}

pub(crate) fn of<'e>(excluded: &'e [Excluded], url: &str) -> Option<&'e Exclusion> {
    let mut own = excluded.iter().filter(|one| one.url == url);
    own.next().map(|one| &*one.why)
}

/// An address of loopback.
pub(crate) fn host(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// A node's address and port where nobody listens, and nobody else will: other tests' nodes and clients are on 127.0.0.1.
pub(crate) fn nobody(last: u8) -> (String, u16) {
    let socket = TcpListener::bind((host(last), 0)).expect("all of loopback");
    let port = socket.local_addr().expect("bound").port();
    (format!("ws://{}:{port}", host(last)), port)
}

/// A public network with the chain of a double.
pub(crate) fn public(chain: &Chain) -> Profile {
    Profile {
        network: Network::Test,
        genesis: Some(hash(chain.genesis_hash())),
        netuid: NETUID,
        endpoints: Vec::new(),
    }
}
