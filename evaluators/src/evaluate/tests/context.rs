//! Full models with a length, a vocabulary or a configuration of their own.

use super::tensors::{edit, edit_json};
use super::world::*;
use crate::{CandidateResult, CandidateSource, Options};
use gradus_tasks::Owner;
use serde_json::{Value, json};

/// A copy of the base whose configuration was changed.
fn configured(world: &World, name: &str, change: impl FnOnce(&mut Value)) -> CandidateSource {
    let dir = world.copy("model", name);
    edit_json(&dir.join("config.json"), change);
    candidate(name, &dir)
}

/// A copy of the base with `rows` rows in embedding and head, and as many promised.
fn vocabulary(world: &World, name: &str, rows: usize, promised: usize) -> CandidateSource {
    let dir = world.copy("model", name);
    edit_json(&dir.join("config.json"), |c| {
        c["vocab_size"] = json!(promised)
    });
    edit(&dir.join("model.safetensors"), |t| {
        t.get("embed_tokens.weight").resize_rows(rows);
        t.get("lm_head.weight").resize_rows(rows);
    });
    candidate(name, &dir)
}

#[test]
fn another_context_is_another_set_with_another_fingerprint() {
    let world = World::new("llama");
    let with = |positions: usize| {
        configured(&world, &format!("{positions}"), |c| {
            c["max_position_embeddings"] = json!(positions)
        })
    };
    let candidates = [world.base_as_full(), with(40), with(600), with(257)];
    for task in [instruct(), dpo()] {
        let got = world
            .evaluate(&task, &data(ragged_rows()), &candidates, Options::default())
            .unwrap();
        let of = |name: &str| score(&got, name);
        let (base, short, long) = (of("full"), of("40"), of("600"));
        assert_ne!(short.eval_set_fingerprint, base.eval_set_fingerprint);
        assert!(!short.is_finetune);
        let note = short.finetune_note.as_deref().unwrap();
        assert!(note.contains("max_position_embeddings is 40"), "{note}");
        assert!(long.is_finetune && long.finetune_note.is_none());
        if task.spec.id == "dpo" {
            assert_eq!(
                (base.sequence_len, short.sequence_len, long.sequence_len),
                (256, 40, 600)
            );
            assert_ne!(long.eval_set_fingerprint, base.eval_set_fingerprint);
            assert_eq!(
                short.per_example_losses.len(),
                base.per_example_losses.len()
            );
            // Where nothing was cut the pair is the same, and so are its bits.
            let same =
                |i: usize| short.rows[i] == base.rows[i] && short.per_example_losses[i].is_some();
            assert!((0..base.rows.len()).filter(|&i| same(i)).count() > 2);
            assert!(
                (0..base.rows.len())
                    .all(|i| !same(i) || short.per_example_losses[i] == base.per_example_losses[i])
            );
        } else {
            assert_eq!(
                (base.sequence_len, short.sequence_len, long.sequence_len),
                (128, 20, 300)
            );
            // No row is longer than 128 tokens: the same rows, the same fingerprint.
            assert_eq!(long.eval_set_fingerprint, base.eval_set_fingerprint);
            assert!(short.per_example_losses.len() < base.per_example_losses.len());
            let (short, base) = (row_bits(&got, "40"), row_bits(&got, "full"));
            assert!(short.iter().all(|(row, bits)| base[row] == *bits));
        }
        assert_eq!(row_bits(&got, "600"), row_bits(&got, "full"));
    }
}

#[test]
fn a_vocabulary_of_one_row_more_or_less_is_taken_and_more_is_refused() {
    let world = World::new("llama");
    let candidates = [
        world.base_as_full(),
        vocabulary(&world, "more", 212, 211),
        vocabulary(&world, "less", 210, 211),
        vocabulary(&world, "two more", 213, 211),
        vocabulary(&world, "told", 213, 213),
    ];
    let got = world
        .evaluate(
            &instruct(),
            &data(ragged_rows()),
            &candidates,
            Options::default(),
        )
        .unwrap();
    // Another row more is another normaliser, one row less likewise: other numbers, but numbers.
    for name in ["more", "less", "told"] {
        assert_ne!(row_bits(&got, name), row_bits(&got, "full"));
        let far = losses(&got, name)
            .iter()
            .zip(losses(&got, "full"))
            .any(|(a, b)| (a.unwrap() - b.unwrap()).abs() > 0.5);
        assert!(!far, "{name}");
    }
    let failure = failed(&got, "two more");
    assert_eq!(failure.owner, Owner::Submission);
    assert!(
        failure.reason.contains("213") && failure.reason.contains("211"),
        "{}",
        failure.reason
    );
}

#[test]
fn kl_against_another_vocabulary_is_refused_with_both_sizes() {
    let world = World::new("llama");
    let candidates = [
        vocabulary(&world, "more", 212, 211),
        vocabulary(&world, "told", 213, 213),
        world.adapter("lora"),
    ];
    let run = |task: &Task| {
        world
            .evaluate(task, &data(ragged_rows()), &candidates, Options::default())
            .unwrap()
    };
    let got = run(&kl());
    for (name, rows) in [("more", "212"), ("told", "213")] {
        let failure = failed(&got, name);
        assert_eq!(failure.owner, Owner::Submission);
        assert!(
            failure.reason.contains(rows) && failure.reason.contains("211"),
            "{}",
            failure.reason
        );
    }
    score(&got, "lora");
    let without = run(&instruct());
    score(&without, "more");
    assert_eq!(row_bits(&without, "lora"), row_bits(&got, "lora"));
}

