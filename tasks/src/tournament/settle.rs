//! What results come to: complete tasks, complete rounds, who goes on.

use super::effect::Effect;
use super::event::InvalidReason;
use super::machine::Tournament;
use super::standings;
use super::state::{
    Contestant, Decision, Evaluation, Hold, OutReason, OutcomeReason, RoundKind, Stage, Task,
    TaskState, TitleRecord, Training,
};
use crate::rules::{EqualScores, SmallFieldRules};
use crate::scoring::{RoundTask, Showing, TitleOutcome, decide_task, decide_title, degenerate};

impl Tournament {
    /// Looks whether all results of a task are there, and what they come to.
    pub(super) fn settle_task(&mut self, index: usize, effects: &mut Vec<Effect>) {
        let again = self.rules.attempts;
        let failed_max = self.rules.bracket.failed_trainings_review_above;
        let task = &mut self.state.tasks[index];
        let count = |fits: fn(&Training) -> bool| {
            let contestants = task.contestants.iter();
            contestants.filter(|c| fits(&c.training)).count()
        };
        let training = count(|training| matches!(training, Training::Waiting { .. }));
        let failed = count(|training| *training == Training::Failed {});
        let trained = count(|training| *training == Training::Succeeded {});
        let evaluated = |evaluation: &Evaluation| *evaluation != Evaluation::Waiting {};
        let scored = |evaluation: &Evaluation| matches!(evaluation, Evaluation::Scored { .. });
        let evaluations = || task.contestants.iter().map(|c| &c.evaluation);
        let number = task.number;
        if training > 0 || evaluations().filter(|e| evaluated(e)).count() < trained {
            return;
        }
        if self.rules.ranking.equal_scores == EqualScores::EarliestUpload {
            drop_copies(task);
        }
        let evaluations = || task.contestants.iter().map(|c| &c.evaluation);
        let hold = if trained == 0 {
            Some(Hold::NobodyTrained)
        } else if !evaluations().any(scored) {
            task.empty_evaluations += 1;
            if again.evaluates_again(task.empty_evaluations) {
                for contestant in &mut task.contestants {
                    contestant.evaluation = Evaluation::Waiting {};
                }
                effects.push(Effect::EvaluatedAgain { task: number });
                return;
            }
            Some(Hold::NobodyValid)
        } else if failed as f64 / task.contestants.len() as f64 > failed_max {
            Some(Hold::ManyFailed)
        } else {
            let scores: Vec<f64> = task.rankings().into_iter().flatten().collect();
            let kind = task.plan.kind();
            let nothing = kind.and_then(|kind| degenerate(kind, &scores, &self.rules.degenerate));
            let nothing = nothing.map(|_| Hold::DecidesNothing);
            nothing.or(task.rows_differ().then_some(Hold::DifferentRows))
        };
        match hold {
            Some(why) if !task.failures_accepted => {
                task.state = TaskState::Held { why };
                effects.push(Effect::TaskHeld { task: number, why });
            }
            _ => {
                task.state = TaskState::Complete {};
                effects.push(Effect::TaskComplete { task: number });
                self.close_round_if_over(effects);
            }
        }
    }

    /// Ends the current round if all of its tasks are complete.
    pub(super) fn close_round_if_over(&mut self, effects: &mut Vec<Effect>) {
        let Some((number, kind)) = self.current().map(|round| (round.number, round.kind)) else {
            return;
        };
        if self
            .tasks_of(number)
            .any(|task| task.state != TaskState::Complete {})
        {
            return;
        }
        self.decide_tasks(number, kind);
        let mut winners = match kind {
            RoundKind::Group | RoundKind::SmallField => self.group_winners(number, kind),
            RoundKind::Knockout | RoundKind::LastKnockout => self.pair_winners(number),
            RoundKind::EnvironmentGroup => self.environment_winners(number),
            RoundKind::Boss => match self.boss_round(number, effects) {
                Some(winner) => vec![winner],
                None => return,
            },
            RoundKind::EnvironmentFinal => vec![self.environment_final(number)],
        };
        let mut seen = Vec::new();
        winners.retain(|winner| {
            let new = !seen.contains(winner);
            seen.push(winner.clone());
            new
        });
        let boss = self.boss().to_owned();
        // The boss goes on by itself, if there is anybody whom it goes on with.
        let boss_alone = winners.iter().all(|winner| *winner == boss);
        if kind == RoundKind::EnvironmentGroup && !boss_alone && !winners.contains(&boss) {
            winners.push(boss);
        }
        for hotkey in self.playing() {
            if !winners.contains(&hotkey) {
                self.put_out(&hotkey, number, OutReason::Lost, effects);
            }
        }
        self.forget_rows(number);
        if let Some(round) = self.state.rounds.last_mut() {
            round.advanced = Some(winners.clone());
        }
        effects.push(Effect::RoundOver {
            round: number,
            advanced: winners.clone(),
        });
        if kind.is_final() {
            self.title_decided(effects);
        } else if boss_alone {
            self.keep_title(OutcomeReason::NobodyAdvanced, effects);
        } else if self.rules.entry.review.pairwise_before_round == number + 1 {
            self.state.stage = Stage::DuplicateReview {};
        } else {
            self.next_round(winners, effects);
        }
    }

    /// What each task of a round decided.
    fn decide_tasks(&mut self, number: u32, kind: RoundKind) {
        let undecided = |task: &&Task| task.decision.is_none();
        let decided: Vec<(u32, Decision)> = self
            .tasks_of(number)
            .filter(undecided)
            .map(|task| (task.number, self.decide(task, kind)))
            .collect();
        for (number, decision) in decided {
            self.state.tasks[number as usize - 1].decision = Some(decision);
        }
    }

