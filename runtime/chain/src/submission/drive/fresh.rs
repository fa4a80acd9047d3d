//! How much of an era is over by the time an extrinsic is signed.

use super::super::ask::Answer;
use super::super::machine::Machine;
use super::perform::Failure;
use super::{Chain, Clock, DriveLimits};

/// When the heads that the machine goes by were asked for, by the drive's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    question_ms: u64,
    heads_ms: u64,
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

    /// An answer; but newer heads instead of a signature of which too much of the era is over already, since nodes took their time to answer.
    pub(super) fn unless_late(
        &mut self,
        answer: Result<Option<Answer>, Failure>,
        machine: &Machine,
        chain: &mut impl Chain,
        clock: &impl Clock,
        limits: &DriveLimits,
    ) -> Result<Option<Answer>, Failure> {
        let (Ok(Some(Answer::Signed(signed))), Some(heads)) = (&answer, machine.heads()) else {
            return answer;
        };
        let passed_ms = clock.now_ms().saturating_sub(self.heads_ms);
        let passed = passed_ms / u64::from(limits.block_time_ms.max(1));
        let birth = signed.order.birth.number;
        let behind = heads.best.number.saturating_sub(birth);
        if behind.saturating_add(passed) <= limits.birth_age_blocks_max {
            return answer;
        }
        self.begin(clock);
        Ok(Some(Answer::Heads(chain.heads()?)))
    }
}
