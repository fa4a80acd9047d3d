//! Whoever runs a tournament, in small: looks what is pending and makes an event of it.

use crate::entry::review::{ChallengerState, PairwiseState};
use crate::rules::{EqualScores, RuleSet, TaskKind};
use crate::scoring::pcg64::Pcg64;
use crate::tournament::*;
use crate::weights::TournamentType;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const OLD: &str = "2025-12-12-86623e97";
pub(super) const NEW: &str = "2026-09-30-27931f9d";

/// The rules of a set with few resamples, so that duels are quick.
pub(super) fn rules(name: &str) -> Arc<RuleSet> {
    let mut rules = RuleSet::named(name).unwrap();
    rules.paired.resamples = 20;
    Arc::new(rules)
}

pub(super) fn setup(
    rules: &RuleSet,
    tournament_type: TournamentType,
    entrants: usize,
    seed: u64,
) -> Setup {
    Setup {
        version: 1,
        tournament_id: format!("tourn_{seed}"),
        tournament_type,
        rules: rules.id.clone(),
        seed,
        entrants: (0..entrants)
            .map(|entrant| format!("m{entrant:03}"))
            .collect(),
        champion: Some(Champion {
            hotkey: "champion".to_owned(),
            consecutive_wins: 2,
            stored_difference: Some(0.125),
        }),
    }
}

pub(super) fn event(tournament: &Tournament, what: What) -> Event {
    Event {
        sequence: tournament.state().next_sequence,
        tournament_id: tournament.state().setup.tournament_id.clone(),
        at_unix_us: 1_790_000_000_000_000,
        what,
    }
}

/// Applies what has to be accepted.
pub(super) fn apply(tournament: &mut Tournament, what: What) -> Vec<Effect> {
    let event = event(tournament, what);
    let name = event.what.name();
    tournament
        .apply(&event)
        .unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
}

/// What builds a task as planned.
pub(super) fn build(tournament: &Tournament, number: u32) -> What {
    let task = &tournament.state().tasks[number as usize - 1];
    let round = &tournament.state().rounds[task.round as usize - 1];
    let shared = match &task.plan {
        Plan::Environment { shared: true, .. } => round.shared.as_ref(),
        _ => None,
    };
    let model = match (shared, task.plan.model()) {
        (Some(shared), _) => shared.model.clone(),
        (None, ModelPlan::Model { model }) => model.clone(),
        (None, _) => format!("org/model-{number}"),
    };
    let environments = match (shared, &task.plan) {
        (Some(shared), _) => shared.environments.clone(),
        (None, Plan::Environment { environments, .. }) => match environments {
            EnvironmentPlan::Some { count, of } => of[..*count].to_vec(),
            EnvironmentPlan::Only { environment } => vec![environment.clone()],
        },
        _ => Vec::new(),
    };
    What::TaskBuilt {
        task: number,
        task_id: format!("task-{number}"),
        model,
        environments,
    }
}

/// A score of a task: `value` ranks, rows are equal to it.
pub(super) fn score(tournament: &Tournament, number: u32, value: f64, rows: usize) -> Score {
    let task = &tournament.state().tasks[number as usize - 1];
    let kind = task.plan.kind();
    let compared = kind.is_some_and(|kind| tournament.rules().boss.paired.contains(&kind));
    let kl = matches!(
        &task.plan,
        Plan::Text {
            kl_coef: Some(_),
            ..
        }
    );
    let environments: BTreeMap<String, f64> = match &task.built {
        Some(built) => built
            .environments
            .iter()
            .map(|name| (name.clone(), value))
            .collect(),
        None => BTreeMap::new(),
    };
    Score {
        ranking: kind.map(|_| value),
        rows: (compared && rows > 0).then(|| Rows {
            losses: vec![Some(value); rows],
            fingerprint: "set".to_owned(),
        }),
        kl_term: kl.then_some(0.5),
        environments,
        uploaded_unix_us: uploads(tournament).then_some(1_789_000_000_000_000),
    }
}

/// Whether the rules look at when an entry was uploaded.
pub(super) fn uploads(tournament: &Tournament) -> bool {
    tournament.rules().ranking.equal_scores == EqualScores::EarliestUpload
}

