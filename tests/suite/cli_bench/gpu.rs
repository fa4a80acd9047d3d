//! Kernels and models on an emulated GPU: right, timed, and held against what they have to be.

use super::*;
use crate::binary::{Finished, command, finish};

/// The first kernel that is launched fails.
const FIRST_LAUNCH: &str = "cuLaunchKernel:1";

/// `bench eval` of the tiny shape on the emulated driver, with `variables`.
fn tiny_on_gpu(variables: &[(&str, &str)], more: &[&str]) -> Finished {
    let tiny = [
        "bench", "eval", "--shape", "tiny", "--rows", "5", "--tokens", "17", "--json", "-",
    ];
    finish(
        command()
            .env("LD_LIBRARY_PATH", gradus_shim::library_dir())
            .envs(variables.iter().copied())
            .args(tiny)
            .args(more),
    )
}

/// The emulated driver without a cuBLASLt beside it.
fn driver_alone() -> tempfile::TempDir {
    let alone = tempfile::tempdir().unwrap();
    let driver = "libcuda.so.1";
    let from = gradus_shim::library_dir().join(driver);
    std::os::unix::fs::symlink(from, alone.path().join(driver)).unwrap();
    alone
}

#[track_caller]
fn only_row(done: &Finished) -> Value {
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let result: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(result["rows"].as_array().map(Vec::len), Some(1), "{result}");
    result["rows"][0].clone()
}

