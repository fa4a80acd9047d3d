//! What audit records say of a tournament's tasks.

use super::play::{NEW, OLD, begun, by_number, never, play};
use crate::rules::TaskKind;
use crate::tournament::state::Task;
use crate::tournament::*;
use crate::weights::TournamentType;
use crate::weights::results::RoundTask;
use serde_json::{Value, json};

/// The tasks of the boss round, where the challenger is better in each by less than any margin.
fn boss_round(rules: &str) -> (Tournament, Vec<(Option<TaskKind>, RoundTask)>) {
    let mut tournament = begun(rules, TournamentType::Text, 4);
    let value = |task: &Task, hotkey: &str| {
        let boss_round = task.contestants.iter().any(|c| !c.hotkey.starts_with('m'));
        let larger = hotkey.starts_with('m') == task.plan.higher_is_better();
        match boss_round {
            false => by_number(task, hotkey),
            true => Some(if larger { 1.0 } else { 0.995 }),
        }
    };
    play(&mut tournament, &value, &never);
    let last = tournament.state().rounds.last().unwrap().number;
    let kinds: Vec<Option<TaskKind>> = tournament.tasks_of(last).map(|t| t.plan.kind()).collect();
    let result = tournament.result().unwrap();
    assert_eq!(result.why, OutcomeReason::Defended);
    let tasks = result.results.rounds.last().unwrap().tasks.clone();
    (tournament, kinds.into_iter().zip(tasks).collect())
}

fn quality(task: &RoundTask, hotkey: &str) -> Value {
    let mut scores = task.participant_scores.iter();
    let score = scores.find(|score| score["hotkey"] == hotkey).unwrap();
    let keys: Vec<&str> = score.keys().map(String::as_str).collect();
    let five = [
        "hotkey",
        "quality_score",
        "test_loss",
        "synth_loss",
        "score_reason",
    ];
    assert_eq!(keys, five);
    assert_eq!(score["test_loss"], score["synth_loss"]);
    score["quality_score"].clone()
}

#[test]
fn decembers_record_has_the_better_score_whoever_kept_the_task() {
    let (tournament, tasks) = boss_round(OLD);
    assert_eq!(tasks.len(), 6);
    for (_, task) in &tasks {
        assert_eq!(task.winner.as_deref(), Some("m000"));
        assert_eq!(quality(task, "m000"), json!(3.0));
        assert_eq!(quality(task, tournament.boss()), json!(0.0));
    }
}

#[test]
fn the_newest_record_has_the_verdict_of_each_duel() {
    let (tournament, tasks) = boss_round(NEW);
    assert!(tasks.iter().any(|(kind, _)| *kind == Some(TaskKind::Grpo)));
    for (_, task) in &tasks {
        assert_eq!(task.winner.as_deref(), Some(tournament.boss()));
        assert_eq!(quality(task, tournament.boss()), json!(3.0));
        assert_eq!(quality(task, "m000"), json!(0.0));
    }
}

#[test]
fn who_has_no_entry_that_counts_has_the_points_of_the_ranking() {
    for rules in [OLD, NEW] {
        let mut tournament = begun(rules, TournamentType::Text, 4);
        let boss_fails = |task: &Task, hotkey: &str| match hotkey.starts_with('m') {
            true => by_number(task, hotkey),
            false => None,
        };
        play(&mut tournament, &boss_fails, &never);
        let result = tournament.result().unwrap();
        for task in &result.results.rounds.last().unwrap().tasks {
            assert_eq!(task.winner.as_deref(), Some("m000"));
            assert_eq!(quality(task, "m000"), json!(3.0));
            assert_eq!(quality(task, tournament.boss()), json!(-1.0));
        }
    }
}
