//! A row's loss is a function of the task, the base, the candidate's files and the row: compared with `==`.

use super::world::*;
use crate::{CandidateSource, Options, explain};
use gradus_kernels::Isa;

/// Families that differ in what could notice a neighbour: windows, soft-caps, two rotary embeddings, tables by length.
const FAMILIES: [&str; 7] = [
    "llama",
    "llama-longrope",
    "gemma2",
    "gemma3",
    "qwen2",
    "mistral",
    "phi3-longrope",
];

fn tasks() -> [Task; 3] {
    [instruct(), kl(), dpo()]
}

fn one_thread() -> Options {
    Options {
        threads: 1,
        ..Options::default()
    }
}

/// The least memory that works, and a pass for every few rows with it.
fn least_memory(world: &World, task: &Task, candidates: &[CandidateSource]) -> u64 {
    let (base, rows) = (world.base(), data(ragged_rows()));
    let options = Options {
        memory_bytes: Some(1),
        ..one_thread()
    };
    let request = world.request(&base, task, &rows, candidates, options);
    match explain(&request) {
        Err(crate::EvaluateError::Memory(error)) => error.least,
        other => panic!("one byte was enough: {other:?}"),
    }
}

#[test]
fn threads_instruction_sets_and_memory_limits_change_no_bit() {
    for family in FAMILIES {
        let world = World::new(family);
        let candidates = [world.adapter("lora"), world.base_as_full()];
        let rows = data(ragged_rows());
        for task in tasks() {
            let want = world
                .evaluate(&task, &rows, &candidates, one_thread())
                .unwrap();
            let least = least_memory(&world, &task, &candidates);
            let mut ways: Vec<Options> = [2, 4]
                .map(|threads| Options {
                    threads,
                    ..one_thread()
                })
                .into();
            ways.extend(Isa::available().into_iter().map(|isa| Options {
                isa: Some(isa),
                ..one_thread()
            }));
            ways.push(Options {
                memory_bytes: Some(least),
                ..one_thread()
            });
            ways.push(Options {
                memory_bytes: Some(least + 100_000),
                ..one_thread()
            });
            for options in ways {
                let got = world.evaluate(&task, &rows, &candidates, options).unwrap();
                for name in ["lora", "full"] {
                    assert_eq!(
                        bits(&got, name),
                        bits(&want, name),
                        "{family} {} {name} {options:?}: {:?} and {:?}",
                        task.spec.id,
                        losses(&got, name),
                        losses(&want, name)
                    );
                }
            }
            let base = world.base();
            let passes = |memory: Option<u64>| {
                let options = Options {
                    memory_bytes: memory,
                    ..one_thread()
                };
                let request = world.request(&base, &task, &rows, &candidates, options);
                explain(&request).unwrap().sets[0].passes
            };
            assert_eq!(passes(None), 1);
            assert!(
                passes(Some(least)) > 2,
                "{family}: too few passes to mean anything"
            );
        }
    }
}

#[test]
fn the_order_of_the_file_changes_no_rows_bits() {
    for family in FAMILIES {
        let world = World::new(family);
        let candidates = [world.adapter("lora"), world.base_as_full()];
        let rows = ragged_rows();
        let order: Vec<usize> = (0..rows.len()).map(|i| (i * 5 + 3) % rows.len()).collect();
        let permuted = data(order.iter().map(|&i| rows[i].clone()).collect());
        for task in tasks() {
            let run = |rows| {
                world
                    .evaluate(&task, rows, &candidates, one_thread())
                    .unwrap()
            };
            let (want, got) = (run(&data(rows.clone())), run(&permuted));
            for name in ["lora", "full"] {
                let (want, got) = (row_bits(&want, name), row_bits(&got, name));
                for (place, from) in order.iter().enumerate() {
                    assert!(got[&place].is_some());
                    assert_eq!(
                        got[&place], want[from],
                        "{family} {} row {from}",
                        task.spec.id
                    );
                }
            }
        }
    }
}

#[test]
fn a_row_alone_has_the_bits_it_has_in_company() {
    for family in FAMILIES {
        let world = World::new(family);
        let candidates = [world.adapter("lora"), world.base_as_full()];
        let rows = ragged_rows();
        for task in tasks() {
            let all = data(rows.clone());
            let together = world
                .evaluate(&task, &all, &candidates, one_thread())
                .unwrap();
            for (i, row) in rows.iter().enumerate() {
                let alone = data(vec![row.clone()]);
                let alone = world
                    .evaluate(&task, &alone, &candidates, one_thread())
                    .unwrap();
                for name in ["lora", "full"] {
                    assert_eq!(
                        row_bits(&alone, name)[&0],
                        row_bits(&together, name)[&i],
                        "{family} {} {name} row {i}",
                        task.spec.id
                    );
                }
            }
        }
    }
}

#[test]
fn the_company_of_other_candidates_changes_no_bit() {
    let world = World::new("llama");
    let kinds = [
        "lora",
        "lora-bias",
        "lora-dora",
        "lora-embedding",
        "lora-pattern",
        "lora-saved-head",
    ];
    let rows = data(ragged_rows());
    for task in tasks() {
        let run = |candidates: &[CandidateSource]| {
            world
                .evaluate(&task, &rows, candidates, one_thread())
                .unwrap()
        };
        let alone: Vec<_> = kinds
            .iter()
            .map(|kind| run(&[world.adapter(kind)]))
            .collect();
        let full = run(&[world.base_as_full()]);
        // All kinds, a copy of the first, a full model, and two that fail.
        let mut company = vec![candidate("nothing", &world.path("nothing"))];
        company.extend(kinds.iter().rev().map(|kind| world.adapter(kind)));
        company.push(candidate("copy", &golden("llama").join("lora")));
        company.push(candidate("misfit", &golden("gemma2").join("lora")));
        company.push(world.base_as_full());
        let together = run(&company);
        for (kind, alone) in kinds.iter().zip(&alone) {
            assert_eq!(
                bits(&together, kind),
                bits(alone, kind),
                "{} {kind}",
                task.spec.id
            );
        }
        assert_eq!(bits(&together, "copy"), bits(&alone[0], "lora"));
        assert_eq!(bits(&together, "full"), bits(&full, "full"));
        assert_ne!(bits(&together, "lora"), bits(&together, "lora-dora"));
        failed(&together, "nothing");
        failed(&together, "misfit");
    }
}

#[test]
fn a_kl_term_changes_no_bit_of_the_rows_losses() {
    let world = World::new("gemma2");
    let (rows, candidates) = (
        data(ragged_rows()),
        [world.adapter("lora"), world.base_as_full()],
    );
    let run = |task: &Task| {
        world
            .evaluate(task, &rows, &candidates, one_thread())
            .unwrap()
    };
    let (plain, kl) = (run(&instruct()), run(&kl()));
    for name in ["lora", "full"] {
        assert_eq!(row_bits(&plain, name), row_bits(&kl, name));
    }
}

#[test]
fn the_base_as_a_candidate_is_exactly_the_base() {
    for family in FAMILIES {
        let world = World::new(family);
        let (rows, candidates) = (data(ragged_rows()), [world.base_as_full()]);
        let against_itself = world
            .evaluate(&kl(), &rows, &candidates, Options::default())
            .unwrap();
        assert_eq!(
            score(&against_itself, "full").kl_divergence,
            Some(0.0),
            "{family}"
        );
        let pairs = world
            .evaluate(&dpo(), &rows, &candidates, Options::default())
            .unwrap();
        for loss in losses(&pairs, "full") {
            assert_eq!(loss, Some(core::f64::consts::LN_2), "{family}");
        }
    }
}
