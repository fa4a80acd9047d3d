//! Data sets that are empty, alone, double, without labels or cut away.

use super::world::*;
use crate::error::chain;
use crate::evaluation::{Evaluation, Event};
use crate::{CandidateResult, EvaluateError, Options, evaluate, explain};
use gradus_tasks::Owner;
use serde_json::{Map, Value};

fn run(task: &Task, rows: Vec<Map<String, Value>>) -> Result<Evaluation, EvaluateError> {
    let world = World::new("llama");
    let candidates = [world.adapter("lora"), world.base_as_full()];
    world.evaluate(task, &data(rows), &candidates, Options::default())
}

/// What is said about rows that cannot be evaluated.
fn refused(task: &Task, rows: Vec<Map<String, Value>>) -> String {
    let error = run(task, rows).unwrap_err();
    assert_eq!(error.owner(), Owner::Host);
    chain(&error)
}

#[test]
fn an_empty_data_set_is_refused() {
    for task in [instruct(), kl(), dpo()] {
        let text = refused(&task, Vec::new());
        assert!(text.contains("row"), "{}: {text}", task.spec.id);
    }
}

#[test]
fn one_row_is_a_data_set() {
    for task in [instruct(), kl(), dpo()] {
        let got = run(&task, vec![row(&ids(1, 4), &ids(2, 3), &ids(3, 5))]).unwrap();
        let score = score(&got, "lora");
        assert_eq!(score.per_example_losses.len(), 1);
        let raw = score.eval_loss_raw.unwrap_or(score.eval_loss);
        assert_eq!(score.per_example_losses[0], Some(raw));
    }
}

#[test]
fn rows_that_are_alike_are_computed_once_and_all_answered() {
    let world = World::new("llama");
    let candidates = [world.adapter("lora")];
    // Shorter than what is shared between rows that only begin alike.
    let one = row(&ids(1, 4), &ids(2, 5), &ids(3, 3));
    let base = world.base();
    for task in [instruct(), kl(), dpo()] {
        let computed = |rows| {
            let rows = data(rows);
            let request = world.request(&base, &task, &rows, &candidates, Options::default());
            explain(&request).unwrap().sets[0].tokens_computed
        };
        assert_eq!(computed(vec![one.clone(); 20]), computed(vec![one.clone()]));
        let many = data(vec![one.clone(); 20]);
        let got = world
            .evaluate(&task, &many, &candidates, Options::default())
            .unwrap();
        let bits = row_bits(&got, "lora");
        assert_eq!(bits.len(), 20);
        assert!(bits.values().all(|b| b.is_some() && *b == bits[&0]));
    }
}

#[test]
fn rows_that_are_all_too_long_are_counted_in_the_refusal() {
    let long = || row(&ids(1, 250), &ids(2, 60), &ids(3, 60));
    let text = refused(&instruct(), vec![long(), long(), long()]);
    assert!(text.contains("3 too long"), "{text}");
    assert!(text.contains("128, 256"), "{text}");
}

#[test]
fn rows_too_long_for_half_the_context_are_scored_where_the_whole_is_needed() {
    let got = run(
        &instruct(),
        vec![row(&ids(1, 100), &ids(2, 100), &ids(3, 1))],
    )
    .unwrap();
    assert_eq!(score(&got, "lora").sequence_len, 256);
}

