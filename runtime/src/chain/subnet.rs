//! A subnet as agreeing nodes have it at one block, as the plain data that weights are computed over.
//!
//! Every node is asked for all of it, at the pinned block; what they answer is compared part by part, so that an error names the part.
//!
//! | part | of it come |
//! |---|---|
//! | the subnet's parameters | tempo, activity cut-off, stake threshold, limits of a vector, the owner's hotkey |
//! | the subnet's neurons | hotkeys, coldkeys, stake weights, permits, dividends |
//! | settings of its epoch | Yuma's settings, the last epoch's block, what the next one pays |
//! | rows of its uids | weights, bonds, updates, registrations, open commits, incentives |

use gradus_chain::AccountId;
use gradus_chain::node::{
    AgreeError, Agreed, EpochRow, EpochSettings, Excluded, Metagraph, Network, Pinned,
    SubnetParameters,
};
use gradus_tasks::Owner;
use gradus_tasks::subnet::{Neuron, Settings, Snapshot, SnapshotError, VERSION};

/// What is stored where a subnet's owner has no hotkey.
const NOBODY: AccountId = AccountId([0; 32]);

/// A subnet, and who says so.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The subnet.
    pub snapshot: Snapshot,
    /// Nodes that agree on all of it.
    pub endpoints: Vec<String>,
    /// Nodes that were left out, when the block was pinned or since.
    pub excluded: Vec<Excluded>,
}

/// Why a subnet cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadSubnetError {
    /// Too few nodes agree.
    #[error("the subnet cannot be read")]
    Agree(#[from] AgreeError),
    /// No stakes.
    #[error(
        "no node says what stake counts on subnet {netuid}: they lack the runtime function `get_selective_metagraph`\nhelp: name newer nodes with --endpoint"
    )]
    NoStakes {
        /// Which subnet.
        netuid: u16,
    },
    /// A number that no subnet has.
    #[error(
        "{item} of subnet {netuid} is {found}, expected at most {most}\nhelp: update gradus, whose reading of the chain is older than the chain"
    )]
    OutOfRange {
        /// The chain's name of it.
        item: &'static str,
        /// Which subnet.
        netuid: u16,
        /// What it is.
        found: u64,
        /// The largest that can be used.
        most: u64,
    },
    /// It is no subnet that weights can be computed over.
    #[error("what the nodes agree on is no subnet")]
    Snapshot(#[from] SnapshotError),
}

impl ReadSubnetError {
    /// Whose fault: the host's, which names nodes and subnet.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Reads a mechanism of a subnet at the pinned block. Nothing is judged or left out.
///
/// * `network`: what the snapshot says it is of; the profile that the nodes were connected by
/// * `mechanism`: 0 is the first
///
/// # Errors
/// [`ReadSubnetError`].
pub fn read(
    pinned: &Pinned<'_>,
    network: Network,
    netuid: u16,
    mechanism: u8,
) -> Result<Reading, ReadSubnetError> {
    let mut seen = Seen {
        endpoints: pinned
            .snapshots()
            .iter()
            .map(|node| node.node().url().to_owned())
            .collect(),
        excluded: pinned.excluded.clone(),
    };
    let parameters = pinned.read("the subnet's parameters", |node| node.subnet(netuid))?;
    let parameters = seen.value(parameters);
    let metagraph = pinned.read("the subnet's neurons", |node| node.metagraph(netuid))?;
    let metagraph = seen.value(metagraph);
    let settings = pinned.read("settings of its epoch", |node| {
        node.epoch_settings(netuid, mechanism)
    })?;
    let settings = seen.value(settings);
    let hotkeys: Vec<[u8; 32]> = metagraph.neurons.iter().map(|n| n.hotkey.0).collect();
    let rows = pinned.read("rows of its uids", |node| {
        node.epoch_rows(&parameters, mechanism, &hotkeys)
    })?;
    let rows = seen.value(rows);
    let snapshot = Snapshot {
        version: VERSION,
        network: network.to_string(),
        genesis: pinned.first().node().genesis().to_string(),
        spec_version: pinned.runtime.spec_version,
        netuid,
        mechanism,
        block: pinned.block.number,
        block_hash: pinned.block.hash.to_string(),
        settings: settings_of(&parameters, &settings)?,
        owner_hotkey: Some(parameters.owner_hotkey)
            .filter(|hotkey| *hotkey != NOBODY)
            .map(|hotkey| hotkey.to_ss58()),
        last_step_block: settings.last_step_block,
        emission_rao: settings.pending.mechanism_rao,
        neurons: neurons_of(&metagraph, rows)?,
    };
    snapshot.check()?;
    Ok(Reading {
        snapshot,
        endpoints: seen.endpoints,
        excluded: seen.excluded,
    })
}

/// Who agreed on all of it so far, and who did not.
struct Seen {
    endpoints: Vec<String>,
    excluded: Vec<Excluded>,
}

impl Seen {
    fn value<T>(&mut self, agreed: Agreed<T>) -> T {
        self.endpoints.retain(|url| agreed.by.contains(url));
        for excluded in agreed.excluded {
            if !self.excluded.contains(&excluded) {
                self.excluded.push(excluded);
            }
        }
        agreed.value
    }
}

fn settings_of(
    parameters: &SubnetParameters,
    settings: &EpochSettings,
) -> Result<Settings, ReadSubnetError> {
    let found = settings.bonds_moving_average_ppm;
    // What is above one is for whoever runs an epoch to refuse.
    let bonds_moving_average_ppm =
        u32::try_from(found).map_err(|_| ReadSubnetError::OutOfRange {
            item: "BondsMovingAverage",
            netuid: parameters.netuid,
            found,
            most: u32::MAX.into(),
        })?;
    Ok(Settings {
        tempo: parameters.tempo,
        activity_cutoff_blocks: parameters.activity_cutoff.blocks,
        stake_threshold_rao: parameters.stake_threshold_rao,
        yuma3: settings.yuma3,
        kappa: settings.kappa,
        bonds_penalty: settings.bonds_penalty,
        bonds_moving_average_ppm,
        liquid_alpha: settings.liquid_alpha,
        weights_min: parameters.min_allowed_weights,
        max_weight: settings.max_weight,
        weights_version: parameters.weights_version_key,
        weights_rate_limit: parameters.weights_set_rate_limit_blocks,
        commit_reveal: parameters.commit_reveal_enabled,
    })
}

fn neurons_of(metagraph: &Metagraph, rows: Vec<EpochRow>) -> Result<Vec<Neuron>, ReadSubnetError> {
    let netuid = metagraph.netuid;
    let neurons = metagraph.neurons.iter().zip(rows);
    neurons
        .map(|(neuron, row)| {
            let stake_rao = neuron.total_stake_rao;
            Ok(Neuron {
                uid: neuron.uid,
                hotkey: neuron.hotkey.to_ss58(),
                coldkey: neuron.coldkey.to_ss58(),
                stake_rao: stake_rao.ok_or(ReadSubnetError::NoStakes { netuid })?,
                validator_permit: neuron.validator_permit,
                last_update: row.last_update,
                registered_at: row.registered_at,
                oldest_open_commit: row.oldest_open_commit,
                incentive: row.incentive,
                dividends: neuron.dividends,
                weights: row.weights,
                bonds: row.bonds,
            })
        })
        .collect()
}
