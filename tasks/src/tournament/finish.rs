//! How a tournament ends: title, second, third.

use super::effect::Effect;
use super::event::Score;
use super::machine::Tournament;
use super::plan::Plan;
use super::standings;
use super::state::{
    Decision, Evaluation, OutReason, Outcome, OutcomeReason, Round, RoundKind, Stage, Task,
    TitleRecord,
};
use crate::entry::review::promoted;
use crate::rules::{ChallengerReview, StartPoint, ThirdPlace};
use crate::scoring::Verdict;
use crate::scoring::environment::{FinalStart, FinalTask, decide_final};
use crate::scoring::performance::{task_margin, tournament_margin, win_share, win_share_margin};
use std::collections::BTreeMap;

impl Tournament {
    /// The boss round is over: its challenger is reviewed, or that is it.
    pub(super) fn title_decided(&mut self, effects: &mut Vec<Effect>) {
        if self.rules.entry.review.challenger == ChallengerReview::BeforeFinal {
            self.state.stage = Stage::ChallengerReview { state: None };
        } else {
            self.finish_final(false, effects);
        }
    }

    /// Ends a tournament whose boss round is over. A disqualified challenger loses the title to the boss, and his place to
    /// the best of the round before.
    pub(super) fn finish_final(&mut self, disqualified: bool, effects: &mut Vec<Effect>) {
        let boss = self.boss().to_owned();
        let challenger = self.challenger().map(str::to_owned);
        let advanced = self.current().and_then(|round| round.advanced.as_ref());
        let title = advanced.and_then(|advanced| advanced.first());
        let won = challenger.is_some() && title == challenger.as_ref();
        let number = self.state.rounds.len() as u32;
        let (winner, second, why) = match (disqualified, won) {
            (true, _) => {
                let second = self.best_before_the_boss(challenger.as_deref());
                (boss.clone(), second, OutcomeReason::Disqualified)
            }
            (false, true) => {
                let winner = challenger.clone().unwrap_or_else(|| boss.clone());
                (winner, Some(boss.clone()), OutcomeReason::Challenger)
            }
            (false, false) => (boss.clone(), challenger.clone(), OutcomeReason::Defended),
        };
        let third = self.third(challenger.as_deref());
        let third = third.filter(|third| *third != winner && Some(third) != second.as_ref());
        if let Some(challenger) = challenger.as_deref().filter(|_| disqualified) {
            // He may be out for losing the title; that he is disqualified is what counts.
            if let Some(entrant) = self.entrant_mut(challenger) {
                entrant.out = None;
            }
            self.put_out(challenger, number, OutReason::Disqualified, effects);
        }
        let difference = self.difference();
        self.finish(
            Outcome {
                winner,
                why,
                challenger,
                second,
                third,
                difference,
            },
            effects,
        );
    }

    /// Ends a tournament in which nobody came to the boss round.
    pub(super) fn keep_title(&mut self, why: OutcomeReason, effects: &mut Vec<Effect>) {
        let number = self.state.rounds.len() as u32;
        for hotkey in self.playing() {
            self.put_out(&hotkey, number, OutReason::Lost, effects);
        }
        let winner = self.boss().to_owned();
        self.finish(
            Outcome {
                winner,
                why,
                challenger: None,
                second: None,
                third: None,
                difference: None,
            },
            effects,
        );
    }

    fn finish(&mut self, outcome: Outcome, effects: &mut Vec<Effect>) {
        effects.push(Effect::Finished {
            winner: outcome.winner.clone(),
            why: outcome.why,
        });
        self.state.outcome = Some(outcome);
        self.state.stage = Stage::Finished {};
    }

    fn round_before_the_boss(&self) -> Option<&Round> {
        let before = self.state.rounds.len().checked_sub(2)?;
        self.state.rounds.get(before)
    }

    /// Who is third: whoever lost the single pair before the boss round, or was the best of the groups before the final
    /// besides the challenger; nobody where that is not one contestant.
    fn third(&self, challenger: Option<&str>) -> Option<String> {
        if self.rules.bracket.third_place == ThirdPlace::None {
            return None;
        }
        let before = self.round_before_the_boss()?;
        let others = |hotkey: &&str| *hotkey != self.boss() && Some(*hotkey) != challenger;
        match before.kind {
            RoundKind::LastKnockout => {
                let task = self.tasks_of(before.number).next()?;
                let Some(Decision::Pair { winner, .. }) = &task.decision else {
                    return None;
                };
                let winner = winner.as_deref()?;
                let mut hotkeys = task.contestants.iter().map(|c| c.hotkey.as_str());
                let loser = hotkeys.find(|hotkey| *hotkey != winner)?;
                Some(loser).filter(others).map(str::to_owned)
            }
            RoundKind::EnvironmentGroup => {
                let mut scored = self.standings_of(before, &others);
                scored.sort_by(|a, b| b.1.total_cmp(&a.1));
                let (first, score) = scored.first()?;
                let tied = scored.get(1).is_some_and(|second| second.1 == *score);
                (!tied).then(|| (*first).to_owned())
            }
            _ => None,
        }
    }

