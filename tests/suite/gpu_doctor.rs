//! What `gradus doctor` says of GPUs that a stand-in for the management library shows.

use crate::binary::{Finished, command, finish, run};
use gradus_nvml_stub::{Stub, Variant};
use serde_json::Value;
use std::path::Path;

fn doctor(stub: &Stub, state: &Path, arguments: &[&str]) -> Finished {
    finish(
        command()
            .arg("doctor")
            .args(arguments)
            .env("LD_LIBRARY_PATH", stub.path())
            .env("GRADUS_STATE_DIR", state),
    )
}

fn text(variant: Variant, scenario: &str) -> String {
    let (stub, state) = (
        Stub::new(variant, scenario),
        tempfile::tempdir().expect("a directory"),
    );
    let done = doctor(&stub, state.path(), &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    done.stdout
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn every_gpu_has_a_line_and_its_faults_below() {
    let text = text(
        Variant::Current,
        "gpu\ntemperature 41 87\ngpu\nname Tesla T4\ncapability 7 5\nno_remapping\n\
         gpu\necc 1 0 2 0 2\nxid 48\ngpu\nremapped 0 1 1 0\ngpu\nlost_after 0\n",
    );
    says(
        &text,
        &[
            "GPU 0       NVIDIA H100 80GB HBM3, compute 9.0",
            "41 °C, 70 W: ready",
            "GPU 1       Tesla T4, compute 7.5",
            "kernels need 8.0",
            "2 memory errors that ECC could not repair",
            "Xid 48: uncorrectable memory error",
            "replaced at the next reset",
            "GPU 4       unknown GPU: unusable",
            "fell off the bus",
            "GPU 0 can evaluate, GPU 3 with the limits above (driver 580.95.05, CUDA 13.0)",
        ],
    );
    assert!(!text.contains("CPU only"), "{text}");
}

#[test]
fn a_driver_that_cannot_load_the_kernels_is_named_with_the_one_to_install() {
    let old = text(Variant::Current, "driver 575.57.08\ncuda 12090\ngpu\n");
    says(
        &old,
        &["driver 575.57.08 does not load CUDA 13 kernels; install driver 580 or newer"],
    );
    let older = text(Variant::Old, "driver 470.256.02\ncuda 11040\ngpu\n");
    says(
        &older,
        &[
            "driver 470.256.02 does not load",
            "memory is unknown: the driver is too old to tell",
        ],
    );
}

#[test]
fn a_library_that_lacks_functions_is_a_reason_and_no_panic() {
    says(
        &text(Variant::Alien, ""),
        &["GPU evaluation", "evaluation runs on the CPU"],
    );
    says(&text(Variant::Bare, "gpu\n"), &["shows no GPU"]);
    let stub = Stub::new(Variant::Current, "init 9\n");
    let done = doctor(&stub, stub.path(), &["--json"]);
    let report: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(report["gpus"]["nvml"]["kind"], "driver_not_loaded");
    let alien = Stub::new(Variant::Alien, "");
    let done = doctor(&alien, alien.path(), &["--json"]);
    let report: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(report["gpus"]["nvml"]["kind"], "not_nvml");
}

#[test]
fn programs_get_everything_and_a_current_library_answers_all() {
    let stub = Stub::new(
        Variant::Current,
        "process_name 4242 python\ngpu\nprocess 4242 1073741824\nlink 0 00000000:2A:00.0\n\
         link 1 00000000:2A:00.0\necc 1 5 0 9 1\nclocks 1755 2619 1980 2619\n\
         gpu\nslice MIG-11111111-2222 1g.10gb 10737418240 0\n",
    );
    let state = tempfile::tempdir().expect("a directory");
    let done = doctor(&stub, state.path(), &["--json"]);
    let report: Value = serde_json::from_str(&done.stdout).expect("JSON");
    let (first, second) = (&report["gpus"]["devices"][0], &report["gpus"]["devices"][1]);
    for gpu in [first, second] {
        assert_eq!(gpu["unreadable"], Value::Array(Vec::new()), "{gpu}");
    }
    assert_eq!(first["processes"][0]["name"], "python");
    assert_eq!(first["processes"][0]["memory"], 1_u64 << 30);
    assert_eq!(first["nvlink"][0]["gpu"], 1);
    assert_eq!(first["nvlink"][0]["links"], 2);
    assert_eq!(first["ecc"]["volatile"]["corrected"], 5);
    assert_eq!(first["ecc"]["aggregate"]["uncorrected"], 1);
    assert_eq!(first["clocks"]["sm_mhz"], 1755);
    assert_eq!(first["clocks"]["sm_mhz_max"], 1980);
    assert_eq!(first["pci_bus_id"], "00000000:1A:00.0");
    assert_eq!(first["health"]["verdict"], "degraded");
    assert_eq!(second["mig"]["instances"][0]["profile"], "1g.10gb");
    assert_eq!(second["support"]["kind"], "supported");
}

#[test]
fn a_mig_instance_has_a_line_that_says_how_to_get_it() {
    let text = text(
        Variant::Current,
        "gpu\nslice MIG-11111111-2222 1g.10gb 10737418240 1073741824\ngpu\nmig 1 1\ngpu\n",
    );
    says(
        &text,
        &[
            "1 MIG instance: ready",
            "MIG 1g.10gb, 9.00 GiB of 10.00 GiB free: CUDA_VISIBLE_DEVICES=MIG-11111111-2222",
            "0 MIG instances: unusable",
            "MIG is on and this process sees no instance",
            "GPUs 0 (by MIG instance), 2 can evaluate",
        ],
    );
}

#[test]
fn what_an_answer_is_missing_is_said_beside_the_gpu() {
    let text = text(
        Variant::Current,
        "gpu\nerror nvmlDeviceGetPowerUsage 4\nname evil\u{1b}[2J\n",
    );
    says(
        &text,
        &["power is unknown: this user may not ask", "degraded"],
    );
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_quarantine_is_shown_until_it_is_cleared() {
    let uuid = "GPU-00000001-aaaa-bbbb-cccc-000000000000";
    let stub = Stub::new(Variant::Current, "gpu\n");
    let state = tempfile::tempdir().expect("a directory");
    let directory = state.path().join("quarantine");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::write(directory.join(format!("{uuid}.json")), "damaged").expect("a file");
    let before = doctor(&stub, state.path(), &[]);
    says(&before.stdout, &["in quarantine", uuid, "unusable"]);
    let cleared = doctor(&stub, state.path(), &["--clear-quarantine", uuid]);
    assert_eq!(cleared.code, Some(0), "{}", cleared.stderr);
    says(&cleared.stdout, &["GPU 0 can evaluate"]);
    doctor(&stub, state.path(), &["--clear-quarantine", uuid])
        .complains(1, &["is not in quarantine"]);
}

#[test]
fn a_gpu_that_cannot_be_listened_to_does_not_silence_the_others() {
    let text = text(
        Variant::Current,
        "gpu\nxid 31\ngpu\nerror nvmlDeviceRegisterEvents 3\ngpu\nxid 79\nxid 43\n",
    );
    says(
        &text,
        &["Xid 31", "Xid 43", "Xid 79: GPU has fallen off the bus"],
    );
    says(&text, &["GPUs 0, 1 can evaluate"]);
}

#[test]
fn without_any_library_doctor_ends_well() {
    let done = run(["doctor"]);
    assert_eq!(done.code, Some(0));
    says(&done.stdout, &["GPU evaluation"]);
}
