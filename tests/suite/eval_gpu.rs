//! Evaluations by the binary on the emulated driver: the same bits whatever goes wrong underneath, or a failure that is named.

use crate::binary::{Finished, command, example, finish};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The example's base and one of its adapters on a few of its rows.
struct Task {
    directory: TempDir,
}

impl Task {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rows: Vec<Value> =
            serde_json::from_slice(&std::fs::read(example("data/eval.json")).unwrap()).unwrap();
        let mut task: Value =
            serde_json::from_slice(&std::fs::read(example("task.json")).unwrap()).unwrap();
        task["base_model"] = json!(example("model").canonicalize().unwrap());
        task["dataset"] = json!({"path": "rows.json", "format": "json"});
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("rows.json"), json!(rows[..4]).to_string()).unwrap();
        std::fs::write(path("task.json"), task.to_string()).unwrap();
        Self { directory }
    }

    fn result(&self) -> PathBuf {
        self.directory.path().join("result.json")
    }

    /// On the emulated driver, with `variables`.
    fn command(&self, device: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = command();
        command
            .env("LD_LIBRARY_PATH", gradus_shim::library_dir())
            .envs(variables.iter().copied())
            .arg("eval")
            .arg(self.directory.path().join("task.json"))
            .arg("-c")
            .arg(example("candidates/careful"))
            .args(["--device", device, "--json"])
            .arg(self.result());
        command
    }

    /// As [`Task::command`] says, to its end.
    fn evaluate(&self, device: &str, variables: &[(&str, &str)]) -> Finished {
        let _ = std::fs::remove_file(self.result());
        finish(self.command(device, variables).arg("--quiet"))
    }

    /// As [`Task::evaluate`], which must score; the rows' losses and the numeric contract.
    #[track_caller]
    fn losses(&self, device: &str, variables: &[(&str, &str)]) -> (Value, Value) {
        let done = self.evaluate(device, variables);
        assert_eq!(done.code, Some(0), "{variables:?}: {}", done.stderr);
        self.scored()
    }

    fn scored(&self) -> (Value, Value) {
        let result: Value = serde_json::from_slice(&std::fs::read(self.result()).unwrap()).unwrap();
        let losses = result["candidates"][0]["result"]["per_example_losses"].clone();
        assert_eq!(losses.as_array().map(Vec::len), Some(4));
        (losses, result["provenance"]["numerics"].clone())
    }
}

const TWO: (&str, &str) = ("GRADUS_SHIM_CAPABILITY", "9.0,9.0");

#[test]
fn each_kind_of_gpu_has_a_contract_of_its_own_and_two_of_a_kind_have_one() {
    let task = Task::new();
    let hopper = task.losses("cuda:0", &[TWO]);
    assert_eq!(hopper.1, "bf16-sm90-1");
    assert_eq!(task.losses("cuda:0,1", &[TWO]), hopper);
    assert_eq!(task.losses("auto", &[TWO]), hopper);
    let reversed = [TWO, ("GRADUS_SHIM_ORDER", "reverse")];
    assert_eq!(task.losses("cuda:0", &reversed), hopper, "a race");
    let older = task.losses("cuda:0", &[("GRADUS_SHIM_CAPABILITY", "8.6")]);
    assert_eq!(older.1, "bf16-sm80-1");
    let portable = [TWO, ("GRADUS_PORTABLE_KERNELS", "1")];
    assert_eq!(task.losses("cuda:0", &portable), older);
    task.evaluate("cuda:0,1", &[("GRADUS_SHIM_CAPABILITY", "9.0,8.0")])
        .complains(1, &["cannot be in one result"]);
}

#[test]
fn an_allocation_that_fails_is_tried_with_less_or_named_and_changes_no_bit() {
    let task = Task::new();
    let want = task.losses("cuda:0", &[]);
    let mut scored = 0;
    for call in [1, 2, 5, 9, 14, 20, 27, 40, 60, 90] {
        let fail = format!("cuMemAllocAsync:{call}");
        let done = task.evaluate("cuda:0", &[("GRADUS_SHIM_FAIL", &fail)]);
        if done.code == Some(0) {
            scored += 1;
            assert_eq!(task.scored(), want, "{fail}");
        } else {
            done.complains(1, &["out of device memory"]);
            assert!(!task.result().exists(), "{fail}");
        }
    }
    assert!(scored > 0, "no failed allocation was survived");
}

#[test]
fn a_gpu_that_is_lost_leaves_its_work_to_the_other_one_and_takes_the_run_with_it_if_alone() {
    let task = Task::new();
    let want = task.losses("cuda:0", &[TWO]);
    for lost in ["0:0", "1:3", "0:17"] {
        let got = task.losses("cuda:0,1", &[TWO, ("GRADUS_SHIM_LOST", lost)]);
        assert_eq!(got, want, "{lost}");
    }
    task.evaluate("cuda:0", &[("GRADUS_SHIM_LOST", "0:17")])
        .complains(1, &["GPU 0 is lost", "CUDA_ERROR_ECC_UNCORRECTABLE"]);
    let unready = [TWO, ("GRADUS_SHIM_FAIL", "cuStreamCreate:1")];
    assert_eq!(task.losses("cuda:0,1", &unready), want, "one cannot begin");
}