    fn standings_of<'a>(
        &'a self,
        round: &Round,
        wanted: &dyn Fn(&&str) -> bool,
    ) -> Vec<(&'a str, f64)> {
        let mut found = Vec::new();
        for task in self.tasks_of(round.number) {
            if let Some(Decision::Standings { scores }) = &task.decision {
                let hotkeys = task.contestants.iter().map(|c| c.hotkey.as_str());
                let scored = hotkeys.zip(scores).filter(|(hotkey, _)| wanted(hotkey));
                found.extend(scored.filter_map(|(hotkey, score)| Some((hotkey, (*score)?))));
            }
        }
        found
    }

    /// The best of the round before the boss round besides its winner: by mean rank over its tasks, by hotkey; who has no
    /// entry that counts comes behind.
    fn best_before_the_boss(&self, challenger: Option<&str>) -> Option<String> {
        let before = self.round_before_the_boss()?;
        let tasks: Vec<&Task> = self.tasks_of(before.number).collect();
        let ranks: BTreeMap<String, Vec<u32>> = before
            .places
            .iter()
            .flatten()
            .map(|hotkey| {
                let ranks = tasks
                    .iter()
                    .filter_map(|task| standings::rank_of(task, hotkey));
                (hotkey.clone(), ranks.collect())
            })
            .collect();
        promoted(&ranks, self.boss(), challenger.unwrap_or_default()).map(str::to_owned)
    }
}

impl Tournament {
    /// By how much the challenger was better than the boss, over the tasks of the boss round.
    ///
    /// A task of environments counts by the standings of both; one that a side has none in does not count.
    fn difference(&self) -> Option<f64> {
        let last = self.current().filter(|round| round.kind.is_final())?;
        let boss = self.boss();
        let margin = |task: &Task| {
            let sides = [false, true].map(|wanted| {
                let mut contestants = task.contestants.iter();
                contestants.position(|contestant| (contestant.hotkey == boss) == wanted)
            });
            let Some(kind) = task.plan.kind() else {
                let Some(Decision::Standings { scores }) = &task.decision else {
                    return None;
                };
                let [challenger, boss] = sides.map(|side| *scores.get(side?)?);
                let environments = task.built.as_ref()?.environments.len();
                let rules = self.rules.win_shares().ok()?;
                let share = win_share(challenger?, boss?, environments, &rules.share);
                return win_share_margin(share, &rules).ok();
            };
            let [challenger, boss] =
                sides.map(|side| match &task.contestants.get(side?)?.evaluation {
                    Evaluation::Scored { score } => Some(score),
                    _ => None,
                });
            let ranking = |score: Option<&Score>| score.and_then(|score| score.ranking);
            task_margin(
                kind,
                ranking(challenger),
                ranking(boss),
                &self.rules.performance,
            )
        };
        let margins: Vec<Option<f64>> = self.tasks_of(last.number).map(margin).collect();
        // Each is finite; two whose mean is not say as little as one that is not.
        tournament_margin(&margins, &self.rules.performance).ok()
    }

    /// Who has the title after the final of an environment tournament.
    pub(super) fn environment_final(&mut self, number: u32) -> String {
        let boss = self.boss();
        let task = |task: &Task| {
            let Some(Decision::Standings { scores }) = &task.decision else {
                return None;
            };
            let of = |wanted: bool| {
                let contestants = task.contestants.iter();
                let mut found = contestants
                    .zip(scores)
                    .filter(|(c, _)| (c.hotkey == boss) == wanted);
                found.next().and_then(|(_, score)| *score)
            };
            Some(FinalTask {
                start: match task.plan {
                    Plan::Environment {
                        start: StartPoint::FromScratch,
                        ..
                    } => FinalStart::FromScratch,
                    Plan::Environment {
                        start: StartPoint::PreviousWinner,
                        ..
                    } => FinalStart::PreviousWinner,
                    _ => FinalStart::Continuation,
                },
                environments: task.built.as_ref()?.environments.clone(),
                challenger: of(false),
                boss: of(true),
            })
        };
        let tasks: Vec<FinalTask> = self.tasks_of(number).filter_map(task).collect();
        let Ok(rules) = self.rules.environment() else {
            return boss.to_owned();
        };
        let decision = decide_final(&tasks, rules);
        let winner = match decision.verdict {
            Verdict::Challenger => self.challenger().unwrap_or(boss),
            Verdict::Holder | Verdict::Draw => boss,
        };
        let winner = winner.to_owned();
        self.note_title(TitleRecord::Final { decision });
        winner
    }
}
