//! `gradus bench`: kernels and models measured, results compared. `gpu` has what is asked of a GPU.

mod gpu;

use crate::binary::{Finished, run};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const QUICK: [&str; 6] = ["bench", "kernels", "--seconds", "0", "--samples", "1"];

fn quick(more: &[&str]) -> Finished {
    run([&QUICK[..], more].concat())
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_family_of_the_cpu_is_right_and_has_a_time_a_rate_and_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let (json, svg) = (
        directory.path().join("r.json"),
        directory.path().join("r.svg"),
    );
    let outcome = quick(&[
        "--tiny",
        "--json",
        json.to_str().unwrap(),
        "--svg",
        svg.to_str().unwrap(),
    ]);
    assert_eq!(
        outcome.code,
        Some(0),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    let result = read(&json);
    assert_eq!(
        (&result["schema"], &result["version"]),
        (&json!("gradus-bench"), &json!(2))
    );
    let rows = result["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 18, "{result}");
    for row in rows {
        let number = |field: &Value| field.as_f64().unwrap();
        assert!(
            number(&row["us"]["p50"]) > 0.0 && number(&row["percent"]["p50"]) > 0.0,
            "{row}"
        );
        assert!(
            number(&row["flop"]) > 0.0 && number(&row["bytes"]) > 0.0,
            "{row}"
        );
        assert!(number(&row["worst_error"]) <= 1.0, "{row}");
    }
    let skipped = result["failures"].as_array().unwrap();
    assert!(
        skipped.iter().all(|failure| failure["skipped"] == true),
        "{result}"
    );
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.matches("<title>").count() == rows.len());
    assert!(
        !svg.contains("href") && !svg.contains("NaN"),
        "self-contained, and numbers only"
    );
}

#[test]
fn own_shapes_are_measured_from_arguments_and_files() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("shapes.toml");
    fs::write(
        &list,
        "shapes = [\"linear:5x67x40\", { family = \"rms_norm\", rows = 3, cols = 37 }]",
    )
    .unwrap();
    let outcome = quick(&["--shapes", list.to_str().unwrap(), "--json", "-"]);
    let result: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let shape = |row: usize| result["rows"][row]["shape"].as_str().unwrap().to_owned();
    assert_eq!(
        (shape(0), shape(1)),
        ("5x67x40".to_owned(), "3x37".to_owned())
    );
    assert!(
        outcome.stderr.contains("rms_norm"),
        "the table goes elsewhere: {}",
        outcome.stderr
    );
    let outcome = quick(&["--shape", "linear:5x66x40,gate=silu"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stdout);
    let advice = "measure linear and activation";
    assert!(outcome.stdout.contains(advice), "{}", outcome.stdout);
    let outcome = quick(&["--shape", "soft_cap:100", "--shape", "gather:3x5x8"]);
    assert_eq!(
        outcome.code,
        Some(1),
        "a shape that was asked for has no time"
    );
    assert!(
        outcome.stdout.contains("kernel of GPUs alone"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn arguments_that_do_not_fit_are_named_before_anything_is_measured() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bad = file(
        "bad.json",
        "{\"shapes\": [\"linear:1x2x3\", \"linear:1x2\"]}",
    );
    let no_list = file("none.json", "[]");
    let missing = directory.path().join("missing.json");
    for (arguments, code, expected) in [
        (vec!["--only", "matmul"], 2, "matmul"),
        (vec!["--shape", "linear:1x2"], 2, "takes 3 sizes"),
        (vec!["--shapes", &bad], 2, "shape 2"),
        (vec!["--shapes", &no_list], 2, "no list of shapes"),
        (
            vec!["--shapes", missing.to_str().unwrap()],
            2,
            "cannot be read",
        ),
        (
            vec!["--shape", "linear:1x2x3", "--only", "rope"],
            2,
            "none of the shapes",
        ),
        (vec!["--device", "tpu"], 2, "cuda:0"),
        (
            vec!["--json", "/nowhere/at/all.json"],
            1,
            "no file can be made",
        ),
        (
            vec!["--svg", directory.path().to_str().unwrap()],
            1,
            "is a directory",
        ),
    ] {
        let outcome = quick(&arguments);
        assert_eq!(
            outcome.code,
            Some(code),
            "{arguments:?}: {}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.contains(expected),
            "{arguments:?}: {}",
            outcome.stderr
        );
        assert_eq!(outcome.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_peer_that_was_not_built_in_is_a_usage_error_that_says_how_to_build_it() {
    for device in ["cpu", "cuda:0"] {
        let outcome = quick(&["--tiny", "--peer", "libtorch", "--device", device]);
        assert_eq!((outcome.code, &outcome.stdout[..]), (Some(2), ""));
        for part in ["without LibTorch", "torch 2.11.0", "--features libtorch"] {
            assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
        }
    }
    let outcome = quick(&["--tiny", "--peer", "jax"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("libtorch"), "{}", outcome.stderr);
}

#[test]
fn a_list_names_shapes_and_what_their_sizes_are() {
    let outcome = run(["bench", "kernels", "--list", "--only", "lora"]);
    assert_eq!(outcome.code, Some(0));
    assert!(
        outcome.stdout.starts_with("lora:")
            && outcome.stdout.contains("attention:headsxkv_headsxhead_dim")
    );
}

#[test]
fn comparing_tells_regressions_from_files_that_cannot_be_compared() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        let path = directory.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let outcome = quick(&["--shape", "soft_cap:4096", "--json", "-"]);
    let result: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let mut slower = result.clone();
    for part in ["p10", "p50", "p90"] {
        let us = result["rows"][0]["us"][part].as_f64().unwrap();
        slower["rows"][0]["us"][part] = json!(us * 1.5);
    }
    slower["machine"]["isa"] = json!("another");
    let mut of_model = result.clone();
    of_model["kind"] = json!("eval");
    let mut old = result.clone();
    old["version"] = json!(1);
    let names = [
        ("a", &result),
        ("b", &slower),
        ("c", &of_model),
        ("d", &old),
        ("e", &json!({})),
    ];
    let [a, b, c, d, e] = names.map(|(name, value)| write(name, value));
    let compare =
        |x: &str, y: &str, more: &[&str]| run([&["bench", "compare", x, y][..], more].concat());
    let found = compare(&a, &b, &[]);
    assert_eq!(found.code, Some(1), "{}", found.stdout);
    assert!(
        found.stdout.contains("1.500") && found.stdout.contains("SLOWER"),
        "{}",
        found.stdout
    );
    assert!(found.stdout.contains("differs: isa:"), "{}", found.stdout);
    assert_eq!(compare(&a, &b, &["--tolerance", "60"]).code, Some(0));
    assert_eq!(compare(&b, &a, &[]).code, Some(0));
    for (other, expected) in [
        (c, "of kernels and the second of eval"),
        (d, "gradus-bench"),
        (e, "has schema none"),
    ] {
        let found = compare(&a, &other, &[]);
        assert_eq!(found.code, Some(2), "{}", found.stderr);
        assert!(found.stderr.contains(expected), "{}", found.stderr);
    }
}

#[test]
fn a_model_of_a_shape_is_timed_and_one_without_ids_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.json");
    let shape = json!({"vocab_size": 301, "hidden_size": 96, "intermediate_size": 67, "num_hidden_layers": 2,
                       "num_attention_heads": 6, "num_key_value_heads": 2});
    fs::write(&config, shape.to_string()).unwrap();
    let outcome = run([
        "bench",
        "eval",
        "--shape",
        config.to_str().unwrap(),
        "--rows",
        "3",
        "--tokens",
        "17",
        "--json",
        "-",
    ]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let result: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let eval = &result["rows"][0]["eval"];
    assert_eq!(
        (&result["kind"], &eval["tokens"]),
        (&json!("eval"), &json!(51))
    );
    assert!(eval["nll"].as_f64().unwrap() > 0.0 && eval["tokens_per_s"].as_f64().unwrap() > 0.0);
    let outcome = run(["bench", "eval", directory.path().to_str().unwrap()]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("ids.json"), "{}", outcome.stderr);
    let outcome = run(["bench", "eval", "--shape", "9b"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("0.5b"), "{}", outcome.stderr);
}
