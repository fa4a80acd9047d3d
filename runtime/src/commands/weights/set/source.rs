//! Where values come from, and whom each of them is for.

use super::super::landing::LandError;
use super::super::landing::connected::Connected;
use super::super::values::{self, Values};
use super::super::{WeightsError, of_subnet, read_subnet};
use crate::chain::subnet;
use crate::cli::weights::SetArgs;
use crate::input_file;
use gradus_chain::AccountId;
use gradus_chain::node::{Metagraph, report};
use gradus_chain::submission::{FallbackRule, Origin, Status, Target, failures_in_a_row};
use gradus_tasks::rules::RuleSet;
use gradus_tasks::subnet::Snapshot;
use gradus_tasks::weights::fallback::Lately;
use gradus_tasks::weights::plan::FILE_BYTES_MAX;
use gradus_tasks::weights::{self, AuditFile, ResultsFile, fallback, quantise};
use std::path::Path;

/// Values, whom each is for, and who had which uid when that was decided.
pub(super) struct Vector {
    pub(super) targets: Vec<Target>,
    pub(super) origin: Origin,
    /// The rule set's.
    pub(super) version_key: u64,
    pub(super) audit: Option<AuditFile>,
    hotkeys: Vec<String>,
}

/// Reads or computes the values that arguments name.
pub(super) fn read(
    arguments: &SetArgs,
    connected: &Connected,
    own: AccountId,
) -> Result<Vector, WeightsError> {
    if let Some(path) = &arguments.values {
        return Ok(of_values(path, connected)?);
    }
    if arguments.fallback {
        return Ok(of_incentives(arguments, connected, own)?);
    }
    let path = arguments
        .results
        .as_deref()
        .expect("one of them is required");
    let failed = |source| WeightsError::Results {
        path: path.to_owned(),
        source,
    };
    let bytes = input_file::read("RESULTS", path, FILE_BYTES_MAX)?;
    let results = ResultsFile::parse(&bytes).map_err(failed)?;
    let snapshot = match &arguments.subnet {
        Some(path) => {
            let snapshot = read_subnet("--subnet", path)?;
            same_subnet(path, &snapshot, connected)?;
            snapshot
        }
        None => now(connected)?,
    };
    let own = snapshot.neuron(&own.to_ss58()).map_err(|source| {
        let path = arguments.subnet.as_deref();
        of_subnet(path.unwrap_or(Path::new("the subnet")), source)
    })?;
    let plan = results
        .plan(&snapshot, arguments.rounding.into(), Some(own.uid))
        .map_err(failed)?;
    let hotkeys: Vec<String> = snapshot.neurons.iter().map(|n| n.hotkey.clone()).collect();
    let targets = targets(path, &plan.values, &hotkeys)?;
    Ok(Vector {
        targets,
        origin: Origin::Results,
        version_key: plan.rules.emission.version_key,
        audit: Some(plan.audit),
        hotkeys,
    })
}

impl Vector {
    /// Refuses values for uids that others have by now.
    pub(super) fn check_nobody_moved(&self, now: &Metagraph) -> Result<(), LandError> {
        let then = weights::Metagraph::new(self.hotkeys.clone())?;
        let now = weights::Metagraph::new(hotkeys_of(now))?;
        let moved = then.moved(&now, self.targets.iter().map(|target| target.uid));
        if moved.is_empty() {
            return Ok(());
        }
        Err(LandError::Moved(
            moved.iter().map(super::super::moved).collect(),
        ))
    }
}

/// The subnet as the nodes have it now.
fn now(connected: &Connected) -> Result<Snapshot, LandError> {
    let pinned = connected.pin()?;
    let (network, netuid) = (connected.profile.network, connected.profile.netuid);
    Ok(subnet::read(&pinned, network, netuid, connected.mechanism)?.snapshot)
}

/// Refuses a file of another chain, subnet or mechanism: its uids are somebody else's.
fn same_subnet(path: &Path, file: &Snapshot, connected: &Connected) -> Result<(), LandError> {
    let genesis = connected.endpoints.genesis().to_string();
    let (netuid, mechanism) = (connected.profile.netuid, connected.mechanism);
    let pairs = [
        ("genesis", file.genesis.clone(), genesis),
        ("netuid", file.netuid.to_string(), netuid.to_string()),
        (
            "mechanism",
            file.mechanism.to_string(),
            mechanism.to_string(),
        ),
    ];
    for (what, found, expected) in pairs {
        if found != expected {
            return Err(LandError::OtherSubnet {
                path: path.to_owned(),
                what,
                found,
                expected,
            });
        }
    }
    Ok(())
}

