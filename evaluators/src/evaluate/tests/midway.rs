//! Files that change or vanish while they are read.

use super::world::*;
use crate::evaluation::{Evaluation, Event};
use crate::{CandidateSource, EvaluateError, Options, evaluate};
use gradus_tasks::Owner;
use std::sync::atomic::{AtomicBool, Ordering};

/// Evaluates, and does `damage` when the first work is done.
fn damaged(
    world: &World,
    task: &Task,
    candidates: &[CandidateSource],
    damage: impl Fn() + Sync,
) -> (Result<Evaluation, EvaluateError>, Vec<Event>) {
    let (base, rows, done) = (world.base(), data(ragged_rows()), AtomicBool::new(false));
    let watch = Watch {
        react: Some(Box::new(|event| {
            if matches!(event, Event::Progress { .. }) && !done.swap(true, Ordering::Relaxed) {
                damage();
            }
        })),
        ..Watch::default()
    };
    let request = world.request(&base, task, &rows, candidates, Options::default());
    let result = evaluate(&request, &watch);
    (result, watch.events.into_inner().unwrap())
}

#[test]
fn a_directory_that_vanishes_or_is_cut_midway_takes_only_its_candidate_out() {
    for task in [instruct(), kl(), dpo()] {
        let world = World::new("llama");
        let steady = [world.adapter("lora"), world.base_as_full()];
        let want = world
            .evaluate(&task, &data(ragged_rows()), &steady, Options::default())
            .unwrap();
        let mut candidates = steady.to_vec();
        let mut fragile = Vec::new();
        for (name, from) in [
            ("gone", "model"),
            ("gone adapter", "lora"),
            ("cut", "model"),
            ("cut adapter", "lora"),
        ] {
            let dir = world.copy(from, name);
            candidates.insert(0, candidate(name, &dir));
            fragile.push(name);
        }
        let (got, events) = damaged(&world, &task, &candidates, || {
            std::fs::remove_dir_all(world.path("gone")).unwrap();
            std::fs::remove_dir_all(world.path("gone adapter")).unwrap();
            for file in [
                "cut/model.safetensors",
                "cut adapter/adapter_model.safetensors",
            ] {
                let file = std::fs::File::options()
                    .write(true)
                    .open(world.path(file))
                    .unwrap();
                file.set_len(file.metadata().unwrap().len() - 7).unwrap();
            }
        });
        let got = got.unwrap();
        for name in fragile {
            let failure = failed(&got, name);
            assert_eq!(failure.owner, Owner::Host, "{name}: {failure:?}");
            let what = if name.starts_with("gone") {
                "vanished"
            } else {
                "changed"
            };
            assert!(failure.reason.contains(what), "{name}: {}", failure.reason);
            let told = events.iter().filter(
                |event| matches!(event, Event::CandidateFailed { name: of, failure: f } if of == name && f.reason == failure.reason),
            );
            assert_eq!(told.count(), 1, "{name}");
        }
        for candidate in &steady {
            assert_eq!(
                bits(&got, &candidate.name),
                bits(&want, &candidate.name),
                "{}",
                task.spec.id
            );
        }
    }
}

#[test]
fn a_base_that_vanishes_midway_ends_the_evaluation() {
    let world = World::new("llama");
    let candidates = [world.adapter("lora"), world.base_as_full()];
    let (got, _) = damaged(&world, &instruct(), &candidates, || {
        std::fs::remove_dir_all(world.base()).unwrap();
    });
    let error = got.unwrap_err();
    assert_eq!(error.owner(), Owner::Host);
    let text = crate::error::chain(&error);
    assert!(text.contains("base") && text.contains("vanished"), "{text}");
}