    fn decide(&self, task: &Task, kind: RoundKind) -> Decision {
        match (task.plan.kind(), kind) {
            (None, _) => Decision::Standings {
                scores: standings::environments(task, &self.rules),
            },
            (Some(measured), RoundKind::Boss) => {
                let boss = self.boss();
                let [challenger, boss] = [false, true].map(|wanted| {
                    let mut contestants = task.contestants.iter();
                    let found = contestants.find(|c| (c.hotkey == boss) == wanted);
                    found.map_or(NOTHING, |contestant| showing(&contestant.evaluation))
                });
                let champion = self.state.setup.champion.as_ref();
                let wins = champion.map_or(0, |champion| champion.consecutive_wins);
                Decision::Boss {
                    decision: decide_task(measured, &challenger, &boss, wins, &self.rules),
                }
            }
            (Some(measured), _) if kind.is_pairs() => standings::pair(task, measured, &self.rules),
            _ => {
                let (order, tied) = standings::ranked(task);
                let name = |index: usize| task.contestants[index].hotkey.clone();
                Decision::Ranking {
                    order: order.into_iter().map(name).collect(),
                    tied,
                }
            }
        }
    }

    fn group_winners(&self, number: u32, kind: RoundKind) -> Vec<String> {
        let advance = match (kind, self.rules.bracket.small_field) {
            (RoundKind::SmallField, SmallFieldRules::OneGroup { advance, .. }) => advance,
            _ => self.rules.bracket.groups.advance,
        };
        let places = self.current().map_or(0, |round| round.places.len() as u32);
        let mut winners = Vec::new();
        for place in 1..=places {
            let tasks: Vec<&Task> = self.tasks_of(number).filter(|t| t.place == place).collect();
            winners.extend(standings::group(&tasks).into_iter().take(advance));
        }
        winners
    }

    fn pair_winners(&self, number: u32) -> Vec<String> {
        let winner = |task: &Task| match &task.decision {
            Some(Decision::Pair { winner, .. }) => winner.clone(),
            _ => None,
        };
        self.tasks_of(number).filter_map(winner).collect()
    }

    fn environment_winners(&self, number: u32) -> Vec<String> {
        let winners = |task: &Task| standings::environment_winners(task, self.boss(), &self.rules);
        self.tasks_of(number).flat_map(winners).collect()
    }

    /// Who has the title after the boss round; `None` if tasks stand in for drawn ones first.
    fn boss_round(&mut self, number: u32, effects: &mut Vec<Effect>) -> Option<String> {
        let task = |task: &Task| match &task.decision {
            Some(Decision::Boss { decision }) => Some(RoundTask {
                kind: task.plan.kind()?,
                lineage: task.plan.lineage().map(str::to_owned),
                verdict: decision.verdict,
            }),
            _ => None,
        };
        let tasks: Vec<RoundTask> = self.tasks_of(number).filter_map(task).collect();
        let round = self.current()?;
        let decision = decide_title(&tasks, round.built_tasks, round.batches, &self.rules.boss);
        let winner = match &decision.outcome {
            TitleOutcome::Replace { kinds } => {
                self.add_stand_ins(kinds, effects);
                return None;
            }
            TitleOutcome::Challenger => self.challenger(),
            TitleOutcome::Boss => Some(self.boss()),
        };
        let winner = winner.unwrap_or(self.boss()).to_owned();
        self.note_title(TitleRecord::Tasks { decision });
        Some(winner)
    }

    pub(super) fn note_title(&mut self, title: TitleRecord) {
        if let Some(round) = self.state.rounds.last_mut() {
            round.title = Some(title);
        }
    }

    /// Rows are large, decided, and in the events: a round that is over goes on without them.
    fn forget_rows(&mut self, number: u32) {
        let tasks = self
            .state
            .tasks
            .iter_mut()
            .filter(|task| task.round == number);
        for contestant in tasks.flat_map(|task| &mut task.contestants) {
            if let Evaluation::Scored { score } = &mut contestant.evaluation {
                score.rows = None;
            }
        }
    }
}

/// Of entries with the same score the one that was uploaded first counts, of those of one time the first contestant's.
fn drop_copies(task: &mut Task) {
    let entry = |(index, contestant): (usize, &Contestant)| match &contestant.evaluation {
        Evaluation::Scored { score } => Some((score.ranking?, score.uploaded_unix_us?, index)),
        _ => None,
    };
    let entries: Vec<(f64, i64, usize)> = task
        .contestants
        .iter()
        .enumerate()
        .filter_map(entry)
        .collect();
    for (score, uploaded, index) in &entries {
        let before = |(_, other, at): &&(f64, i64, usize)| (other, at) < (uploaded, index);
        let mut same = entries.iter().filter(|(other, ..)| other == score);
        if same.any(|other| before(&other)) {
            let why = InvalidReason::Duplicate;
            task.contestants[*index].evaluation = Evaluation::Invalid { why };
        }
    }
}

pub(super) const NOTHING: Showing<'static> = Showing {
    score: None,
    rows: None,
};

/// What a contestant has to show.
pub(super) fn showing(evaluation: &Evaluation) -> Showing<'_> {
    match evaluation {
        Evaluation::Scored { score } => Showing {
            score: score.ranking,
            rows: score.rows.as_ref().map(|rows| crate::scoring::boss::Rows {
                losses: &rows.losses,
                fingerprint: &rows.fingerprint,
            }),
        },
        Evaluation::Waiting {} | Evaluation::Invalid { .. } => NOTHING,
    }
}