pub(super) fn scored(hotkey: &str, score: Score) -> Evaluated {
    Evaluated {
        hotkey: hotkey.to_owned(),
        outcome: EvaluationOutcome::Scored { score },
    }
}

pub(super) fn invalid(hotkey: &str) -> Evaluated {
    Evaluated {
        hotkey: hotkey.to_owned(),
        outcome: EvaluationOutcome::Invalid {
            why: InvalidReason::NotFinetune,
            detail: "it is the base".to_owned(),
        },
    }
}

pub(super) fn trained(hotkey: &str, succeeded: bool) -> Trained {
    Trained {
        hotkey: hotkey.to_owned(),
        outcome: if succeeded {
            TrainingOutcome::Succeeded {}
        } else {
            TrainingOutcome::Failed {
                reason: "ValueError: no".to_owned(),
                retry: false,
            }
        },
    }
}

/// Plays on until the tournament waits for nothing of the kind that `value` can answer: everybody trains, and scores
/// what `value` says of a task and a hotkey; `None` is an entry that does not count.
pub(super) fn play(
    tournament: &mut Tournament,
    value: &dyn Fn(&state::Task, &str) -> Option<f64>,
    until: &dyn Fn(&Tournament) -> bool,
) {
    while !until(tournament) {
        let Some(pending) = tournament.pending().into_iter().next() else {
            return;
        };
        let what = match pending {
            Pending::Start { .. } => What::Started {},
            Pending::Task { task, .. } => build(tournament, task),
            Pending::Training { task, hotkeys, .. } => What::Trained {
                task,
                results: hotkeys.iter().map(|hotkey| trained(hotkey, true)).collect(),
            },
            Pending::Evaluation { task, hotkeys, .. } => {
                let of = &tournament.state().tasks[task as usize - 1];
                let result = |hotkey: &String| match value(of, hotkey) {
                    Some(value) => scored(hotkey, score(tournament, task, value, 4)),
                    None => invalid(hotkey),
                };
                let results = hotkeys.iter().map(result).collect();
                What::Evaluated { task, results }
            }
            Pending::Judgement { .. } => return,
            Pending::DuplicateReview { .. } => What::EntrantsCompared {
                state: PairwiseState::Clean {},
                reason: "nothing found".to_owned(),
            },
            Pending::ChallengerReview { hotkey, .. } => What::ChallengerReviewed {
                hotkey,
                state: ChallengerState::Clean,
                reason: "nothing found".to_owned(),
            },
        };
        apply(tournament, what);
    }
}

pub(super) fn never(_: &Tournament) -> bool {
    false
}

/// How good somebody is at a task if the lower number is always better: losses for losses, rewards for rewards.
pub(super) fn by_number(task: &state::Task, hotkey: &str) -> Option<f64> {
    let number = hotkey
        .strip_prefix('m')
        .map_or(200.0, |number| number.parse().unwrap());
    Some(match task.plan.kind() {
        Some(TaskKind::Grpo) | None => 1.0 - number / 1000.0,
        _ => 1.0 + number / 10.0,
    })
}

/// Random numbers for tests.
pub(super) struct Chance(pub(super) Pcg64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg64::new(seed))
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u32) as usize
    }

    /// True so often of a thousand times.
    pub(super) fn permille(&mut self, often: usize) -> bool {
        self.below(1000) < often
    }
}

/// A tournament that has begun.
pub(super) fn begun(name: &str, tournament_type: TournamentType, entrants: usize) -> Tournament {
    let rules = rules(name);
    let setup = setup(&rules, tournament_type, entrants, 4);
    let mut tournament = Tournament::new(setup, rules).unwrap();
    apply(&mut tournament, What::Started {});
    tournament
}

pub(super) fn text(entrants: usize) -> Tournament {
    begun(NEW, TournamentType::Text, entrants)
}

pub(super) fn at_boss(tournament: &Tournament) -> bool {
    tournament
        .state()
        .rounds
        .last()
        .is_some_and(|round| round.kind.is_final())
}
