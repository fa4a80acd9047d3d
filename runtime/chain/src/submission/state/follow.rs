//! Which records may follow which: an attempt that may land is never left, and never joined by another.

use super::super::intent::{ERA_PERIOD_BLOCKS_MAX, Method};
use super::super::record::{Attempt, Death, Outcome, Record, Refusal, RefusalKind};
use super::{Disorder, Stage, State, Step};
use crate::Hash;

impl State {
    /// Stage and step after a record.
    pub(super) fn follow(&self, record: &Record) -> Result<(Stage, Step), Disorder> {
        let step = self.step;
        let next = match (&self.stage, record) {
            (Stage::Ended { .. }, _) => None,
            (Stage::Alive { .. }, Record::Ended { .. }) => None,
            (stage, Record::Ended { verdict, .. })
                if verdict.is_verified() && !self.may_be_verified(stage) =>
            {
                None
            }
            (_, Record::Ended { verdict, .. }) => Some(Stage::Ended {
                verdict: verdict.clone(),
            }),
            (Stage::Idle { refusal, .. }, Record::Postponed { until_block, .. }) => {
                Some(Stage::Idle {
                    step,
                    retry_at_block: *until_block,
                    refusal: refusal.clone(),
                })
            }
            (Stage::Idle { .. }, Record::Attempt { attempt }) => {
                self.check_attempt(attempt)?;
                Some(Stage::Alive {
                    sent: false,
                    refusal: None,
                    in_block: None,
                })
            }
            (Stage::Alive { .. }, _) => self.follow_alive(record),
            (
                Stage::Landed {
                    outcome: Outcome::Failed { .. },
                    ..
                },
                Record::Dead {
                    proof: Death::Failed { .. },
                    ..
                },
            ) => Some(idle(step)),
            (Stage::Landed { .. }, Record::Committed { .. }) if step == Step::Commit => {
                if matches!(self.intent.method, Method::HashCommit { .. }) {
                    return Ok((idle(Step::Reveal), Step::Reveal));
                }
                Some(Stage::Committed)
            }
            (Stage::Landed { .. }, Record::Revealed { block, commits, .. })
                if step == Step::Reveal =>
            {
                let (block, commits) = (*block, *commits);
                Some(Stage::Revealed { block, commits })
            }
            (Stage::Committed, Record::Revealed { block, commits, .. }) => {
                let (block, commits) = (*block, *commits);
                Some(Stage::Revealed { block, commits })
            }
            _ => None,
        };
        next.map(|stage| (stage, step)).ok_or(Disorder::Record {
            record: record.name(),
            stage: self.stage.name(),
        })
    }

    /// Whether only a look at the stored row is missing.
    fn may_be_verified(&self, stage: &Stage) -> bool {
        match stage {
            Stage::Landed { outcome, .. } => {
                self.step == Step::Set && !matches!(outcome, Outcome::Failed { .. })
            }
            Stage::Revealed { .. } => true,
            _ => false,
        }
    }

    fn follow_alive(&self, record: &Record) -> Option<Stage> {
        let Stage::Alive {
            sent,
            refusal,
            in_block,
        } = &self.stage
        else {
            return None;
        };
        let alive = |sent, refusal, in_block| {
            Some(Stage::Alive {
                sent,
                refusal,
                in_block,
            })
        };
        match record {
            Record::Sent { .. } if !sent => alive(true, refusal.clone(), *in_block),
            Record::PoolRefused { refusal: word, .. } if refusal.is_none() => {
                alive(*sent, Some(word.clone()), *in_block)
            }
            Record::InBlock { block, .. } => alive(true, refusal.clone(), Some(*block)),
            Record::Retracted { .. } if in_block.is_some() => alive(*sent, refusal.clone(), None),
            Record::Finalized { block, outcome, .. } => Some(Stage::Landed {
                block: *block,
                outcome: outcome.clone(),
            }),
            Record::Dead { proof, .. } if !matches!(proof, Death::Failed { .. }) => {
                let lasting = |refusal: &&Refusal| refusal.kind == RefusalKind::Permanent;
                Some(Stage::Idle {
                    step: self.step,
                    retry_at_block: 0,
                    refusal: refusal.as_ref().filter(lasting).cloned(),
                })
            }
            _ => None,
        }
    }

    /// Whether an attempt is the one that may follow: never with a nonce that could let two land.
    fn check_attempt(&self, attempt: &Attempt) -> Result<(), Disorder> {
        let field = |field, found: u64, expected: String, holds: bool| match holds {
            true => Ok(()),
            false => Err(Disorder::Attempt {
                field,
                found,
                expected,
            }),
        };
        let right = attempt.step == self.step;
        field(
            "a step",
            attempt.step as u64,
            format!("{:?}", self.step),
            right,
        )?;
        let birth = attempt.birth.number;
        let known = format!("{} at least", self.last_block);
        field("its birth at block", birth, known, birth >= self.last_block)?;
        let period = attempt.era_period_blocks;
        let legal = period.is_power_of_two() && (4..=ERA_PERIOD_BLOCKS_MAX).contains(&period);
        field("an era of", period, "a power of two".into(), legal)?;
        let bytes = attempt.extrinsic.0.len() as u64;
        field("extrinsic bytes", bytes, "some".into(), bytes > 0)?;
        let hashed = attempt.hash == Hash::of(&attempt.extrinsic.0);
        field(
            "a hash that is another's, of bytes",
            bytes,
            "their own".into(),
            hashed,
        )?;
        let locked = matches!(self.intent.method, Method::Timelocked { .. });
        let given = attempt.timelock.is_some();
        let expected = u64::from(locked).to_string();
        field("timelocks", u64::from(given), expected, given == locked)?;
        let count = self.attempts_of_step() as u64;
        let most = u64::from(self.intent.limits.attempts_max);
        field(
            "a count before it of",
            count,
            format!("below {most}"),
            count < most,
        )?;
        if let Some(last) = self.attempts.last() {
            let used = !matches!(
                self.deaths.last(),
                Some(Death::EraOver { .. } | Death::SpecChanged { .. })
            );
            let other_step = last.step != attempt.step;
            let least = u64::from(last.nonce) + u64::from(used || other_step);
            let nonce = u64::from(attempt.nonce);
            field("nonce", nonce, format!("{least} at least"), nonce >= least)?;
        }
        Ok(())
    }
}

/// Free to try at once.
pub(super) fn idle(step: Step) -> Stage {
    Stage::Idle {
        step,
        retry_at_block: 0,
        refusal: None,
    }
}