#[test]
fn products_of_a_gpu_stand_beside_cublaslt_where_it_is_installed_and_alone_elsewhere() {
    let rows = |libraries: &Path| {
        let arguments = ["bench", "kernels", "--device", "cuda:0", "--tiny"];
        let more = ["--only", "linear", "--seconds", "0", "--samples", "3"];
        let done = finish(
            command()
                .env("LD_LIBRARY_PATH", libraries)
                .args(arguments)
                .args(more)
                .args(["--json", "-"]),
        );
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let result: Value = serde_json::from_str(&done.stdout).unwrap();
        let variant = |row: &Value| row["variant"].as_str().unwrap().to_owned();
        let variants: Vec<String> = result["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(variant)
            .collect();
        (
            variants,
            result["peaks"]["how"].as_str().unwrap().to_owned(),
        )
    };
    let (variants, how) = rows(gradus_shim::library_dir());
    // The emulated library says that its algorithm is number 66; a product with an adapter or a gate is ours alone.
    let with = [
        "gradus",
        "cuBLASLt 66",
        "gradus",
        "gradus",
        "cuBLASLt 66",
        "gradus",
    ];
    assert_eq!(variants, with);
    assert!(how.contains("cuBLASLt 66's product"), "{how}");

    let (variants, how) = rows(driver_alone().path());
    assert_eq!(variants, ["gradus"; 4]);
    assert!(how.contains("gradus's product"), "{how}");
}

#[test]
fn gates_caps_and_shared_heads_are_right_on_every_gpu_and_move_what_they_say() {
    let shapes = [
        ("linear:37x66x40", 2 * (37 * 40 + 66 * 40 + 37 * 66)),
        (
            "linear:37x66x40,gate=silu",
            2 * (37 * 40 + 66 * 40 + 37 * 33),
        ),
        (
            "linear:37x66x40,gate=gelu_tanh,rank=5",
            2 * (37 * 40 + 66 * 40 + 37 * 33 + 5 * (40 + 66)),
        ),
        ("cross_entropy:5x301x48,cap=30", 2 * (301 + 5) * 48 + 8 * 5),
        ("kl:3x130x40", 2 * (2 * (130 + 3) * 40 + 8 * 3)),
        ("kl:3x130x40,cap=7", 2 * (2 * (130 + 3) * 40 + 8 * 3)),
        ("kl:3x130x40,shared", 2 * (130 + 2 * 3) * 40 + 2 * 8 * 3),
        (
            "kl:3x130x40,cap=30,shared",
            2 * (130 + 2 * 3) * 40 + 2 * 8 * 3,
        ),
    ];
    for capability in ["9.0", "8.0"] {
        let mut bench = command();
        bench
            .env("LD_LIBRARY_PATH", gradus_shim::library_dir())
            .env("GRADUS_SHIM_CAPABILITY", capability)
            .args(QUICK)
            .args(["--device", "cuda:0", "--no-peaks", "--json", "-"]);
        for (shape, _) in shapes {
            bench.args(["--shape", shape]);
        }
        let done = finish(&mut bench);
        assert_eq!(done.code, Some(0), "{capability}: {}", done.stderr);
        let result: Value = serde_json::from_str(&done.stdout).unwrap();
        let rows = result["rows"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["variant"] == "gradus");
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let found: Vec<_> = rows
            .map(|row| {
                let shape = format!("{}:{}", text(row, "family"), text(row, "shape"));
                (shape, row["bytes"].as_f64().unwrap() as usize)
            })
            .collect();
        let expected = shapes.map(|(shape, bytes)| (shape.to_owned(), bytes));
        assert_eq!(found, expected, "{capability}");
    }
}

#[test]
fn what_moves_memory_on_a_gpu_is_held_against_a_copy_of_as_many_bytes() {
    let arguments = ["bench", "kernels", "--device", "cuda:0", "--tiny"];
    let more = ["--only", "gather", "--seconds", "0", "--json", "-"];
    let row = |done: Finished| {
        let result: Value = serde_json::from_str(&done.stdout).unwrap();
        (only_row(&done), result["peaks"]["gb_s"].as_f64().unwrap())
    };
    let (row, peak) = row(finish(
        command()
            .env("LD_LIBRARY_PATH", gradus_shim::library_dir())
            .args(arguments.iter().chain(&more)),
    ));
    assert_eq!(row["bound"], "memory", "{row}");
    let field = |name: &str| row[name].as_f64().unwrap();
    // 1,120 bytes never reach the rate of the 128 KiB that tell the peak.
    assert!(field("bytes") < 4096.0, "{row}");
    let roof = field("roof_gb_s");
    assert!(roof < peak / 2.0, "{roof} of {peak}");
    let percent = field("bytes") / roof / row["us"]["p50"].as_f64().unwrap() / 10.0;
    let reported = row["percent"]["p50"].as_f64().unwrap();
    assert!((percent / reported - 1.0).abs() < 1e-6, "{percent}: {row}");
}

#[test]
fn without_peaks_the_first_kernel_on_a_gpu_is_of_the_shape_that_is_named() {
    let driver = driver_alone();
    let measured = |more: &[&str]| {
        let arguments = ["--device", "cuda:0", "--shape", "linear:5x67x40"];
        let mut command = command();
        command.env("LD_LIBRARY_PATH", driver.path()).args(QUICK);
        command.args(arguments).args(["--json", "-"]).args(more);
        command
    };
    let done = finish(&mut measured(&["--no-peaks"]));
    let result: Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(result["peaks"].is_null(), "{result}");
    let row = &result["rows"][0];
    assert!(row["us"]["p50"].as_f64().unwrap() > 0.0, "{row}");
    for absent in ["bound", "roof_gflop_s", "roof_gb_s", "percent"] {
        assert!(row.get(absent).is_none(), "{absent}: {row}");
    }
    assert!(!done.stderr.contains("limits:"), "{}", done.stderr);
    // A first kernel that fails is the row's; with peaks it is theirs.
    let failing = |more: &[&str]| finish(measured(more).env("GRADUS_SHIM_FAIL", FIRST_LAUNCH)).code;
    assert_eq!((failing(&["--no-peaks"]), failing(&[])), (Some(1), Some(0)));
    finish(command().args(["bench", "kernels", "--tiny", "--no-peaks"]))
        .complains(2, &["for GPUs"]);
    let row = only_row(&tiny_on_gpu(&[], &["--device", "cuda:0", "--no-peaks"]));
    assert!(row.get("percent").is_none(), "{row}");
}

#[test]
fn a_model_is_timed_on_a_gpu_and_its_loss_is_near_the_processors() {
    let nll = |row: &Value| row["eval"]["nll"].as_f64().unwrap();
    for adapters in [&[][..], &["--candidates", "3", "--rank", "5"]] {
        let cpu = only_row(&tiny_on_gpu(&[], adapters));
        let on_gpu = [&["--device", "cuda:0", "--repeat", "2"][..], adapters].concat();
        let gpu = only_row(&tiny_on_gpu(&[], &on_gpu));
        assert_eq!(gpu["shape"], cpu["shape"]);
        assert_eq!((&gpu["flop"], &gpu["bytes"]), (&cpu["flop"], &cpu["bytes"]));
        let candidates = if adapters.is_empty() { 1 } else { 3 };
        assert_eq!(gpu["eval"]["candidates"], candidates);
        assert_eq!(
            (&gpu["samples"], &gpu["eval"]["tokens"]),
            (&json!(2), &json!(85))
        );
        for phase in ["open", "read", "layers", "head", "close"] {
            assert!(gpu["eval"]["phases_s"][phase].is_f64(), "{phase}: {gpu}");
        }
        let apart = (nll(&gpu) - nll(&cpu)).abs();
        assert!(apart < 0.05 && apart > 0.0, "{apart}");
    }
}

#[test]
fn a_gpu_short_of_memory_evaluates_in_more_passes_to_the_same_bits() {
    let whole = only_row(&tiny_on_gpu(&[], &["--device", "cuda:0"]));
    assert_eq!(whole["eval"]["passes"], 1);
    for call in 1..200 {
        let fail = format!("cuMemAllocAsync:{call}");
        let done = tiny_on_gpu(&[("GRADUS_SHIM_FAIL", &fail)], &["--device", "cuda:0"]);
        if done.code != Some(0) {
            done.complains(1, &["out of device memory"]);
            continue;
        }
        let row = only_row(&done);
        assert_eq!(row["eval"]["nll"], whole["eval"]["nll"], "{fail}");
        if row["eval"]["passes"].as_u64() > Some(1) {
            return;
        }
    }
    panic!("no failed allocation was answered with less at a time");
}

#[test]
fn without_a_driver_no_model_is_timed_on_a_gpu_nor_written() {
    if gradus_shim::uses_real_driver() {
        println!("SKIPPED: this machine has a driver");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("model");
    let arguments = [
        "bench", "eval", "--shape", "tiny", "--device", "cuda:0", "--dir",
    ];
    finish(command().args(arguments).arg(&place)).complains(1, &["no CUDA driver", "libcuda.so.1"]);
    assert!(!place.exists());
    let done = finish(
        command()
            .args([
                "bench", "eval", "--shape", "tiny", "--device", "auto", "--dir",
            ])
            .arg(&place),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let done = finish(
        command()
            .args(["bench", "eval"])
            .arg(&place)
            .args(["--rows", "2", "--json", "-"]),
    );
    let row = only_row(&done);
    assert_eq!(row["eval"]["tokens"], 2 * 512, "ids lie beside it");
    let done = finish(
        command()
            .args(["bench", "eval", "--shape", "0.5b", "--dir"])
            .arg(&place),
    );
    done.complains(1, &["holds another model"]);
}
