//! The driver's files below `/proc`, as drivers of several ages write them.

use super::*;

#[test]
fn versions_of_both_kinds_of_modules_are_read() {
    for (text, version) in [
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22-I3-B17-02-5)  Tue Sep 23 09:55:41 UTC 2025\nGCC version:  gcc version 11.4.0\n",
            Some("580.95.05"),
        ),
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.135  Fri Jan 10 20:00:00 UTC 2025",
            Some("550.135"),
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module\nGCC version: gcc 12.2.0\n",
            None,
        ),
        ("GCC version: 12.2.0\n", None),
        ("NVRM version: 5.. .5 5.\n", None),
        ("", None),
    ] {
        assert_eq!(proc::driver_version(text), version, "{text}");
    }
}

#[test]
fn a_gpus_file_says_its_place_its_node_and_maybe_its_name() {
    let text = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 18\nGPU UUID: \t GPU-e953c3c5-dba7-029e-ce44-7b51417131df\n\
                Bus Type: \t PCIe\nBus Location: \t 0000:17:00.0\nDevice Minor: \t 5\nGPU Excluded:\t No\n";
    let read = proc::information(text).unwrap();
    assert_eq!((read.pci.as_str(), read.minor), ("0000:17:00.0", 5));
    assert_eq!(
        read.uuid.as_deref(),
        Some("GPU-e953c3c5-dba7-029e-ce44-7b51417131df")
    );
    // Before it is used for the first time.
    let unused = text.replace(
        "GPU-e953c3c5-dba7-029e-ce44-7b51417131df",
        "GPU-????????-????-????-????-????????????",
    );
    assert_eq!(proc::information(&unused).unwrap().uuid, None);
    assert_eq!(
        proc::information(&text.replace("Device Minor", "Minor")),
        None
    );
    assert_eq!(proc::information(&text.replace("\t 5\n", "\t x\n")), None);
}

#[test]
fn major_numbers_are_those_of_character_devices() {
    let text = "Character devices:\n  1 mem\n195 nvidia\n195 nvidia-modeset\n195 nvidiactl\n236 nvidia-caps\n506 nvidia-uvm\n\n\
                Block devices:\n  7 loop\n259 blkext\n";
    assert_eq!(proc::major(text, "nvidia-uvm"), Some(506));
    assert_eq!(proc::major(text, "nvidia"), Some(195));
    assert_eq!(proc::major(text, "nvidia-caps"), Some(236));
    assert_eq!(proc::major(text, "mem"), Some(1));
    assert_eq!(proc::major(text, "loop"), None);
    assert_eq!(proc::major(text, "nvidia-frontend"), None);
}

#[test]
fn minors_of_instances_are_read_from_what_a_machine_lists() {
    let text = "config 1\nmonitor 2\ngpu0/gi0/access 3\ngpu0/gi0/ci0/access 4\ngpu0/gi0/ci1/access 5\ngpu0/gi0/ci2/access 6\n\
                gpu3/gi3/ci5/access 441\ngpu6/gi11/ci7/access 920\ngpu31/gi14/ci7/access 4322\nnot a number\nalone\n\n";
    let minors = proc::mig_minors(text);
    assert_eq!(minors.len(), 9);
    assert_eq!(minors["config"], 1);
    assert_eq!(minors["gpu0/gi0/access"], 3);
    assert_eq!(minors["gpu31/gi14/ci7/access"], 4322);
}

#[test]
fn who_reads_the_parameters_makes_no_nodes() {
    let text = "ResmanDebugLevel: 4294967295\nModifyDeviceFiles: 1\nDeviceFileMode: 438";
    let params = proc::params(text);
    assert_eq!(
        params,
        "ResmanDebugLevel: 4294967295\nDeviceFileMode: 438\nModifyDeviceFiles: 0\n"
    );
    assert_eq!(proc::params(""), "ModifyDeviceFiles: 0\n");
}

#[test]
fn places_on_the_bus_are_compared_as_numbers() {
    assert!(proc::same_place("00000000:1A:00.0", "0000:1a:00.0"));
    assert!(!proc::same_place("00000001:1A:00.0", "0000:1a:00.0"));
    assert!(!proc::same_place("0000:1a:00.0", "0000:1b:00.0"));
    assert!(!proc::same_place("x", "x"));
}