#[test]
fn a_token_without_a_logit_is_named_and_whose_head_it_is() {
    let world = World::new("llama");
    let dir = world.copy("model", "short");
    edit(&dir.join("model.safetensors"), |t| {
        t.get("lm_head.weight").resize_rows(210);
    });
    let candidates = [candidate("short", &dir), world.adapter("lora")];
    let rows = data(vec![row(&[4, 5], &[210, 6], &[7])]);
    for task in [instruct(), dpo()] {
        let got = world
            .evaluate(&task, &rows, &candidates, Options::default())
            .unwrap();
        let failure = failed(&got, "short");
        assert_eq!(failure.owner, Owner::Submission);
        let reason = &failure.reason;
        assert!(
            reason.contains("token 210") && reason.contains("head") && reason.contains("210 rows"),
            "{reason}"
        );
        score(&got, "lora");
    }
}

#[test]
fn a_kl_term_leaves_a_candidate_its_own_logit_transform() {
    let world = World::new("granite");
    let scaled = configured(&world, "scaled", |c| c["logits_scaling"] = json!(3.0));
    let candidates = [world.base_as_full(), scaled, world.adapter("lora")];
    let run = |task: &Task| {
        world
            .evaluate(task, &data(ragged_rows()), &candidates, Options::default())
            .unwrap()
    };
    let (plain, with_kl) = (run(&instruct()), run(&kl()));
    for name in ["full", "scaled", "lora"] {
        assert_eq!(row_bits(&plain, name), row_bits(&with_kl, name), "{name}");
    }
    assert_ne!(row_bits(&plain, "scaled"), row_bits(&plain, "full"));
    assert!(score(&with_kl, "scaled").kl_divergence.unwrap() > 1e-3);
}

#[test]
fn the_base_itself_is_scored_and_no_fine_tune() {
    let world = World::new("llama");
    let candidates = [candidate("base", &world.base()), world.base_as_full()];
    let got = world
        .evaluate(
            &instruct(),
            &data(ragged_rows()),
            &candidates,
            Options::default(),
        )
        .unwrap();
    assert!(!score(&got, "base").is_finetune);
    assert!(
        score(&got, "base")
            .finetune_note
            .as_deref()
            .unwrap()
            .contains("base itself")
    );
    assert_eq!(row_bits(&got, "base"), row_bits(&got, "full"));
    assert!(score(&got, "full").is_finetune);
}

#[test]
fn a_model_of_another_size_and_family_is_scored_and_no_fine_tune() {
    let world = World::new("llama");
    let candidates = [
        world.base_as_full(),
        candidate("gemma3", &golden("gemma3").join("model")),
        candidate("llama-bias-hd", &golden("llama-bias-hd").join("model")),
    ];
    for task in [instruct(), dpo()] {
        let run = |candidates: &[CandidateSource]| {
            world
                .evaluate(&task, &data(ragged_rows()), candidates, Options::default())
                .unwrap()
        };
        let got = run(&candidates);
        for other in &candidates[1..] {
            let score = score(&got, &other.name);
            assert!(!score.is_finetune);
            assert!(
                score
                    .finetune_note
                    .as_deref()
                    .unwrap()
                    .starts_with("not a fine-tune")
            );
            let alone = run(std::slice::from_ref(other));
            assert_eq!(
                bits(&got, &other.name),
                bits(&alone, &other.name),
                "{} {}",
                task.spec.id,
                other.name
            );
        }
    }
}

/// Numbers that a configuration has no business to hold.
fn nasty() -> Vec<Value> {
    vec![
        json!(0),
        json!(-1),
        json!(7),
        json!(1e308),
        json!(1u64 << 40),
        json!(u64::MAX),
        json!(null),
        json!("1"),
    ]
}

/// Whatever a configuration says, the candidate has a score or a failure of its own: nothing panics, nothing is host's or a bug.
#[test]
fn no_configuration_of_a_candidate_reaches_beyond_it() {
    for family in [
        "llama",
        "gemma2",
        "gemma3",
        "phi3-longrope",
        "llama-yarn",
        "granite",
        "ministral3",
    ] {
        let world = World::new(family);
        let text = std::fs::read(golden(family).join("model/config.json")).unwrap();
        let config: Value = serde_json::from_slice(&text).unwrap();
        let mut keys: Vec<(Option<&str>, String)> = config
            .as_object()
            .unwrap()
            .keys()
            .map(|k| (None, k.clone()))
            .collect();
        if let Some(rope) = config["rope_parameters"].as_object() {
            keys.extend(rope.keys().map(|k| (Some("rope_parameters"), k.clone())));
        }
        let mut candidates = vec![world.base_as_full()];
        for (i, (place, key)) in keys.iter().enumerate() {
            for (j, value) in nasty().into_iter().enumerate() {
                // Weights are the same ones: only the configuration is written.
                let dir = world.path(&format!("{i}-{j}"));
                std::fs::create_dir(&dir).unwrap();
                std::fs::hard_link(
                    world.path("full").join("model.safetensors"),
                    dir.join("model.safetensors"),
                )
                .unwrap();
                let mut config = config.clone();
                match place {
                    Some(place) => config[place][key] = value,
                    None => config[key] = value,
                }
                std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
                candidates.push(candidate(&format!("{place:?} {key} {j}"), &dir));
            }
        }
        let short = data(ragged_rows()[..2].to_vec());
        let got = world
            .evaluate(&kl(), &short, &candidates, Options::default())
            .unwrap();
        assert_eq!(score(&got, "full").kl_divergence, Some(0.0));
        for outcome in &got.candidates {
            if let CandidateResult::Failed(failure) = &outcome.result {
                assert_eq!(
                    failure.owner,
                    Owner::Submission,
                    "{family} {}: {failure:?}",
                    outcome.name
                );
            }
        }
    }
}