#[test]
fn a_gpu_that_cannot_be_used_is_named_with_what_to_do() {
    let task = Task::new();
    let old = [("GRADUS_SHIM_CAPABILITY", "7.5")];
    task.evaluate("cuda:0", &old)
        .complains(1, &["compute capability 7.5", "8.0 or newer"]);
    task.evaluate("cuda:7", &[])
        .complains(1, &["there is no GPU 7"]);
    task.evaluate("cuda:0", &[("GRADUS_SHIM_MEMORY", "200000000")])
        .complains(1, &["the longest row", "--device cpu"]);
    assert_eq!(task.losses("auto", &old).1, "f32-1", "auto goes without");
    for text in ["gpu", "cuda:0,0"] {
        assert_eq!(task.evaluate(text, &[]).code, Some(2));
    }
}

#[test]
fn without_a_driver_a_gpu_is_refused_and_auto_computes_on_the_processors() {
    if gradus_shim::uses_real_driver() {
        println!("SKIPPED: this machine has a driver");
        return;
    }
    let run = |device: &str| finish(command().args(["eval", "--quiet", "--device", device]));
    run("cuda:0").complains(1, &["no CUDA driver", "libcuda.so.1"]);
    assert_eq!(run("auto").code, Some(0));
}

#[test]
fn memory_too_small_for_the_buffers_of_a_gpu_is_named_with_what_is_enough() {
    let done = finish(
        command()
            .env("LD_LIBRARY_PATH", gradus_shim::library_dir())
            .args(["eval", "--quiet", "--device", "cuda:0", "--memory", "1MiB"]),
    );
    let parts = ["(layers ", "head ", "embedding ", "the process "];
    done.complains(1, &["buffers between the files and 1 GPU(s)", "--memory "]);
    done.complains(1, &parts);
}

#[test]
fn host_memory_that_cannot_be_locked_is_named() {
    let task = Task::new();
    for call in [1, 3] {
        let fail = format!("cuMemHostAlloc:{call}");
        task.evaluate("cuda:0", &[("GRADUS_SHIM_FAIL", &fail)])
            .complains(1, &["locking", "bytes of host memory"]);
        assert!(!task.result().exists(), "{fail}");
    }
}

#[test]
fn a_plan_for_a_gpu_says_what_binds() {
    let done = finish(
        command()
            .env("LD_LIBRARY_PATH", gradus_shim::library_dir())
            .args(["eval", "--device", "cuda:0", "--explain"]),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for text in [
        "cuda:0 Emulated sm_90",
        "host memory",
        "embedding ",
        "floors",
        "arithmetic",
        "bound by",
    ] {
        assert!(done.stdout.contains(text), "{text}: {}", done.stdout);
    }
}

#[test]
fn the_end_says_what_was_reached_of_the_floor_and_no_result_does() {
    let task = Task::new();
    let mut command = task.command("cuda:0", &[]);
    // Else the result says what this machine has free just now.
    command.args(["--memory", "1GiB"]);
    let events = finish(&mut command).events();
    let end = events.last().unwrap();
    let number = |name: &str| {
        let value = end[name].as_f64();
        value.unwrap_or_else(|| panic!("{name}: {end}"))
    };
    assert_eq!(end["event"], "finished");
    let share = number("floor_s") / number("seconds");
    assert!((number("of_floor") / share - 1.0).abs() < 1e-9, "{end}");
    assert!((number("tokens") / number("seconds") / number("tokens_per_s") - 1.0).abs() < 1e-9);
    let first = std::fs::read_to_string(task.result()).unwrap();
    finish(&mut command);
    assert_eq!(std::fs::read_to_string(task.result()).unwrap(), first);
}

#[test]
fn two_processes_on_one_gpu_with_little_memory_give_the_bits_of_one_alone() {
    // Each process has an emulated memory of its own: this is what both have left, not that they take it from each other.
    let little = [("GRADUS_SHIM_MEMORY", "600000000")];
    let (first, second) = (Task::new(), Task::new());
    let want = first.losses("cuda:0", &[]);
    std::fs::remove_file(first.result()).unwrap();
    let both: Vec<_> = [&first, &second]
        .map(|task| {
            let mut command = task.command("cuda:0", &little);
            command.arg("--quiet").stdout(Stdio::null()).spawn()
        })
        .into_iter()
        .collect();
    for process in both {
        assert!(process.unwrap().wait().unwrap().success());
    }
    assert_eq!(first.scored(), want);
    assert_eq!(second.scored(), want);
}

#[test]
fn a_mig_instance_gives_the_bits_of_the_whole_gpu_and_is_named() {
    let task = Task::new();
    let want = task.losses("cuda:0", &[]);
    let slice = [
        ("GRADUS_SHIM_MIG", "1g.10gb"),
        ("GRADUS_SHIM_MEMORY", "600000000"),
    ];
    assert_eq!(task.losses("cuda:0", &slice), want);
    let result: Value = serde_json::from_slice(&std::fs::read(task.result()).unwrap()).unwrap();
    assert_eq!(
        result["provenance"]["device"],
        "cuda:0 Emulated sm_90 MIG 1g.10gb"
    );
    task.evaluate("MIG-11111111-2222", &[])
        .complains(2, &["CUDA_VISIBLE_DEVICES=MIG-11111111-2222"]);
}
