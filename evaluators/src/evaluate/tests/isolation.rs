//! A bad candidate is its own row, with an owner and a reason; the others keep every bit.

use super::damage::{ADAPTERS, FULL, WEIGHTS, nan_at, used};
use super::tensors::edit;
use super::world::*;
use crate::{CandidateSource, Options};
use gradus_tasks::Owner;

/// Candidates that are well, of every kind.
fn good(world: &World) -> Vec<CandidateSource> {
    vec![
        world.adapter("lora"),
        world.adapter("lora-dora"),
        world.adapter("lora-saved-head"),
        world.base_as_full(),
    ]
}

/// Every damaged candidate among the good ones.
fn all(world: &World) -> Vec<CandidateSource> {
    let mut all = vec![candidate("of another base", &golden("gemma2").join("lora"))];
    for bad in FULL.iter().chain(ADAPTERS) {
        let dir = world.copy(bad.from, bad.name);
        (bad.damage)(&dir);
        all.push(candidate(bad.name, &dir));
    }
    let mut good = good(world);
    all.push(good.remove(0));
    all.extend(good);
    all.rotate_right(2);
    all
}

#[test]
fn each_bad_candidate_fails_alone_with_owner_and_reason() {
    let world = World::new("llama");
    let (rows, good, all) = (data(ragged_rows()), good(&world), all(&world));
    let mut wrong = Vec::new();
    for task in [instruct(), kl(), dpo()] {
        let options = Options {
            memory_bytes: Some(1 << 30),
            ..Options::default()
        };
        let want = world.evaluate(&task, &rows, &good, options).unwrap();
        let got = world.evaluate(&task, &rows, &all, options).unwrap();
        for candidate in &good {
            assert_eq!(
                bits(&got, &candidate.name),
                bits(&want, &candidate.name),
                "{}",
                task.spec.id
            );
        }
        for bad in FULL.iter().chain(ADAPTERS) {
            // A pair of which nothing is left is no error of the task's alone.
            let failure = match result(&got, bad.name) {
                crate::CandidateResult::Failed(failure) => failure,
                crate::CandidateResult::Scored(_) => {
                    wrong.push(format!("{} {}: has a score", task.spec.id, bad.name));
                    continue;
                }
            };
            let says = bad.reason.iter().all(|part| failure.reason.contains(part));
            if failure.owner != Owner::Submission || !says {
                wrong.push(format!(
                    "{} {}: {failure:?}, expected {:?}",
                    task.spec.id, bad.name, bad.reason
                ));
            }
        }
        let other = failed(&got, "of another base");
        assert_eq!(other.owner, Owner::Submission);
        assert!(other.reason.contains("[84, 3]"), "{}", other.reason);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_directory_that_is_not_there_is_not_the_submissions_fault() {
    let world = World::new("llama");
    let candidates = [
        world.adapter("lora"),
        candidate("nothing", &world.path("nothing")),
    ];
    let got = world
        .evaluate(
            &instruct(),
            &data(ragged_rows()),
            &candidates,
            Options::default(),
        )
        .unwrap();
    assert_eq!(failed(&got, "nothing").owner, Owner::Host);
    assert!(failed(&got, "nothing").reason.contains("nothing"));
    score(&got, "lora");
}

#[test]
fn what_the_base_gets_wrong_is_not_blamed_on_candidates() {
    for tensor in [
        "embed_tokens.weight",
        "layers.0.input_layernorm.weight",
        "model.norm.weight",
        "lm_head.weight",
    ] {
        for task in [instruct(), kl(), dpo()] {
            let world = World::new("llama");
            nan_at(
                &world.base(),
                WEIGHTS,
                tensor,
                if tensor.starts_with("embed") {
                    used()
                } else {
                    0
                },
            );
            let got = world.evaluate(
                &task,
                &data(ragged_rows()),
                &[world.adapter("lora")],
                Options::default(),
            );
            match got {
                Err(error) => {
                    assert_eq!(error.owner(), Owner::Host);
                    let text = crate::error::chain(&error);
                    assert!(
                        text.contains("base") && text.contains(tensor),
                        "{}: {text}",
                        task.spec.id
                    );
                }
                Ok(got) => panic!("{} {tensor}: {:?}", task.spec.id, result(&got, "lora")),
            }
        }
    }
}

#[test]
fn a_base_that_overflows_is_not_blamed_on_candidates() {
    for task in [kl(), dpo()] {
        let world = World::new("llama");
        let full = world.base_as_full();
        edit(&world.base().join(WEIGHTS), |t| {
            t.get("layers.0.self_attn.o_proj.weight").fill(3e38)
        });
        let error = world
            .evaluate(&task, &data(ragged_rows()), &[full], Options::default())
            .unwrap_err();
        assert!(
            crate::error::chain(&error).contains("not a number"),
            "{error}"
        );
    }
}

#[test]
fn a_tokenizer_beyond_the_bases_vocabulary_is_not_blamed_on_candidates() {
    for task in [instruct(), kl(), dpo()] {
        let world = World::new("llama");
        let mut rows = ragged_rows();
        rows.push(row(&[300, 5], &[6, 7], &[8, 9]));
        let error = world
            .evaluate(
                &task,
                &data(rows),
                &[world.adapter("lora")],
                Options::default(),
            )
            .unwrap_err();
        assert!(crate::error::chain(&error).contains("token 300"), "{error}");
    }
}

#[test]
fn nobody_left_is_a_result_too() {
    let world = World::new("llama");
    let candidates = [
        candidate("a", &world.path("a")),
        candidate("b", &world.path("b")),
    ];
    let got = world
        .evaluate(&kl(), &data(ragged_rows()), &candidates, Options::default())
        .unwrap();
    failed(&got, "a");
    failed(&got, "b");
}

#[test]
fn nan_that_nothing_reads_does_not_matter() {
    let world = World::new("llama");
    let clean = world.base_as_full();
    let dir = world.copy("model", "unread");
    // Id 1 is in no row; the head is another tensor.
    nan_at(&dir, WEIGHTS, "embed_tokens.weight", 84);
    let candidates = [clean, candidate("unread", &dir)];
    let got = world
        .evaluate(
            &instruct(),
            &data(ragged_rows()),
            &candidates,
            Options::default(),
        )
        .unwrap();
    assert_eq!(bits(&got, "unread"), bits(&got, "full"));
}

#[test]
fn a_loss_that_is_no_number_is_said_with_its_row_of_the_file() {
    let world = World::new("llama");
    let dir = world.copy("model", "far");
    // Only the last row has token 200, whose embedding is far out.
    edit(&dir.join(WEIGHTS), |t| {
        t.get("layers.0.input_layernorm.weight").fill(3e38);
        t.get("embed_tokens.weight").fill(0.0);
        t.get("embed_tokens.weight").set(200 * 84, 1.0);
    });
    let mut rows = ragged_rows();
    rows.push(row(&[200, 5], &[6, 7], &[8, 9]));
    let count = rows.len();
    for task in [instruct(), dpo()] {
        let got = world
            .evaluate(
                &task,
                &data(rows.clone()),
                &[candidate("far", &dir)],
                Options::default(),
            )
            .unwrap();
        let failure = failed(&got, "far");
        assert_eq!(failure.owner, Owner::Submission);
        let row = format!("row {count} is not a number");
        assert!(failure.reason.contains(&row), "{}", failure.reason);
    }
}