#[test]
fn a_row_without_a_label_is_left_out_and_counted() {
    let empty = row(&ids(1, 5), &[], &[]);
    let text = refused(&instruct(), vec![empty.clone(), empty.clone()]);
    assert!(text.contains("2 without a label"), "{text}");
    let got = run(&instruct(), vec![empty, row(&ids(1, 5), &ids(2, 4), &[])]).unwrap();
    let score = score(&got, "lora");
    assert_eq!(
        score.rows.iter().map(|r| r.source_row).collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn a_label_on_the_first_position_is_never_scored() {
    // Without a prompt the answer's first token has nothing that predicts it, and an answer of EOS alone is too short.
    let got = run(&instruct(), vec![row(&[], &ids(2, 6), &[])]).unwrap();
    let score = score(&got, "lora");
    assert_eq!(score.rows[0].num_tokens, 7);
    assert_eq!(score.rows[0].num_labels, 6);
    let kl = run(&kl(), vec![row(&[], &ids(2, 6), &[])]).unwrap();
    assert_eq!(row_bits(&kl, "lora"), row_bits(&got, "lora"));
}

#[test]
fn a_pair_that_was_cut_away_is_null_and_does_not_count() {
    let whole = row(&ids(1, 9), &ids(2, 8), &ids(3, 7));
    // The prompt alone fills the context: nothing is left of either completion.
    let cut = row(&ids(4, 300), &ids(5, 2), &ids(6, 2));
    let got = run(&dpo(), vec![cut.clone(), whole.clone(), cut.clone()]).unwrap();
    let alone = run(&dpo(), vec![whole]).unwrap();
    let (got, alone) = (score(&got, "lora"), score(&alone, "lora"));
    let of_whole = alone.per_example_losses[0];
    assert_eq!(got.per_example_losses, [None, of_whole, None]);
    assert_eq!(got.eval_loss, alone.eval_loss);
    assert!(
        got.notes.iter().any(|n| n.contains("2 of 3 pairs")),
        "{:?}",
        got.notes
    );
    assert!(alone.notes.iter().all(|n| !n.contains("pairs")));

    let nothing = run(&dpo(), vec![cut.clone(), cut]).unwrap();
    assert_eq!(failed(&nothing, "lora").owner, Owner::Host);
    assert!(failed(&nothing, "lora").reason.contains("cut away"));
}

#[test]
fn rows_done_reach_their_total_even_where_pairs_were_cut_away() {
    let world = World::new("llama");
    let (base, candidates) = (world.base(), [world.adapter("lora"), world.base_as_full()]);
    let cut = row(&ids(4, 300), &ids(5, 2), &ids(6, 2));
    let mut rows = ragged_rows();
    rows.push(cut.clone());
    for rows in [rows, vec![cut]] {
        let rows = data(rows);
        let task = dpo();
        let watch = Watch::default();
        evaluate(
            &world.request(&base, &task, &rows, &candidates, Options::default()),
            &watch,
        )
        .unwrap();
        let events = watch.events.into_inner().unwrap();
        let Some(Event::Progress {
            fraction,
            rows_done,
            rows_total,
            ..
        }) = events.last()
        else {
            panic!("{:?}", events.last());
        };
        assert_eq!(
            (*fraction, *rows_done, *rows_total),
            (1.0, 2 * rows.rows.len(), 2 * rows.rows.len())
        );
    }
}

#[test]
fn a_tokenizer_without_eos_scores_preferences_and_refuses_instructions() {
    let world = World::new("llama");
    world.write_tokenizer(400, false);
    let candidates = [world.adapter("lora")];
    let rows = data(ragged_rows());
    let run = |task: &Task| world.evaluate(task, &rows, &candidates, Options::default());
    let text = chain(&run(&instruct()).unwrap_err());
    assert!(
        text.contains("EOS") && text.contains("tokenizer_config.json"),
        "{text}"
    );
    // Nothing closes the completions then, as in the reference.
    assert!(matches!(
        result(&run(&dpo()).unwrap(), "lora"),
        CandidateResult::Scored(_)
    ));
}

#[test]
fn no_tokenizer_is_refused_with_what_to_do() {
    let world = World::new("llama");
    std::fs::remove_file(world.base().join("tokenizer.json")).unwrap();
    let candidates = [world.adapter("lora")];
    let error = world.evaluate(
        &instruct(),
        &data(ragged_rows()),
        &candidates,
        Options::default(),
    );
    let text = chain(&error.unwrap_err());
    assert!(
        text.contains("tokenizer.json") && text.contains("--tokenizer"),
        "{text}"
    );
}

#[test]
fn candidates_must_be_there_and_have_names_of_their_own() {
    let world = World::new("llama");
    let lora = world.adapter("lora");
    let run = |candidates: &[_]| {
        let rows = data(ragged_rows());
        world
            .evaluate(&instruct(), &rows, candidates, Options::default())
            .unwrap_err()
    };
    assert!(matches!(run(&[]), EvaluateError::NoCandidates));
    assert!(
        matches!(run(&[lora.clone(), lora]), EvaluateError::DuplicateName { name } if name == "lora")
    );
}

#[test]
fn rows_that_are_not_scored_are_noted() {
    let world = World::new("llama");
    let candidates = [world.base_as_full()];
    let with = |rows| {
        let got = world.evaluate(&instruct(), &data(rows), &candidates, Options::default());
        score(&got.unwrap(), "full").notes.clone()
    };
    let short = row(&[4, 5], &[6, 7], &[8]);
    assert!(with(vec![short.clone()]).is_empty());
    let long = row(&[4, 5], &ids(1, 2000), &[8]);
    let notes = with(vec![short, long]);
    assert!(
        notes.iter().any(|n| n.contains("2 rows read, 1 scored")),
        "{notes:?}"
    );
}
