//! Method and intent by what the subnet is at one block, and every rule of it, before anything is written down.

use super::convert::mechanism_of;
use crate::AccountId;
use crate::Hash;
use crate::node::{
    Capabilities, CapabilityError, Facts, Ready, Refusal, SubnetParameters, WeightsCall, items,
    preflight,
};
use crate::submission::{Cipher, Intent, IntentError, IntentId, Limits, Method, Origin, Target};
use crate::timelock::{COMMIT_VERSION, ScheduleError, reveal};
use gradus_owner::Owner;
use rand_core::{CryptoRng, RngCore};

/// Random numbers that hide a hash commit: 128 bits.
const SALT_NUMBERS: usize = 8;
/// Attempts of one extrinsic: each needs a proof that the last is dead, so this many eras.
const ATTEMPTS_MAX: u32 = 8;

/// Weights to be set, before the chain was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The network's name.
    pub profile: String,
    /// The subnet.
    pub netuid: u16,
    /// The mechanism; 0 is the main one.
    pub mechanism: u8,
    /// Who signs.
    pub hotkey: AccountId,
    /// Weights, in the order in which they are sent, and whom each is for.
    pub targets: Vec<Target>,
    /// The validator's version.
    pub version_key: u64,
    /// Where they come from.
    pub origin: Origin,
}

/// What the chain is, at the block that an intent is made at.
pub struct Basis<'a> {
    /// What the rules look at.
    pub facts: &'a Facts,
    /// The runtime.
    pub capabilities: &'a Capabilities,
    /// The chain's first block.
    pub genesis: Hash,
    /// The newest finalized block's number.
    pub finalized_number: u64,
    /// The time of the facts' block, milliseconds since 1970.
    pub timestamp_ms: u64,
    /// From how much of the activity cut-off on a warning is given.
    pub alarm_percent: u8,
}

/// An intent that the chain would take, and what it says to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// What is written down.
    pub intent: Intent,
    /// The rules' answer: nothing, or each rule that is broken.
    pub verdict: Result<Ready, Vec<Refusal>>,
}

/// Why there is no intent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// A vector that no chain takes.
    #[error("the weights are none that could be followed")]
    Intent(#[source] IntentError),
    /// No epochs to count.
    #[error(
        "subnet {netuid} takes commits alone, and runtime {spec_version} counts epochs by the tempo: this program commits under newer runtimes"
    )]
    OldEpochs {
        /// The subnet.
        netuid: u16,
        /// The runtime.
        spec_version: u32,
    },
    /// No round.
    #[error("no round can be found that a commit would be locked to")]
    Schedule(#[source] ScheduleError),
    /// No ciphertext.
    #[error("the weights cannot be locked: {why}")]
    Lock {
        /// Why.
        why: String,
    },
    /// No such call.
    #[error("the runtime takes no weights by the call that the subnet wants")]
    Call(#[source] CapabilityError),
    /// The time of a block.
    #[error("runtime {spec_version} does not say the time of a block: update this program")]
    BlockTime {
        /// The runtime.
        spec_version: u32,
    },
}

impl PrepareError {
    /// Whose fault.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Intent(error) => error.owner(),
            Self::Schedule(error) => error.owner(),
            Self::Call(error) => error.owner(),
            Self::OldEpochs { .. } | Self::BlockTime { .. } => Owner::Host,
            Self::Lock { .. } => Owner::Bug,
        }
    }
}

/// The chain's time between blocks, milliseconds, by the runtime's own constant.
///
/// # Errors
/// `BlockTime`.
pub fn block_time_ms(capabilities: &Capabilities) -> Result<u32, PrepareError> {
    let runtime = capabilities.runtime();
    let constant = runtime.constant("Aura", "SlotDuration");
    constant
        .and_then(|(bytes, _)| Some(u64::from_le_bytes(bytes.try_into().ok()?)))
        .and_then(|milliseconds| u32::try_from(milliseconds).ok())
        .filter(|milliseconds| *milliseconds > 0)
        .ok_or(PrepareError::BlockTime {
            spec_version: runtime.version().spec_version,
        })
}

