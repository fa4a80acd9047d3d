//! A pass that is given up half-way gives back what it holds: the next one on the same executor has everything again.

use super::*;
use std::process::Command;

const FAIL: &str = "GRADUS_SHIM_FAIL";

/// One pass over all rows, or why it was given up.
fn pass(executor: &mut GpuExecutor) -> Result<Vec<Vec<RowResult>>, DeviceError> {
    let (mut group, rows) = llama(&["lora", "lora-embedding", "lora-saved-head", "lora-dora"]);
    let chunk = order(&[&group.model], &rows).next_chunk(1000).unwrap();
    match run_chunk(executor, &mut group, &chunk, &Against::First, &mut Quiet) {
        Ok(pass) => Ok(pass.results.into_iter().map(Option::unwrap).collect()),
        Err(PassError::Device(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn passes_until_no_allocation_fails_any_more() {
    if std::env::var_os(FAIL).is_none() {
        println!("SKIPPED: for the test below, in a process of its own");
        return;
    }
    let gpu = &gpus()[0];
    let mut executor = GpuExecutor::new(gpu, 48).unwrap();
    // Some rows of the embedding at a time.
    executor.embedding_block = 1000;
    let (mut given_up, mut before) = (0, None);
    let numbers = loop {
        match pass(&mut executor) {
            // Twice in a row: every failure has happened.
            Ok(numbers) if before.as_ref() == Some(&numbers) => break numbers,
            Ok(numbers) => before = Some(numbers),
            Err(error) => {
                assert!(error.is_out_of_memory(), "{error}");
                given_up += 1;
                before = None;
            }
        }
        assert_eq!(
            executor.held(),
            0,
            "after {given_up} passes that were given up"
        );
    };
    drop(executor);
    let fresh = pass(&mut GpuExecutor::new(gpu, 48).unwrap()).unwrap();
    assert!(fresh == numbers, "other bits");
    println!("given up: {given_up}");
}

#[test]
fn a_pass_after_one_that_is_given_up_at_any_allocation_has_all_slots_and_gives_the_same_bits() {
    // A pass each: the first allocations are the executor's own.
    let calls = (0..12).scan(9, |call, i| {
        *call += 2 + 15 * i;
        Some(format!("cuMemAllocAsync:{call}"))
    });
    let calls = calls.collect::<Vec<_>>().join(",");
    for capability in ["9.0", "8.0"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("engine::tests::given_up::passes_until_no_allocation_fails_any_more")
            .env("GRADUS_DEVICE", "emulated")
            .env("GRADUS_SHIM_CAPABILITY", capability)
            .env(FAIL, &calls)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout).into_owned();
        let errors = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{capability}: {text}{errors}");
        assert!(text.contains("given up: 12"), "{capability}: {text}");
    }
}
