//! When the chain opens a commit: epochs counted block by block from the subnet's state, as the chain counts them.
//!
//! At each block the chain first opens the commits of the epoch it is in, counting one that is due at this block as begun; then it counts the
//! block towards the longest time without an epoch, and runs the epoch if one is due. The two counts differ by one block.

use super::beacon::Beacon;
use gradus_owner::Owner;

/// Blocks after which an epoch runs whatever the tempo.
const BLOCKS_WITHOUT_EPOCH_MAX: u64 = 50_400;
/// Blocks added to the one that opens a commit, before its time is turned into a round.
const SECURITY_BLOCKS: u64 = 3;
/// Epochs ahead that are simulated at most: a thousand times what a subnet uses.
const REVEAL_PERIOD_EPOCHS_MAX: u64 = 1_000;

/// What a subnet's storage says at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochState {
    /// `LastEpochBlock`.
    pub last_epoch_block: u64,
    /// `PendingEpochAt`; 0 if none is pending.
    pub pending_epoch_at: u64,
    /// `SubnetEpochIndex`.
    pub subnet_epoch_index: u64,
    /// `Tempo`, blocks.
    pub tempo: u16,
    /// `BlocksSinceLastStep`.
    pub blocks_since_last_step: u64,
    /// The block that all of this was read at; a commit lands in the next.
    pub block_number: u64,
}

/// When a commit opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// The block that opens it.
    pub block_number: u64,
    /// The round to lock to.
    pub round: u64,
}

/// Why there is no such block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// No epochs.
    #[error(
        "the subnet's tempo is 0, it runs no epochs and would never open a commit: wait until its owner sets one"
    )]
    TempoZero,
    /// Far too many.
    #[error(
        "the subnet opens commits {found} epochs later, the most that is believed is {REVEAL_PERIOD_EPOCHS_MAX}: read its state from another node"
    )]
    Period {
        /// Epochs.
        found: u64,
    },
    /// Numbers that no chain has reached.
    #[error(
        "the subnet's state at block {block_number} has numbers that no chain has: read it from another node"
    )]
    Overflow {
        /// The state's block.
        block_number: u64,
    },
}

impl ScheduleError {
    /// Whose fault: the host's, whose node gave the state.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl EpochState {
    /// Whether an epoch is due at a block.
    fn is_due(&self, block_number: u64) -> bool {
        (self.pending_epoch_at > 0 && block_number >= self.pending_epoch_at)
            || self.blocks_since_last_step > BLOCKS_WITHOUT_EPOCH_MAX
            || block_number.saturating_sub(self.last_epoch_block) >= u64::from(self.tempo)
    }

    /// The epoch whose commits a block opens.
    pub(crate) fn opened_epoch(&self, block_number: u64) -> u64 {
        self.subnet_epoch_index
            .saturating_add(u64::from(self.is_due(block_number)))
    }

    /// What the end of a block makes of the state.
    fn step(&mut self, block_number: u64) {
        self.blocks_since_last_step += 1;
        if self.is_due(block_number) {
            self.subnet_epoch_index += 1;
            self.last_epoch_block = block_number;
            self.pending_epoch_at = 0;
            self.blocks_since_last_step = 0;
        }
        self.block_number = block_number;
    }
}

/// The block that opens a commit which lands in the block after `state`'s, and the round that is out by then.
///
/// * `reveal_period_epochs`: `RevealPeriodEpochs`, epochs between landing and opening
/// * `block_time_ms`: the chain's, milliseconds
/// * `now_ms`: the time of `state`'s block, milliseconds since 1970
///
/// # Errors
/// [`ScheduleError`].
pub fn reveal(
    state: &EpochState,
    reveal_period_epochs: u64,
    block_time_ms: u32,
    now_ms: u64,
    beacon: &Beacon,
) -> Result<Reveal, ScheduleError> {
    if state.tempo == 0 {
        return Err(ScheduleError::TempoZero);
    }
    if reveal_period_epochs > REVEAL_PERIOD_EPOCHS_MAX {
        return Err(ScheduleError::Period {
            found: reveal_period_epochs,
        });
    }
    let blocks_max = (reveal_period_epochs + 1) * (BLOCKS_WITHOUT_EPOCH_MAX + 2);
    let numbers = [
        state.last_epoch_block,
        state.subnet_epoch_index,
        state.blocks_since_last_step,
        state.block_number,
    ];
    if numbers.iter().any(|number| *number > u64::MAX / 2) || now_ms > u64::MAX / 2 {
        return Err(ScheduleError::Overflow {
            block_number: state.block_number,
        });
    }
    let landing = state.block_number + 1;
    let target = state.opened_epoch(landing) + reveal_period_epochs;
    let mut simulated = *state;
    for block_number in landing..=landing + blocks_max {
        if simulated.opened_epoch(block_number) == target {
            let blocks = block_number + SECURITY_BLOCKS - state.block_number;
            let time_ms = now_ms + blocks * u64::from(block_time_ms);
            return Ok(Reveal {
                block_number,
                round: beacon.round_before(time_ms),
            });
        }
        simulated.step(block_number);
    }
    // An epoch is due at least every `BLOCKS_WITHOUT_EPOCH_MAX + 1` blocks, unless the state lies in its own future.
    Err(ScheduleError::Overflow {
        block_number: state.block_number,
    })
}
