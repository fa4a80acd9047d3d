//! From one round to the next: who plays it, and over which tasks.

use super::effect::Effect;
use super::field::{Field, Places};
use super::machine::Tournament;
use super::plan::{Plan, Planning};
use super::state::{OutReason, OutcomeReason, Round, RoundKind, Stage, Task};
use crate::rules::{FinalRule, TaskKind};
use crate::weights::TournamentType;

impl Tournament {
    /// Draws the first round of a field.
    pub(super) fn first_round(&mut self, field: Vec<String>, effects: &mut Vec<Effect>) {
        if field.is_empty() {
            self.keep_title(OutcomeReason::NobodyLeft, effects);
            return;
        }
        // A group of one beside the boss is the final already.
        let last = field.len() == 1 && self.is_environment();
        self.draw_round(field, last, effects);
    }

    /// Draws the round of those whom the last one sent on.
    ///
    /// Whether it is the boss round, and whether the boss plays to make pairs even, is decided before those who left are
    /// taken out, as in the reference.
    pub(super) fn next_round(&mut self, winners: Vec<String>, effects: &mut Vec<Effect>) {
        let number = self.state.rounds.len() as u32;
        let pairs = !self.is_environment();
        let (mut contestants, last) = self.field(number + 1).even_out(winners, pairs);
        let left = |hotkey: &String| {
            let mut entrants = self.state.entrants.iter();
            entrants.any(|entrant| entrant.hotkey == *hotkey && entrant.left.is_some())
        };
        let gone: Vec<String> = contestants.iter().filter(|c| left(c)).cloned().collect();
        contestants.retain(|contestant| !gone.contains(contestant));
        for hotkey in gone {
            self.put_out(&hotkey, number, OutReason::Left, effects);
        }
        let boss = self.boss();
        if !contestants.iter().any(|contestant| contestant != boss) {
            self.keep_title(OutcomeReason::NobodyLeft, effects);
        } else if number >= self.rules.bracket.rounds_max && !last {
            for hotkey in contestants {
                self.put_out(&hotkey, number, OutReason::Lost, effects);
            }
            self.keep_title(OutcomeReason::TooManyRounds, effects);
        } else {
            self.draw_round(contestants, last, effects);
        }
    }

    fn draw_round(&mut self, contestants: Vec<String>, last: bool, effects: &mut Vec<Effect>) {
        let number = self.state.rounds.len() as u32 + 1;
        let field = self.field(number);
        let (kind, places): Places = match self.environments() {
            Some(rules) if self.is_environment() => field.environment(contestants, last, rules),
            _ => field.text_or_image(contestants, last),
        };
        let planned = self.planning(number, kind, places.len()).round();
        self.state.rounds.push(Round {
            number,
            kind,
            places,
            built_tasks: planned.len(),
            batches: 0,
            shared: None,
            advanced: None,
            title: None,
        });
        let tasks = self.add_tasks(planned);
        effects.push(Effect::RoundDrawn {
            round: number,
            tasks,
        });
        self.state.stage = Stage::Playing {};
    }

    /// Adds tasks of these kinds to the boss round, which stand in for drawn ones.
    pub(super) fn add_stand_ins(&mut self, kinds: &[TaskKind], effects: &mut Vec<Effect>) {
        let round = self.state.rounds.len() as u32;
        let plans = self.planning(round, RoundKind::Boss, 1).boss_tasks(kinds);
        let tasks = self.add_tasks(plans.into_iter().map(|plan| (1, plan)).collect());
        if let Some(current) = self.state.rounds.last_mut() {
            current.batches += 1;
        }
        effects.push(Effect::TasksAdded { round, tasks });
    }

    fn add_tasks(&mut self, planned: Vec<(u32, Plan)>) -> Vec<u32> {
        let round = self.state.rounds.len();
        let Some(current) = self.state.rounds.last() else {
            return Vec::new();
        };
        let first = self.state.tasks.len() as u32 + 1;
        let mut numbers = Vec::with_capacity(planned.len());
        for ((place, plan), number) in planned.into_iter().zip(first..) {
            let hotkeys = &current.places[place as usize - 1];
            let task = Task::planned(number, round as u32, place, plan, hotkeys);
            self.state.tasks.push(task);
            numbers.push(number);
        }
        numbers
    }

    fn field(&self, round: u32) -> Field<'_> {
        Field {
            rules: &self.rules.bracket,
            seed: self.state.setup.seed,
            round,
            boss: self.boss(),
        }
    }

    fn planning(&self, round: u32, kind: RoundKind, places: usize) -> Planning<'_> {
        let final_environment = self.rules.environment.as_ref().map(|rules| {
            let FinalRule::Unbeaten { required } = &rules.title;
            required.as_str()
        });
        let first_round = self.state.rounds.first();
        Planning {
            rules: &self.rules.bracket,
            tournament_type: self.state.setup.tournament_type,
            seed: self.state.setup.seed,
            round,
            kind,
            places,
            next_task: self.state.tasks.len() as u32 + 1,
            first_model: first_round
                .and_then(|round| round.shared.as_ref())
                .map(|shared| shared.model.as_str()),
            environments: self.environments().zip(final_environment),
        }
    }

    pub(super) fn is_environment(&self) -> bool {
        self.state.setup.tournament_type == TournamentType::Environment
    }
}
