//! Arguments to nodes that agree, and to the directory that holds intents.

use super::LandError;
use crate::cli::weights::NetworkArgs;
use crate::device::StateDir;
use gradus_chain::Hash;
use gradus_chain::node::rpc::RpcLimits;
use gradus_chain::node::{
    AgreeError, AgreementPolicy, Binding, Endpoints, Head, Network, Pinned, Profile,
};
use gradus_chain::submission::Ledger;
use gradus_chain::timelock::Beacon;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

/// A network, and nodes of it that agree.
pub(in super::super) struct Connected {
    pub(in super::super) profile: Profile,
    pub(in super::super) endpoints: Endpoints,
    pub(in super::super) beacon: Beacon,
    pub(in super::super) mechanism: u8,
    pub(in super::super) state: PathBuf,
}

/// The network that arguments name, and its directory.
pub(in super::super) fn place(arguments: &NetworkArgs) -> Result<(Profile, PathBuf), LandError> {
    let network = arguments.network.ok_or(LandError::NoNetwork)?;
    let mut profile = match network {
        Network::Finney => Profile::finney(),
        Network::Test => Profile::test(),
        Network::Local => {
            let netuid = arguments.netuid;
            let netuid = netuid.ok_or(LandError::Local {
                missing: "a subnet",
            })?;
            Profile::local(netuid, Vec::new())
        }
    };
    if let Some(netuid) = arguments.netuid {
        profile.netuid = netuid;
    }
    if !arguments.endpoints.is_empty() {
        profile.endpoints.clone_from(&arguments.endpoints);
    }
    let state = match &arguments.state {
        Some(state) => state.clone(),
        None => {
            let base = StateDir::from_environment().ok_or(LandError::NoState)?;
            let name = format!("{network}-{}", profile.netuid);
            base.path().join("weights").join(name)
        }
    };
    Ok((profile, state))
}

/// The state directory that arguments name and whose it is, by files alone; nobody's if nothing was set from there.
pub(in super::super) fn bound(
    arguments: &NetworkArgs,
) -> Result<(PathBuf, Option<Binding>), LandError> {
    let state = match (&arguments.network, &arguments.state) {
        (None, Some(state)) => state.clone(),
        _ => place(arguments)?.1,
    };
    let Some(bound) = Binding::of(&state)? else {
        return Ok((state, None));
    };
    if let Some(network) = arguments.network {
        let (profile, _) = place(arguments)?;
        if (network, profile.netuid) != (bound.network, bound.netuid) {
            profile.bind(&state, profile.genesis.unwrap_or(bound.genesis))?;
        }
    }
    Ok((state, Some(bound)))
}

impl Connected {
    /// Connects to all nodes. Nothing is written.
    pub(in super::super) fn open(arguments: &NetworkArgs) -> Result<Self, LandError> {
        let (profile, state) = place(arguments)?;
        if profile.endpoints.is_empty() {
            let missing = "a node";
            return Err(LandError::Local { missing });
        }
        let beacon = match &arguments.beacon {
            None => Beacon::quicknet(),
            Some(_) if profile.network != Network::Local => {
                let network = profile.network.to_string();
                return Err(LandError::Beacon { network });
            }
            Some(beacon) => beacon.0.clone(),
        };
        let policy = AgreementPolicy {
            required: match arguments.agree {
                Some(agree) => usize::from(agree),
                None if profile.network == Network::Finney => 2,
                // Elsewhere one that is named alone is one's own.
                None => profile.endpoints.len().clamp(1, 2),
            },
            limits: RpcLimits {
                // An extrinsic's era is three minutes.
                call: Duration::from_secs(15),
                attempts: 2,
                ..RpcLimits::default()
            },
            question: Duration::from_secs(30),
            ..AgreementPolicy::default()
        };
        // A directory of another network is refused before any node is asked.
        if let Some(bound) = Binding::of(&state)?
            && (bound.network, bound.netuid) != (profile.network, profile.netuid)
        {
            profile.bind(&state, profile.genesis.unwrap_or(bound.genesis))?;
        }
        let endpoints = Endpoints::connect(&profile, &profile.endpoints, policy)?;
        if Binding::of(&state)?.is_some() {
            profile.bind(&state, endpoints.genesis())?;
        }
        Ok(Self {
            profile,
            endpoints,
            beacon,
            mechanism: arguments.mechanism,
            state,
        })
    }

    /// The newest final block. What is planned on a newer one could be refused by looking at an older one later.
    pub(in super::super) fn pin(&self) -> Result<Pinned<'_>, AgreeError> {
        self.endpoints.pin(Head::Finalized)
    }

    /// The intents, for this process alone; their directory is made this network's.
    pub(in super::super) fn ledger(&self) -> Result<Ledger, LandError> {
        let state = &self.state;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state)
            .map_err(|source| LandError::State {
                path: state.clone(),
                source,
            })?;
        let genesis = self.endpoints.genesis();
        self.profile.bind(state, genesis)?;
        let name = self.profile.network.to_string();
        Ok(Ledger::open(state, &name, Hash(genesis.0))?)
    }
}
