//! Entries of December's tournaments that have the same score.

use super::play::{NEW, OLD, apply, begun, build, score, scored, trained};
use crate::tournament::state::{Evaluation, Task};
use crate::tournament::*;
use crate::weights::TournamentType;
use serde_json::{Value, json};

/// The first task of a tournament's groups, trained by all, with each one's loss and time of upload, in seconds.
fn evaluated(
    name: &str,
    entries: &[(f64, Option<i64>)],
) -> Result<(Tournament, Vec<Effect>), Refusal> {
    let mut tournament = begun(name, TournamentType::Text, 20);
    let built = build(&tournament, 1);
    apply(&mut tournament, built);
    let hotkeys = tournament.state().rounds[0].places[0].clone();
    let results = hotkeys.iter().map(|hotkey| trained(hotkey, true)).collect();
    apply(&mut tournament, What::Trained { task: 1, results });
    let results = hotkeys.iter().enumerate().map(|(index, hotkey)| {
        let (loss, uploaded) = match entries.get(index) {
            Some(entry) => *entry,
            None => (2.0 - index as f64 / 100.0, Some(50)),
        };
        let mut score = score(&tournament, 1, loss, 0);
        score.uploaded_unix_us = uploaded.map(|uploaded| uploaded * 1_000_000);
        scored(hotkey, score)
    });
    let results = results.collect();
    let event = super::play::event(&tournament, What::Evaluated { task: 1, results });
    let effects = tournament.apply(&event)?;
    Ok((tournament, effects))
}

fn duplicates(task: &Task) -> Vec<usize> {
    let why = InvalidReason::Duplicate;
    let copy = |index: &usize| task.contestants[*index].evaluation == Evaluation::Invalid { why };
    (0..task.contestants.len()).filter(copy).collect()
}

#[test]
fn of_equal_losses_the_earliest_upload_counts_and_the_others_lose_a_point() {
    let entries = [
        (1.25, Some(30)),
        (1.25, Some(10)),
        (1.25, Some(20)),
        (1.5, Some(5)),
    ];
    let (tournament, effects) = evaluated(OLD, &entries).unwrap();
    assert!(
        effects.contains(&Effect::TaskComplete { task: 1 }),
        "{effects:?}"
    );
    let task = &tournament.state().tasks[0];
    assert_eq!(duplicates(task), [0, 2]);
    assert_eq!(task.rankings()[1], Some(1.25));
    assert_eq!(task.rankings()[0], None);
}

#[test]
fn of_one_time_the_first_counts_and_a_zero_has_no_sign() {
    let entries = [
        (1.25, Some(10)),
        (1.25, Some(10)),
        (1.5, Some(10)),
        (1.5, Some(9)),
    ];
    let (tournament, _) = evaluated(OLD, &entries).unwrap();
    assert_eq!(duplicates(&tournament.state().tasks[0]), [1, 2]);
    let (tournament, _) = evaluated(OLD, &[(0.0, Some(10)), (-0.0, Some(9))]).unwrap();
    assert_eq!(duplicates(&tournament.state().tasks[0]), [0]);
}

#[test]
fn rules_that_need_times_of_upload_refuse_scores_without_and_the_others_scores_with_them() {
    let error = evaluated(OLD, &[(1.25, None)]).unwrap_err();
    let what = "uploaded_unix_us";
    assert!(
        matches!(&error, Refusal::Score { what: found, .. } if *found == what),
        "{error}"
    );
    let error = evaluated(NEW, &[(1.25, Some(1))]).unwrap_err();
    assert!(
        matches!(&error, Refusal::Score { what: found, .. } if *found == what),
        "{error}"
    );
}

#[test]
fn a_record_says_who_repeated_whom() {
    // Two entrants are one pair.
    let mut tournament = begun(OLD, TournamentType::Text, 2);
    let built = build(&tournament, 1);
    apply(&mut tournament, built);
    let hotkeys = tournament.state().rounds[0].places[0].clone();
    let results = hotkeys.iter().map(|hotkey| trained(hotkey, true)).collect();
    apply(&mut tournament, What::Trained { task: 1, results });
    let results = hotkeys.iter().zip([20, 10]).map(|(hotkey, uploaded)| {
        let mut score = score(&tournament, 1, 1.25, 0);
        score.uploaded_unix_us = Some(uploaded);
        scored(hotkey, score)
    });
    let results = results.collect();
    apply(&mut tournament, What::Evaluated { task: 1, results });
    super::play::play(
        &mut tournament,
        &super::play::by_number,
        &super::play::never,
    );
    let result = tournament.result().unwrap();
    let task = &result.results.rounds[0].tasks[0];
    let of = |key: &str| -> Vec<Value> {
        task.participant_scores
            .iter()
            .map(|score| score[key].clone())
            .collect()
    };
    assert_eq!(of("quality_score"), [json!(-1.0), json!(3.0)]);
    assert_eq!(of("score_reason"), [json!("duplicate"), json!("first")]);
    assert_eq!(task.winner.as_ref(), Some(&hotkeys[1]));
}
