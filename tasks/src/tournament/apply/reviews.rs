//! Reviews that a tournament waits for.

use super::text;
use crate::entry::review::{ChallengerState, Holds, PairwiseState};
use crate::tournament::effect::Effect;
use crate::tournament::limits;
use crate::tournament::machine::Tournament;
use crate::tournament::refusal::Refusal;
use crate::tournament::state::{OutReason, Stage};

impl Tournament {
    pub(super) fn entrants_compared(
        &mut self,
        state: &PairwiseState,
        reason: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        self.in_stage("entrants_compared", Stage::DuplicateReview {})?;
        text("the reason", reason)?;
        let round = self.state.rounds.len() as u32;
        let current = self.state.rounds.last();
        let mut winners = current
            .and_then(|round| round.advanced.clone())
            .unwrap_or_default();
        let named: &[String] = match state {
            PairwiseState::Pending { flagged } => flagged,
            PairwiseState::Accepted { eliminated } => eliminated,
            PairwiseState::Clean {} | PairwiseState::Rejected {} | PairwiseState::Error {} => &[],
        };
        if let Some(hotkey) = named.iter().find(|hotkey| !winners.contains(hotkey)) {
            return Err(Refusal::UnknownHotkey {
                hotkey: limits::shortened(hotkey),
                task: None,
            });
        }
        let review = &self.rules.entry.review;
        let holds = PairwiseState::holds(Some(state), review, round + 1, self.boss());
        self.state.compared = Some(state.clone());
        if let Holds::Proceeds { dropped } = holds {
            for hotkey in &dropped {
                self.put_out(hotkey, round, OutReason::Duplicate, effects);
            }
            winners.retain(|winner| !dropped.contains(winner));
            self.state.stage = Stage::Playing {};
            self.next_round(winners, effects);
        }
        Ok(())
    }

    pub(super) fn challenger_reviewed(
        &mut self,
        hotkey: &str,
        state: ChallengerState,
        reason: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if !matches!(self.state.stage, Stage::ChallengerReview { .. }) {
            return Err(self.not_now("challenger_reviewed"));
        }
        text("the reason", reason)?;
        let challenger = self.challenger().unwrap_or_default();
        if hotkey != challenger {
            return Err(Refusal::NotTheChallenger {
                found: limits::shortened(hotkey),
                expected: challenger.to_owned(),
            });
        }
        self.state.stage = Stage::ChallengerReview { state: Some(state) };
        let review = &self.rules.entry.review;
        if let Holds::Proceeds { dropped } = ChallengerState::holds(Some(state), review, hotkey) {
            self.finish_final(!dropped.is_empty(), effects);
        }
        Ok(())
    }
}