/// Chooses the method by the subnet's storage, makes the intent, and asks every rule.
///
/// # Errors
/// [`PrepareError`]; a broken rule is none, it is the verdict.
pub fn prepare(
    wanted: &Wanted,
    basis: &Basis<'_>,
    cipher: &mut impl Cipher,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Prepared, PrepareError> {
    let (facts, capabilities) = (basis.facts, basis.capabilities);
    let parameters = &facts.parameters;
    let epoch = parameters.epoch_state();
    let method = if !parameters.commit_reveal_enabled {
        Method::Plain
    } else if epoch.is_none() {
        return Err(PrepareError::OldEpochs {
            netuid: parameters.netuid,
            spec_version: capabilities.runtime().version().spec_version,
        });
    } else if capabilities.has(items::TIMELOCKED_COMMITS) {
        Method::Timelocked {
            commit_reveal_version: COMMIT_VERSION,
        }
    } else {
        let salt = (0..SALT_NUMBERS).map(|_| (rng.next_u32() >> 16) as u16);
        Method::HashCommit {
            salt: salt.collect(),
        }
    };
    let intent = Intent {
        id: name(wanted, facts.landing_block(), rng)?,
        profile: wanted.profile.clone(),
        genesis: basis.genesis,
        netuid: wanted.netuid,
        mechanism: wanted.mechanism,
        hotkey: wanted.hotkey,
        targets: wanted.targets.clone(),
        version_key: wanted.version_key,
        method,
        origin: wanted.origin,
        created_at_block: basis.finalized_number,
        limits: limits(facts),
    };
    intent.check().map_err(PrepareError::Intent)?;
    let (uids, values) = intent.vectors();
    let (netuid, mechanism) = (intent.netuid, mechanism_of(intent.mechanism));
    let (call, hidden) = match &intent.method {
        Method::Plain => {
            let call = WeightsCall::Set {
                netuid,
                mechanism,
                uids,
                values,
                version_key: intent.version_key,
            };
            (call, None)
        }
        Method::HashCommit { salt } => {
            let commit_hash = intent.commit_hash(salt);
            let call = WeightsCall::Commit {
                netuid,
                mechanism,
                commit_hash,
            };
            (call, Some(intent.payload()))
        }
        Method::Timelocked { .. } => {
            let state = epoch.expect("checked above");
            let period = parameters.reveal_period_epochs;
            let block_time_ms = block_time_ms(capabilities)?;
            let opening = reveal(
                &state,
                period,
                block_time_ms,
                basis.timestamp_ms,
                cipher.beacon(),
            )
            .map_err(PrepareError::Schedule)?;
            let payload = intent.payload();
            let bytes = payload.encode().map_err(|error| PrepareError::Lock {
                why: error.to_string(),
            })?;
            let commit = cipher
                .lock(opening.round, &bytes)
                .map_err(|why| PrepareError::Lock { why })?;
            let call = WeightsCall::CommitTimelocked {
                netuid,
                mechanism,
                commit,
                reveal_round: opening.round,
                commit_reveal_version: COMMIT_VERSION,
            };
            (call, Some(payload))
        }
    };
    let calls = calls_wanted(parameters, capabilities, wanted.mechanism);
    debug_assert!(
        calls.contains(&call.name()),
        "the calls of a method are its own"
    );
    // Nothing is planned that could never be signed.
    for call in calls {
        capabilities.check_call(call).map_err(PrepareError::Call)?;
    }
    let verdict = preflight(facts, &call, hidden.as_ref(), basis.alarm_percent);
    Ok(Prepared { intent, verdict })
}

/// The calls by which weights of a mechanism are set the way that the subnet wants: without one of them nothing is planned.
pub fn calls_wanted(
    parameters: &SubnetParameters,
    capabilities: &Capabilities,
    mechanism: u8,
) -> Vec<&'static str> {
    let timelocked = capabilities.has(items::TIMELOCKED_COMMITS);
    match (parameters.commit_reveal_enabled, timelocked, mechanism) {
        (false, _, 0) => vec!["set_weights"],
        (false, _, _) => vec!["set_mechanism_weights"],
        (true, true, 0) => vec!["commit_timelocked_weights"],
        (true, true, _) => vec!["commit_timelocked_mechanism_weights"],
        (true, false, 0) => vec!["commit_weights", "reveal_weights"],
        (true, false, _) => vec!["commit_mechanism_weights", "reveal_mechanism_weights"],
    }
}

/// Subnet, mechanism, block, and four letters that two of one block differ by.
fn name(
    wanted: &Wanted,
    block: u64,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<IntentId, PrepareError> {
    let (netuid, mechanism) = (wanted.netuid, wanted.mechanism);
    let drawn = rng.next_u32() & 0xffff;
    let name = format!("{netuid}-{mechanism}-{block}-{drawn:04x}");
    IntentId::new(&name).map_err(PrepareError::Intent)
}

/// Weights are too old two epochs after they can land first; a commit is overdue long after its epoch.
fn limits(facts: &Facts) -> Limits {
    let parameters = &facts.parameters;
    let epoch = u64::from(parameters.tempo) + 1;
    let limited = facts.last_update.unwrap_or_default();
    let limited = limited.saturating_add(parameters.weights_set_rate_limit_blocks);
    let first = facts.landing_block().max(limited);
    let patience = (2 * epoch).max(64);
    let waiting = parameters.reveal_period_epochs.saturating_add(2);
    Limits {
        attempts_max: ATTEMPTS_MAX,
        give_up_at_block: first.saturating_add(patience),
        overdue_blocks: waiting.saturating_mul(2 * epoch).max(64),
    }
}