/// Values as they are; for whom, an audit file says, else the chain does.
fn of_values(path: &Path, connected: &Connected) -> Result<Vector, LandError> {
    let (recipe, pairs) = match values::read("--values", path)? {
        Values::Recipe(recipe) => (Some(*recipe), Vec::new()),
        Values::Pairs(pairs) => (None, pairs),
    };
    let rules = match &recipe {
        Some(recipe) => RuleSet::named(&recipe.rule_set).map_err(|source| LandError::Rules {
            path: path.to_owned(),
            source,
        })?,
        None => RuleSet::newest(),
    };
    let (values, hotkeys) = match recipe {
        Some(recipe) => {
            let (found, expected) = (recipe.netuid, connected.profile.netuid);
            if found != expected {
                return Err(LandError::OtherSubnet {
                    path: path.to_owned(),
                    what: "netuid",
                    found: found.to_string(),
                    expected: expected.to_string(),
                });
            }
            (recipe.values, recipe.hotkeys)
        }
        None => {
            let pinned = connected.pin()?;
            let metagraph = report::metagraph(&pinned, connected.profile.netuid)?;
            (pairs, hotkeys_of(&metagraph.metagraph))
        }
    };
    Ok(Vector {
        targets: targets(path, &values, &hotkeys)?,
        origin: Origin::Results,
        version_key: rules.emission.version_key,
        audit: None,
        hotkeys,
    })
}

/// The metagraph's incentives, if the rules have them stand in.
fn of_incentives(
    arguments: &SetArgs,
    connected: &Connected,
    own: AccountId,
) -> Result<Vector, LandError> {
    let snapshot = now(connected)?;
    let address = own.to_ss58();
    let neuron = snapshot.neuron(&address);
    let neuron = neuron.map_err(subnet::ReadSubnetError::from)?;
    let (netuid, mechanism) = (connected.profile.netuid, connected.mechanism);
    let network = connected.profile.network.to_string();
    let status = Status::of(&network, &connected.look()?);
    let failures = failures_in_a_row(&status, netuid, mechanism, own);
    let emission = RuleSet::newest().emission;
    let rules = emission.fallback;
    let blocks = snapshot.block.saturating_sub(neuron.last_update);
    let lately = Lately {
        enabled: true,
        failures,
        blocks_since_update: blocks,
    };
    let incentives: Vec<u16> = snapshot.neurons.iter().map(|n| n.incentive).collect();
    let found = fallback(&rules, &lately, &incentives).map_err(LandError::Quantise)?;
    let found = found.ok_or(LandError::NotDue {
        failures,
        failures_min: rules.failures_min,
        blocks,
        stale_blocks: rules.stale_blocks,
    })?;
    let uids: Vec<u16> = snapshot.neurons.iter().map(|n| n.uid).collect();
    let limits = snapshot.limits(Some(neuron.uid));
    let values = quantise(arguments.rounding.into(), &uids, &found, &limits);
    let values = values.map_err(LandError::Quantise)?;
    let hotkeys: Vec<String> = snapshot.neurons.iter().map(|n| n.hotkey.clone()).collect();
    let rule = FallbackRule {
        stale_blocks: rules.stale_blocks,
        failures_min: rules.failures_min,
    };
    Ok(Vector {
        targets: targets(Path::new("the metagraph"), &values, &hotkeys)?,
        origin: Origin::Fallback { rule, failures },
        version_key: emission.version_key,
        audit: None,
        hotkeys,
    })
}

fn hotkeys_of(metagraph: &Metagraph) -> Vec<String> {
    let neurons = metagraph.neurons.iter();
    neurons.map(|neuron| neuron.hotkey.to_ss58()).collect()
}

fn targets(
    path: &Path,
    values: &[(u16, u16)],
    hotkeys: &[String],
) -> Result<Vec<Target>, LandError> {
    let target = |&(uid, value): &(u16, u16)| {
        let hotkey = hotkeys.get(usize::from(uid));
        let text = hotkey.ok_or_else(|| LandError::NoUid {
            path: path.to_owned(),
            uid,
            num_uids: hotkeys.len(),
        })?;
        let hotkey = text.parse().map_err(|source| LandError::Target {
            uid,
            text: text.chars().take(64).collect(),
            source,
        })?;
        Ok(Target { uid, value, hotkey })
    };
    values.iter().map(target).collect()
}
