//! Arguments to nodes that agree, and to the directory that holds intents.

use super::LandError;
use crate::chain::connect::{self, Plan};
use crate::cli::weights::LandingArgs;
use crate::device::StateDir;
use crate::interrupt::Interrupt;
use gradus_chain::node::rpc::Stop;
use gradus_chain::node::{AgreeError, Binding, Endpoints, Head, Network, Pinned, Profile};
use gradus_chain::submission::{Ledger, Stage, State, make_directory};
use gradus_chain::timelock::Beacon;
use std::path::{Path, PathBuf};

/// A network, and nodes of it that agree.
pub(in super::super) struct Connected {
    pub(in super::super) profile: Profile,
    pub(in super::super) endpoints: Endpoints,
    pub(in super::super) beacon: Beacon,
    pub(in super::super) mechanism: u8,
    pub(in super::super) state: PathBuf,
}

/// The network that arguments name, and its directory.
pub(in super::super) fn place(arguments: &LandingArgs) -> Result<(Profile, PathBuf), LandError> {
    let profile = connect::profile(&arguments.nodes, Some(&arguments.subnet));
    let state = match &arguments.state {
        Some(state) => state.clone(),
        None => {
            let base = StateDir::from_environment().ok_or(LandError::NoState)?;
            let name = format!("{}-{}", profile.network, profile.netuid);
            base.path().join("weights").join(name)
        }
    };
    Ok((profile, state))
}

/// The state directory that arguments name and whose it is, by files alone; nobody's if nothing was set from there. One that is named says itself
/// of which network and subnet it is, where arguments do not.
pub(in super::super) fn bound(
    arguments: &LandingArgs,
) -> Result<(PathBuf, Option<Binding>), LandError> {
    let (mut profile, state) = place(arguments)?;
    let Some(bound) = Binding::of(&state)? else {
        return Ok((state, None));
    };
    if arguments.nodes.network.is_none() && arguments.state.is_some() {
        profile.network = bound.network;
        profile.genesis = None;
        if arguments.subnet.netuid.is_none() {
            profile.netuid = bound.netuid;
        }
    }
    if (profile.network, profile.netuid) != (bound.network, bound.netuid) {
        profile.bind(&state, profile.genesis.unwrap_or(bound.genesis))?;
    }
    Ok((state, Some(bound)))
}

/// The intents as they are now, without a lock: another process may be at work.
fn look(state: &Path, bound: &Binding) -> Result<Vec<State>, LandError> {
    Ok(Ledger::look(
        state,
        &bound.network.to_string(),
        bound.genesis,
    )?)
}

/// Whether an intent is not through.
pub(in super::super) fn is_open(state: &State) -> bool {
    !matches!(state.stage(), Stage::Ended { .. })
}

impl Connected {
    /// Connects to all nodes, of which none is waited for once `interrupt` says so. Nothing is written.
    pub(in super::super) fn open(
        arguments: &LandingArgs,
        interrupt: &Interrupt,
    ) -> Result<Self, LandError> {
        let mut plan = Plan::new(&arguments.nodes, Some(&arguments.subnet))?;
        plan.policy.limits.stop = Stop::by(interrupt.flag());
        let (_, state) = place(arguments)?;
        let profile = &plan.profile;
        let beacon = match &arguments.beacon {
            None => Beacon::quicknet(),
            Some(_) if profile.network != Network::Local => {
                let network = profile.network.to_string();
                return Err(LandError::Beacon { network });
            }
            Some(beacon) => beacon.0.clone(),
        };
        // A directory of another network is refused before any node is asked.
        if let Some(bound) = Binding::of(&state)?
            && (bound.network, bound.netuid) != (profile.network, profile.netuid)
        {
            profile.bind(&state, profile.genesis.unwrap_or(bound.genesis))?;
        }
        let endpoints = plan.connect()?;
        if Binding::of(&state)?.is_some() {
            profile.bind(&state, endpoints.genesis())?;
        }
        Ok(Self {
            profile: plan.profile,
            endpoints,
            beacon,
            mechanism: arguments.mechanism,
            state,
        })
    }

    /// As [`Connected::open`], where something may be on its way: losing the nodes then leaves it so.
    pub(in super::super) fn again(
        arguments: &LandingArgs,
        interrupt: &Interrupt,
    ) -> Result<Self, LandError> {
        Self::open(arguments, interrupt).map_err(|error| match (error, bound(arguments)) {
            (LandError::Agree(source), Ok((state, Some(bound))))
                if look(&state, &bound).is_ok_and(|states| states.iter().any(is_open)) =>
            {
                LandError::Lost(source)
            }
            (error, _) => error,
        })
    }

    /// The newest final block. What is planned on a newer one could be refused by looking at an older one later.
    pub(in super::super) fn pin(&self) -> Result<Pinned<'_>, AgreeError> {
        self.endpoints.pin(Head::Finalized)
    }

    /// The intents as they are now. A directory that is nobody's has none.
    pub(in super::super) fn look(&self) -> Result<Vec<State>, LandError> {
        let Some(bound) = Binding::of(&self.state)? else {
            return Ok(Vec::new());
        };
        look(&self.state, &bound)
    }

    /// The intents, for this process alone; their directory is made this network's.
    pub(in super::super) fn ledger(&self) -> Result<Ledger, LandError> {
        let state = &self.state;
        make_directory(state)?;
        let genesis = self.endpoints.genesis();
        self.profile.bind(state, genesis)?;
        let name = self.profile.network.to_string();
        Ok(Ledger::open(state, &name, genesis)?)
    }
}
