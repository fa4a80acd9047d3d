//! How much of an era is over by the time an extrinsic is signed.

use super::super::ask::{Answer, Signed};
use super::super::intent::ERA_PERIOD_BLOCKS;
use super::super::machine::Machine;
use super::super::state::Step;
use super::perform::Failure;
use super::{Chain, Clock, DriveError, DriveLimits};

/// Signatures in a row that come too late: an era is long enough for what a signer may take, so that nodes or the signer do not keep to their limits.
const LATE_MAX: u32 = 5;

/// When the heads that the machine goes by were asked for, by the drive's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    question_ms: u64,
    heads_ms: u64,
    late: u32,
}

impl Asked {
    /// A question begins, which may be for heads.
    pub(super) fn begin(&mut self, clock: &impl Clock) {
        self.question_ms = clock.now_ms();
    }

    /// The machine has taken the heads that were the answer.
    pub(super) fn taken(&mut self) {
        self.heads_ms = self.question_ms;
    }

    /// An answer; but newer heads instead of a signature that is of no use any more, since it or nodes took their time.
    pub(super) fn unless_late(
        &mut self,
        answer: Result<Option<Answer>, Failure>,
        machine: &Machine,
        chain: &mut impl Chain,
        clock: &impl Clock,
        limits: &DriveLimits,
    ) -> Result<Option<Answer>, Failure> {
        let Ok(Some(Answer::Signed(signed))) = &answer else {
            return answer;
        };
        let now_ms = clock.now_ms();
        let passed_ms = now_ms.saturating_sub(self.heads_ms);
        let passed = passed_ms / u64::from(limits.block_time_ms.max(1));
        let era_period_blocks = signed.order.era_period_blocks;
        let longer = era_period_blocks.saturating_sub(ERA_PERIOD_BLOCKS);
        let blocks_max = limits.birth_age_blocks_max.saturating_add(longer);
        if !is_late(signed, machine, passed, blocks_max) {
            self.late = 0;
            return answer;
        }
        self.late += 1;
        if self.late >= LATE_MAX {
            return Err(Failure::Drive(DriveError::Late {
                count: self.late,
                took_ms: now_ms.saturating_sub(self.question_ms),
                blocks_max,
                era_period_blocks,
            }));
        }
        self.begin(clock);
        Ok(Some(Answer::Heads(chain.heads()?)))
    }
}

/// Whether too much of the era is over, or what was signed would land where it is not meant to.
///
/// * `passed`: blocks that came since the machine's heads were asked for
fn is_late(signed: &Signed, machine: &Machine, passed: u64, blocks_max: u64) -> bool {
    let Some(heads) = machine.heads() else {
        return false;
    };
    let order = &signed.order;
    let behind = heads.best.number.saturating_sub(order.birth.number);
    if behind.saturating_add(passed) > blocks_max {
        return true;
    }
    let asked_for = heads.best.number.saturating_add(1);
    let landing = asked_for.saturating_add(passed);
    let give_up = machine.state().intent().limits.give_up_at_block;
    if passed > 0 && order.step != Step::Reveal && landing >= give_up {
        return true;
    }
    // The round that opens a commit is the one of the epoch that it was asked for in.
    let account = machine.best_account();
    account.is_some_and(|account| {
        let opened = |number| account.epoch.opened_epoch(number);
        signed.timelock.is_some() && opened(asked_for) != opened(landing)
    })
}
