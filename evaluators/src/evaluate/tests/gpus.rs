//! Evaluations on GPUs: close to the processors' numbers, and as much their own bits. On the machine's GPUs, or on emulated ones.

use super::world::*;
use crate::{Device, EvaluateError, GpuSet, NUMERICS_SM80, NUMERICS_SM90, Options};
use gradus_kernels::device::Gpu;
use gradus_tasks::Owner;

/// Families that differ in what could notice a neighbour: windows, soft-caps, tables by length, biases.
const FAMILIES: [&str; 3] = ["llama-longrope", "gemma2", "qwen2"];

/// Each GPU alone.
fn each_gpu() -> Vec<Options> {
    gradus_shim::install();
    (0..Gpu::count().unwrap()).map(on_gpu).collect()
}

fn on_gpu(ordinal: usize) -> Options {
    Options {
        device: Device::Gpus(GpuSet::default().with(ordinal).unwrap()),
        threads: 1,
        ..Options::default()
    }
}

#[test]
fn losses_on_a_gpu_are_close_to_the_processors_and_say_how_they_were_computed() {
    for family in FAMILIES {
        let world = World::new(family);
        let candidates = [world.adapter("lora"), world.base_as_full()];
        let rows = data(ragged_rows());
        for task in [instruct(), kl(), dpo()] {
            let want = world
                .evaluate(&task, &rows, &candidates, Options::default())
                .unwrap();
            for options in each_gpu() {
                let got = world.evaluate(&task, &rows, &candidates, options).unwrap();
                assert_eq!(got.provenance.compute_dtype, "bf16");
                assert!([NUMERICS_SM80, NUMERICS_SM90].contains(&got.provenance.numerics.as_str()));
                assert!(got.provenance.device.starts_with("cuda:"));
                for name in ["lora", "full"] {
                    let (got, want) = (losses(&got, name), losses(&want, name));
                    assert_eq!(got.len(), want.len());
                    let mean = |v: &[Option<f64>]| v.iter().flatten().sum::<f64>() / v.len() as f64;
                    let apart = (mean(&got) - mean(&want)).abs();
                    assert!(apart < 0.05, "{family} {} {name}: {apart}", task.spec.id);
                }
            }
        }
    }
}

#[test]
fn on_a_gpu_the_order_of_the_file_and_other_candidates_change_no_rows_bits() {
    for family in FAMILIES {
        let world = World::new(family);
        let rows = ragged_rows();
        let mut backwards = rows.clone();
        backwards.reverse();
        let task = instruct();
        for options in each_gpu() {
            let both = [world.adapter("lora"), world.base_as_full()];
            let all = world
                .evaluate(&task, &data(rows.clone()), &both, options)
                .unwrap();
            let alone = world
                .evaluate(&task, &data(rows.clone()), &both[..1], options)
                .unwrap();
            assert_eq!(
                bits(&all, "lora"),
                bits(&alone, "lora"),
                "{family}: company"
            );
            let other = world
                .evaluate(&task, &data(backwards.clone()), &both, options)
                .unwrap();
            for name in ["lora", "full"] {
                let forward: Vec<_> = row_bits(&all, name).into_values().collect();
                let mut backward: Vec<_> = row_bits(&other, name).into_values().collect();
                backward.reverse();
                assert_eq!(forward, backward, "{family} {name}: order");
            }
            let one = world
                .evaluate(&task, &data(rows[..1].to_vec()), &both, options)
                .unwrap();
            assert_eq!(
                row_bits(&one, "full").get(&0),
                row_bits(&all, "full").get(&0),
                "{family}: a row alone"
            );
        }
    }
}

#[test]
fn two_gpus_of_one_kind_give_the_bits_of_one() {
    gradus_shim::install();
    let kinds: Vec<bool> = (0..Gpu::count().unwrap())
        .map(|i| Gpu::open(i).unwrap().is_hopper())
        .collect();
    let Some((first, second)) = (0..kinds.len())
        .flat_map(|a| (a + 1..kinds.len()).map(move |b| (a, b)))
        .find(|&(a, b)| kinds[a] == kinds[b])
    else {
        println!("SKIPPED: no two GPUs of one kind");
        return;
    };
    let world = World::new("llama");
    let candidates = [world.adapter("lora"), world.base_as_full()];
    let rows = data(ragged_rows());
    let both = GpuSet::default().with(first).unwrap().with(second).unwrap();
    for task in [instruct(), kl(), dpo()] {
        let one = world
            .evaluate(&task, &rows, &candidates, on_gpu(first))
            .unwrap();
        let options = Options {
            device: Device::Gpus(both),
            ..Options::default()
        };
        let two = world.evaluate(&task, &rows, &candidates, options).unwrap();
        for name in ["lora", "full"] {
            assert_eq!(
                bits(&one, name),
                bits(&two, name),
                "{} {name}",
                task.spec.id
            );
        }
    }
}

#[test]
fn queries_and_keys_of_one_tensor_that_no_kernel_reads_are_refused_by_name_before_anything_is_computed()
 {
    let world = World::new("phi3");
    let (task, rows) = (instruct(), data(ragged_rows()));
    let candidates = [world.adapter("lora"), world.base_as_full()];
    for options in each_gpu() {
        let refused = world.evaluate(&task, &rows, &candidates, options);
        let error = refused.expect_err("no kernel reads them");
        assert!(matches!(error, EvaluateError::BaseWidths { .. }), "{error}");
        assert_eq!(error.owner(), Owner::Host);
        let text = crate::error::chain(&error);
        let path = world.base().display().to_string();
        let tensor = "model.layers.0.self_attn.qkv_proj.weight holds 84 rows of queries (7 heads of 12), 12 of keys (1 heads)";
        for part in [path.as_str(), tensor, "multiple of 8", "help: --device cpu"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // Another model that has them is out alone.
        let other = World::new("llama");
        let strange = candidate("phi3", &golden("phi3").join("model"));
        let both = [other.adapter("lora"), strange];
        let evaluation = other.evaluate(&task, &rows, &both, options).unwrap();
        assert_eq!(failed(&evaluation, "phi3").owner, Owner::Submission);
        assert!(failed(&evaluation, "phi3").reason.contains(tensor));
        assert!(score(&evaluation, "lora").eval_loss > 0.0);
    }
    let on_cpu = world.evaluate(&task, &rows, &candidates, Options::default());
    assert!(score(&on_cpu.unwrap(), "lora").eval_loss > 0.0);
}
