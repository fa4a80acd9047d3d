//! From `--network`, `--endpoint` and `--agree` to nodes that are connected.

use crate::cli::chain::{NetuidArgs, NetworkArg, NodeArgs};
use gradus_chain::node::rpc::{RpcLimits, is_address};
use gradus_chain::node::{AgreeError, AgreementPolicy, Endpoints, Profile};
use gradus_tasks::Owner;
use std::time::Duration;

/// How many nodes agree where nothing else is said.
const AGREE: usize = 2;
/// The longest wait for a connection, seconds.
const CONNECT_S_MAX: u16 = 10;
/// How much of an address that is none is shown.
const ADDRESS_CHARS_MAX: usize = 200;
/// How often a read is tried. An extrinsic may land for three minutes, of which one node that hangs must not take the most.
const ATTEMPTS: u32 = 2;

/// Who is asked about what, before anybody is.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The network, with the subnet and the nodes that were named.
    pub profile: Profile,
    /// What counts as agreement.
    pub policy: AgreementPolicy,
}

/// Why arguments do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A chain of one's own, and no word on where it is.
    #[error(
        "--network local has no public nodes\nhelp: name one with --endpoint, such as ws://127.0.0.1:9944"
    )]
    NoEndpoint,
    /// No node's address.
    #[error(
        "--endpoint {url:?} is no node's address\nhelp: write wss://HOST[:PORT] or, for a node that is near, ws://HOST:PORT"
    )]
    Address {
        /// As it was given.
        url: String,
    },
    /// More than there are.
    #[error(
        "{required} nodes have to agree, {named} are named\nhelp: name more with --endpoint; --agree 1 believes a single node, which has to be your own"
    )]
    TooFewNamed {
        /// How many have to agree.
        required: usize,
        /// How many there are.
        named: usize,
    },
}

impl PlanError {
    /// Whose fault: who wrote the arguments.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Which network, subnet and nodes arguments name. Of a local network there may be no nodes yet.
pub fn profile(nodes: &NodeArgs, subnet: Option<&NetuidArgs>) -> Profile {
    let mut profile = match nodes.network() {
        NetworkArg::Finney => Profile::finney(),
        NetworkArg::Test => Profile::test(),
        // A copy of the main network has its subnet.
        NetworkArg::Local => Profile::local(Profile::finney().netuid, Vec::new()),
    };
    if !nodes.endpoints.is_empty() {
        profile.endpoints = Vec::new();
        for url in &nodes.endpoints {
            // One node that is named twice is one opinion.
            if !profile.endpoints.contains(url) {
                profile.endpoints.push(url.clone());
            }
        }
    }
    if let Some(netuid) = subnet.and_then(|subnet| subnet.netuid) {
        profile.netuid = netuid;
    }
    profile
}

impl Plan {
    /// What the arguments say.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new(nodes: &NodeArgs, subnet: Option<&NetuidArgs>) -> Result<Self, PlanError> {
        let profile = profile(nodes, subnet);
        let named = profile.endpoints.len();
        if named == 0 {
            return Err(PlanError::NoEndpoint);
        }
        if let Some(url) = profile.endpoints.iter().find(|url| !is_address(url)) {
            let url = url.chars().take(ADDRESS_CHARS_MAX).collect();
            return Err(PlanError::Address { url });
        }
        let required = match (nodes.agree, nodes.network()) {
            (Some(agree), _) => agree.into(),
            (None, NetworkArg::Finney) => AGREE,
            (None, _) => AGREE.min(named),
        };
        if required > named {
            return Err(PlanError::TooFewNamed { required, named });
        }
        let seconds = |seconds: u16| Duration::from_secs(seconds.into());
        let limits = RpcLimits {
            connect: seconds(nodes.timeout.min(CONNECT_S_MAX)),
            call: seconds(nodes.timeout),
            attempts: ATTEMPTS,
            ..RpcLimits::default()
        };
        Ok(Self {
            profile,
            policy: AgreementPolicy {
                required,
                limits,
                // Whatever it takes of connections and calls.
                question: 2 * limits.call,
                ..AgreementPolicy::default()
            },
        })
    }

    /// Connects to all of them at once.
    ///
    /// # Errors
    /// [`AgreeError`], which names who was left out and why.
    pub fn connect(&self) -> Result<Endpoints, AgreeError> {
        Endpoints::connect(&self.profile, &self.profile.endpoints, self.policy.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(network: NetworkArg, endpoints: &[&str], agree: Option<u8>) -> NodeArgs {
        NodeArgs {
            network: Some(network),
            endpoints: endpoints.iter().map(|url| (*url).to_owned()).collect(),
            agree,
            timeout: 5,
        }
    }

    fn required(
        network: NetworkArg,
        endpoints: &[&str],
        agree: Option<u8>,
    ) -> Result<usize, PlanError> {
        let plan = Plan::new(&nodes(network, endpoints, agree), None)?;
        Ok(plan.policy.required)
    }

    #[test]
    fn a_single_node_is_believed_on_finney_only_if_that_is_said() {
        use NetworkArg::{Finney, Local, Test};
        assert_eq!(required(Finney, &[], None), Ok(2));
        assert_eq!(required(Finney, &["ws://a"], Some(1)), Ok(1));
        let too_few = |required, named| Err(PlanError::TooFewNamed { required, named });
        assert_eq!(required(Finney, &["ws://a"], None), too_few(2, 1));
        assert_eq!(required(Finney, &["ws://a", "ws://a"], None), too_few(2, 1));
        assert_eq!(
            required(Local, &["ws://a", "ws://b"], Some(3)),
            too_few(3, 2)
        );
        assert_eq!(required(Local, &["ws://a"], None), Ok(1));
        assert_eq!(
            required(Local, &["ws://a", "ws://b", "ws://c"], None),
            Ok(2)
        );
        assert_eq!(required(Local, &[], None), Err(PlanError::NoEndpoint));
        assert_eq!(required(Test, &[], None), Ok(1));
        let url = "http://a".to_owned();
        assert_eq!(
            required(Local, &["ws://b", "http://a"], None),
            Err(PlanError::Address { url })
        );
        let netuid = NetuidArgs { netuid: Some(7) };
        let plan = Plan::new(&nodes(Finney, &[], None), Some(&netuid)).expect("it fits");
        assert_eq!((plan.profile.netuid, plan.profile.endpoints.len()), (7, 3));
        // Nothing said is the main network.
        let unsaid = NodeArgs {
            network: None,
            ..nodes(Local, &[], None)
        };
        assert_eq!(profile(&unsaid, None), Profile::finney());
        assert_eq!(profile(&nodes(Local, &[], None), None).netuid, 56);
    }
}
