//! Memory limits, cancelling, progress, and plans that say what is done.

use super::tensors::{edit, edit_json, join, split};
use super::world::*;
use crate::evaluation::Event;
use crate::{CandidateSource, EvaluateError, MemoryError, Options, evaluate, explain};
use serde_json::json;

fn limited(bytes: u64) -> Options {
    Options {
        memory_bytes: Some(bytes),
        threads: 2,
        ..Options::default()
    }
}

fn too_small(result: Result<impl std::fmt::Debug, EvaluateError>) -> MemoryError {
    match result {
        Err(EvaluateError::Memory(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_memory_limit_that_is_too_small_says_the_least_that_works_and_that_works() {
    let world = World::new("gemma3");
    let candidates = [world.adapter("lora"), world.base_as_full()];
    let rows = data(ragged_rows());
    for task in [instruct(), kl(), dpo()] {
        let run = |bytes| world.evaluate(&task, &rows, &candidates, limited(bytes));
        let least = too_small(run(1000)).least;
        assert!(run(least).is_ok());
        let error = too_small(run(least - 1));
        assert_eq!(error.least, least);
        assert!(error.to_string().contains("help: --memory"), "{error}");
    }
}

#[test]
fn cancelling_ends_the_evaluation_at_the_next_step_wherever_it_is() {
    let world = World::new("llama");
    let mut candidates = vec![
        world.adapter("lora"),
        world.adapter("lora-saved-head"),
        world.base_as_full(),
    ];
    candidates.push(candidate("nothing", &world.path("nothing")));
    let (base, rows) = (world.base(), data(ragged_rows()));
    for task in [instruct(), kl(), dpo()] {
        let least = too_small(world.evaluate(&task, &rows, &candidates, limited(1))).least;
        let request = world.request(&base, &task, &rows, &candidates, limited(least));
        let asked = |patience: Option<usize>| {
            let watch = Watch {
                patience,
                ..Watch::default()
            };
            let result = evaluate(&request, &watch);
            (result, watch.asked.into_inner().unwrap())
        };
        let (done, steps) = asked(None);
        assert!(done.is_ok());
        // Layers and heads of three models and more, for each of several passes.
        assert!(steps > 30, "{steps}");
        for patience in 0..steps {
            let (result, asked) = asked(Some(patience));
            assert!(
                matches!(result, Err(EvaluateError::Cancelled)),
                "{} {patience}",
                task.spec.id
            );
            assert_eq!(
                asked,
                patience + 1,
                "{}: asked again after a yes",
                task.spec.id
            );
        }
    }
}

#[test]
fn cancelling_ends_the_tokenising() {
    let world = World::new("llama");
    let (base, rows) = (world.base(), data(ragged_rows()));
    let candidates = [world.adapter("lora")];
    for task in [instruct(), dpo()] {
        let watch = Watch {
            patience: Some(0),
            ..Watch::default()
        };
        let request = world.request(&base, &task, &rows, &candidates, limited(1 << 30));
        let result = evaluate(&request, &watch);
        assert!(matches!(result, Err(EvaluateError::Cancelled)));
        assert!(
            watch.events.into_inner().unwrap().is_empty(),
            "it had started to compute"
        );
    }
}

/// A model with another context, which makes another set.
fn longer(world: &World) -> CandidateSource {
    let dir = world.copy("model", "longer");
    edit_json(&dir.join("config.json"), |c| {
        c["max_position_embeddings"] = json!(400)
    });
    candidate("longer", &dir)
}

#[test]
fn progress_starts_once_never_goes_back_and_ends_at_one() {
    let world = World::new("llama");
    let bad = world.copy("lora", "bad");
    edit(&bad.join("adapter_model.safetensors"), |t| {
        t.get("layers.1.mlp.up_proj.lora_A.weight").set(0, f32::NAN)
    });
    let candidates = [
        world.adapter("lora"),
        candidate("nothing", &world.path("nothing")),
        candidate("bad", &bad),
        world.base_as_full(),
        longer(&world),
    ];
    let (base, rows) = (world.base(), data(ragged_rows()));
    for task in [instruct(), kl(), dpo()] {
        let least = too_small(world.evaluate(&task, &rows, &candidates, limited(1))).least;
        for memory in [least, 4 << 30] {
            let request = world.request(&base, &task, &rows, &candidates, limited(memory));
            let plan = explain(&request).unwrap();
            let watch = Watch::default();
            evaluate(&request, &watch).unwrap();
            let events = watch.events.into_inner().unwrap();
            let starts: Vec<usize> = (0..events.len())
                .filter(|&i| matches!(events[i], Event::Started { .. }))
                .collect();
            // What is known to fail before is told before.
            assert_eq!(starts, [1]);
            assert!(matches!(&events[0], Event::CandidateFailed { name, .. } if name == "nothing"));
            let Event::Started {
                rows: started_rows,
                tokens,
                candidates: running,
                tokens_total: started_total,
                flops,
                floor_s,
            } = &events[1]
            else {
                unreachable!("found above");
            };
            assert_eq!(*running, 4);
            assert_eq!((*flops, *floor_s), (plan.flops, None));
            assert_eq!(
                *started_rows,
                plan.sets.iter().map(|s| s.rows).sum::<usize>()
            );
            assert_eq!(
                *tokens,
                plan.sets.iter().map(|s| s.tokens_computed).sum::<usize>()
            );
            let steps: Vec<(f64, usize, usize, f64, f64)> = events
                .iter()
                .filter_map(|event| match event {
                    Event::Progress {
                        fraction,
                        rows_done,
                        rows_total,
                        tokens_done,
                        tokens_total,
                    } => Some((
                        *fraction,
                        *rows_done,
                        *rows_total,
                        *tokens_done,
                        *tokens_total,
                    )),
                    _ => None,
                })
                .collect();
            assert!(steps.len() > 10);
            for pair in steps.windows(2) {
                assert!(pair[0].0 <= pair[1].0, "{}: {pair:?}", task.spec.id);
                assert!(pair[0].1 <= pair[1].1 && pair[0].3 <= pair[1].3);
            }
            assert!(steps[0].0 > 0.0 && steps[0].0 < 0.3, "{}", steps[0].0);
            let last = steps.last().unwrap();
            assert_eq!(last.4, *started_total);
            assert_eq!((last.0, last.1, last.3), (1.0, last.2, last.4));
            assert!(last.1 > 0);
        }
    }
}

#[test]
fn a_plan_says_what_is_done() {
    let world = World::new("llama");
    let candidates = [
        world.adapter("lora"),
        world.adapter("lora-dora"),
        world.base_as_full(),
        longer(&world),
    ];
    let (base, rows) = (world.base(), data(ragged_rows()));
    for task in [instruct(), kl(), dpo()] {
        let least = too_small(world.evaluate(&task, &rows, &candidates, limited(1))).least;
        for memory in [least, least + 60_000, 4 << 30] {
            let request = world.request(&base, &task, &rows, &candidates, limited(memory));
            let plan = explain(&request).unwrap();
            assert_eq!(plan.memory_bytes, memory);
            assert!(plan.planned_bytes <= memory);
            assert_eq!(plan.sets.len(), 2);
            let needs_base = usize::from(task.spec.id != "instruct");
            let counts: Vec<_> = plan
                .sets
                .iter()
                .map(|s| (s.shared_candidates, s.full_candidates))
                .collect();
            assert_eq!(counts, [(2 + needs_base, 1), (needs_base, 1)]);
            let watch = Watch::default();
            evaluate(&request, &watch).unwrap();
            // Rows ask before they are tokenised. Every step asks and is told of, and the end of a pass is told of once
            // more.
            let events = watch.events.into_inner().unwrap();
            let told = events
                .iter()
                .filter(|event| matches!(event, Event::Progress { .. }));
            let passes: usize = plan.sets.iter().map(|s| s.passes).sum();
            assert_eq!(
                told.count(),
                watch.asked.into_inner().unwrap() - rows.rows.len() + passes,
                "{}",
                task.spec.id
            );
            assert!(memory > least || passes > 6, "{passes}");
            assert!(plan.sets.iter().all(|s| s.tokens_computed < s.tokens));
            assert!(plan.flops > 0.0 && plan.rate > 0.0 && plan.seconds > 0.0);
        }
    }
}

#[test]
fn an_adapter_larger_than_everything_else_fails_alone_before_it_is_read() {
    const RANK: usize = 65536;
    let world = World::new("llama");
    let huge = world.copy("lora", "huge");
    edit_json(&huge.join("adapter_config.json"), |config| {
        config["r"] = json!(RANK);
        config["target_modules"] = json!(["q_proj"]);
    });
    let file = huge.join("adapter_model.safetensors");
    let (mut header, _) = split(&file);
    header.retain(|name, _| name.contains("q_proj"));
    let mut end = 0;
    for (name, entry) in &mut header {
        let rank_at = usize::from(name.contains("lora_B"));
        entry["shape"][rank_at] = json!(RANK);
        let elements: u64 = (0..2)
            .map(|i| entry["shape"][i].as_u64().unwrap())
            .product();
        let bytes = elements * if entry["dtype"] == "F32" { 4 } else { 2 };
        entry["data_offsets"] = json!([end, end + bytes]);
        end += bytes;
    }
    join(&file, &header, &[]);
    let head = std::fs::metadata(&file).unwrap().len();
    let sparse = std::fs::File::options().write(true).open(&file).unwrap();
    sparse.set_len(head + end).unwrap();

    let candidates = [world.adapter("lora"), candidate("huge", &huge)];
    let rows = data(ragged_rows());
    let evaluation = world
        .evaluate(&instruct(), &rows, &candidates, limited(96 << 20))
        .unwrap();
    assert!(
        failed(&evaluation, "huge")
            .reason
            .contains("lower its rank")
    );
    let alone = world
        .evaluate(&instruct(), &rows, &candidates[..1], limited(96 << 20))
        .unwrap();
    assert_eq!(row_bits(&evaluation, "lora"), row_bits(&alone, "lora"));
}
