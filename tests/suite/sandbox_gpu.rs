//! `gradus sandbox run --gpu` over a driver that is files and a stand-in for the management library, as a user calls it.

use crate::binary::{Finished, gradus};
use gradus_nvml_stub::driver::{DriverRoot, Gpu, LIBRARIES};
use gradus_runtime::device::{Inventory, Lease, LeaseError, Nvml, StateDir};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const A: Gpu = Gpu {
    uuid: "GPU-aaaaaaaa-0000-0000-0000-000000000001",
    pci: "0000:1a:00.0",
    minor: 3,
};
const B: Gpu = Gpu {
    uuid: "GPU-bbbbbbbb-0000-0000-0000-000000000002",
    pci: "0000:2a:00.0",
    minor: 5,
};
const GIB: u64 = 1 << 30;
const TOTAL: u64 = 80 * GIB;

struct Place {
    folder: tempfile::TempDir,
    driver: DriverRoot,
}

/// The scenario of both GPUs: what is in use of the first one.
fn machine(used: u64, more: &str) -> String {
    format!(
        "gpu\nuuid {}\nbus 0000{}\nminor 3\nmemory {TOTAL} {used}\n{more}gpu\nuuid {}\nbus 0000{}\nminor 5\n",
        A.uuid, A.pci, B.uuid, B.pci
    )
}

impl Place {
    fn new() -> Option<Place> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let root = fs::read_to_string("/proc/self/status")
            .unwrap()
            .contains("\nUid:\t0\t0\t");
        let (true, Some(busybox)) = (root, busybox) else {
            println!(
                "skipped: jobs with GPUs are tried as root, with busybox (package busybox-static)"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(busybox, bin.join("busybox")).unwrap();
        for name in ["sh", "cat", "sleep", "ls", "echo"] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        let driver = DriverRoot::new(&[A, B]).expect("root makes device nodes");
        driver.change(&machine(GIB, ""));
        Some(Place { folder, driver })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (name, rest) = arguments.split_first().expect("a command");
        let mut command = Command::new(gradus());
        command
            .args(["sandbox", name, "--state"])
            .arg(self.path("state"))
            .env("GRADUS_STATE_DIR", self.path("gpus"));
        // Those that have to do with GPUs take it.
        if ["run", "gpus", "gc", "doctor"].contains(name) {
            command.arg("--driver-root").arg(self.driver.path());
        }
        command.args(rest);
        command
    }

    fn sandbox(&self, arguments: &[&str]) -> Finished {
        let output = self.command(arguments).output().unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn words<'a>(&self, rootfs: &'a str, options: &[&'a str], script: &'a str) -> Vec<&'a str> {
        let mut words = vec!["run", "--rootfs", rootfs];
        words.extend(options);
        words.extend(["--", "sh", "-c", script]);
        words
    }

    fn run(&self, options: &[&str], script: &str) -> Finished {
        let rootfs = self.path("rootfs");
        self.sandbox(&self.words(rootfs.to_str().unwrap(), options, script))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let finished = self.sandbox(arguments);
        serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", finished.stdout, finished.stderr))
    }

    /// The process id of the job `name`'s first process, once its GPU is watched.
    fn watched(&self, name: &str) -> u64 {
        until(|| {
            let notes = &self.json(&["inspect", name])["gpus"];
            notes[0]["seen"] == "watched"
        });
        self.json(&["inspect", name])["processes"]["init"]
            .as_u64()
            .unwrap()
    }

    fn state_of(&self, gpu: Gpu) -> Value {
        let rows = self.json(&["gpus", "--json"]);
        let mut rows = rows.as_array().unwrap().iter();
        rows.find(|row| row["uuid"] == gpu.uuid).unwrap().clone()
    }

    #[track_caller]
    fn is_free(&self, gpu: Gpu) {
        let state = self.state_of(gpu);
        assert!(
            state["held"].is_null() && state["quarantine"].is_null(),
            "{state}"
        );
    }
}

#[track_caller]
fn until(done: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < limit);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_job_has_its_gpu_and_gives_it_back() {
    let Some(place) = Place::new() else { return };
    let result = place.path("ended.json");
    let finished = place.run(
        &["--gpu", "GPU-aaaa", "--json", result.to_str().unwrap()],
        "ls /dev | cat; cat /proc/driver/nvidia/params; ls /usr/local/nvidia/lib64 | cat",
    );
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert!(
        lines.contains(&"nvidia3") && !lines.contains(&"nvidia5"),
        "{lines:?}"
    );
    assert!(lines.contains(&"ModifyDeviceFiles: 0") && lines.contains(&"libcuda.so.1"));
    assert_eq!(finished.stderr, "");
    let ended: Value = serde_json::from_str(&fs::read_to_string(result).unwrap()).unwrap();
    let notes = ended["gpus"].as_array().unwrap();
    assert_eq!(notes.last().unwrap()["seen"], "returned", "{ended}");
    place.is_free(A);
    assert_eq!(fs::read_dir(place.path("state/jobs")).unwrap().count(), 0);
    // And a plan says it without taking anything.
    let plan: Value =
        serde_json::from_str(&place.run(&["--gpu", A.uuid, "--dry-run"], "x").stdout).unwrap();
    assert_eq!(plan["gpus"][0]["minor"], 3);
    assert_eq!(plan["seccomp"], "trainer+gpu");
    place.is_free(A);
}

#[test]
fn who_takes_more_than_granted_is_ended_within_two_looks() {
    let Some(place) = Place::new() else { return };
    let options = [
        "--name",
        "greedy",
        "--gpu",
        A.uuid,
        "--gpu-memory",
        "2GiB",
        "--detach",
    ];
    let finished = place.run(&options, "sleep 100");
    assert_eq!(finished.stdout, "greedy\n", "{}", finished.stderr);
    let pid = place.watched("greedy");
    let table = place.sandbox(&["gpus"]).stdout;
    assert!(
        table.contains("held by job greedy\n") && table.contains("free"),
        "{table}"
    );
    let refused = place.run(&["--gpu", A.uuid], "true");
    assert_eq!(refused.code, Some(125));
    assert!(
        refused.stderr.contains("is held by job"),
        "{}",
        refused.stderr
    );
    // An evaluation gets it no more than a job does.
    let state = StateDir::new(place.path("gpus"));
    let library = place
        .driver
        .path()
        .join(LIBRARIES)
        .join("libnvidia-ml.so.1");
    let nvml = Nvml::load_from(library.as_os_str()).unwrap();
    let inventory = Inventory::read(&nvml, Some(&state));
    let lease = Lease::take(
        &state,
        &inventory,
        &nvml,
        &A.uuid.parse().unwrap(),
        "a test",
    );
    match lease {
        Err(LeaseError::Held { holder, .. }) => assert_eq!(holder.purpose, "sandbox job greedy"),
        other => panic!("{other:?}"),
    }

    let over = 2 * GIB + 1;
    place
        .driver
        .change(&machine(GIB + over, &format!("process {pid} {over}\n")));
    let begun = Instant::now();
    until(|| place.json(&["inspect", "greedy"])["state"] == "ended");
    let took = begun.elapsed();
    place.driver.change(&machine(GIB, ""));
    let inspected = place.json(&["inspect", "greedy"]);
    assert_eq!(
        inspected["ended"]["outcome"]["kind"], "gpu_memory",
        "{inspected}"
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
    println!("ended {took:?} after its memory was over the limit");
    until(|| place.state_of(A)["held"].is_null());
    place.is_free(A);
    let removed = place.sandbox(&["gc"]);
    assert_eq!(
        removed.stdout, "greedy: too much GPU memory\n",
        "{}",
        removed.stderr
    );
}

#[test]
fn what_a_job_leaves_behind_keeps_the_gpu_from_others_until_somebody_has_looked() {
    let Some(place) = Place::new() else { return };
    // Held by nobody that can be seen, from a moment after the start on.
    place.driver.change(&format!(
        "{}after 300\n{}",
        machine(GIB, ""),
        machine(9 * GIB, "")
    ));
    let finished = place.run(
        &["--gpu", A.uuid, "--gpu-wait", "200ms"],
        "sleep 0.6; exit 7",
    );
    assert_eq!(finished.code, Some(7), "{}", finished.stderr);
    assert!(
        finished
            .stderr
            .contains("in quarantine: memory was not given back"),
        "{}",
        finished.stderr
    );
    place.driver.change(&machine(GIB, ""));
    let refused = place.run(&["--gpu", A.uuid], "true");
    assert_eq!(refused.code, Some(125));
    assert!(
        refused.stderr.contains("gradus sandbox gpus release"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        place.state_of(A)["quarantine"]["why"]["kind"],
        "memory_not_returned"
    );
    let doctor = place.sandbox(&["doctor"]).stdout;
    assert!(
        doctor.contains("is in quarantine: memory was not given back"),
        "{doctor}"
    );
    assert_eq!(place.sandbox(&["gpus", "release", A.uuid]).code, Some(0));
    assert_eq!(place.sandbox(&["gpus", "release", A.uuid]).code, Some(125));
    assert_eq!(place.run(&["--gpu", A.uuid], "true").code, Some(0));
}

#[test]
fn a_stranger_and_a_library_that_fails_are_in_the_record() {
    let Some(place) = Place::new() else { return };
    let own = std::process::id();
    place.run(
        &[
            "--name",
            "beside",
            "--gpu",
            A.uuid,
            "--gpu-wait",
            "500ms",
            "--detach",
        ],
        "sleep 100",
    );
    place.watched("beside");
    let seen = |what: &str| {
        let inspected = place.json(&["inspect", "beside"]);
        let notes = inspected["gpus"].as_array().unwrap();
        notes.iter().any(|note| note["seen"] == what)
    };
    place
        .driver
        .change(&machine(2 * GIB, &format!("process {own} {GIB}\n")));
    until(|| seen("foreign"));
    // The driver is unloaded and loaded again.
    place.driver.change(
        "init 9\nerror nvmlDeviceGetMemoryInfo_v2 999\nerror nvmlDeviceGetHandleByUUID 999\n",
    );
    until(|| seen("unwatched"));
    place.driver.change(&machine(GIB, ""));
    until(|| seen("watched_again"));
    place.driver.change(&machine(GIB, "lost_after 0\n"));
    until(|| seen("lost"));
    assert_eq!(
        place.sandbox(&["kill", "--grace", "0s", "beside"]).code,
        Some(0)
    );
    until(|| seen("quarantined"));
    place.driver.change(&machine(GIB, ""));
    assert_eq!(place.state_of(A)["quarantine"]["why"]["kind"], "lost");
    place.sandbox(&["gc"]);
}

#[test]
fn a_keeper_or_a_supervisor_that_is_killed_leaves_the_gpu_held_until_it_is_back() {
    let Some(place) = Place::new() else { return };
    place.run(
        &["--name", "kept", "--gpu", A.uuid, "--detach"],
        "sleep 100",
    );
    place.watched("kept");
    let keeper = place.json(&["inspect", "kept"])["gpus"][0]["keeper"]
        .as_u64()
        .unwrap();
    let kill = |pid: u64| {
        Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .unwrap()
    };
    assert!(kill(keeper).success());
    until(|| place.state_of(A)["kept"] == false);
    let table = place.sandbox(&["gpus"]).stdout;
    assert!(
        table.contains("nobody watches: `gradus sandbox gc` takes it up"),
        "{table}"
    );
    assert_eq!(place.run(&["--gpu", A.uuid], "true").code, Some(125));
    let taken_up = place.sandbox(&["gc"]);
    assert_eq!(
        taken_up.stdout, "kept: its GPUs are watched again\n",
        "{}",
        taken_up.stderr
    );
    until(|| place.state_of(A)["kept"] == true);
    place.sandbox(&["kill", "--grace", "0s", "kept"]);
    until(|| place.state_of(A)["held"].is_null());
    place.is_free(A);
    place.sandbox(&["gc"]);

    // In the foreground: another keeper takes over by itself, and none is needed when all are gone.
    let rootfs = place.path("rootfs");
    let options = ["--name", "fore", "--gpu", A.uuid];
    let words = place.words(rootfs.to_str().unwrap(), &options, "sleep 100");
    let mut supervisor = place
        .command(&words)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until(|| place.sandbox(&["inspect", "fore"]).code == Some(0));
    place.watched("fore");
    let keepers = || -> Vec<u64> {
        let inspected = place.json(&["inspect", "fore"]);
        let notes = inspected["gpus"].as_array().unwrap().iter();
        notes.filter_map(|note| note["keeper"].as_u64()).collect()
    };
    assert!(kill(keepers()[0]).success());
    until(|| keepers().len() == 2);
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    assert!(kill(keepers()[1]).success());
    let watcher = place.json(&["inspect", "fore"])["processes"]["watcher"]
        .as_u64()
        .unwrap();
    assert!(kill(watcher).success());
    until(|| {
        place.sandbox(&["gc"]);
        place.state_of(A)["held"].is_null()
    });
    place.is_free(A);
    assert_eq!(fs::read_dir(place.path("state/jobs")).unwrap().count(), 0);
}

#[test]
fn an_instance_is_found_by_what_nvidia_smi_says_of_it() {
    let Some(place) = Place::new() else { return };
    let part = "MIG-cccccccc-0000-0000-0000-000000000003";
    place.driver.change(&machine(
        GIB,
        &format!("slice {part} 1g.10gb {} 0\n", 10 * GIB),
    ));
    place.driver.write(
        "usr/lib/nvidia-smi.xml",
        "<gpu id=\"00000000:1A:00.0\"><mig_devices><mig_device><index>0</index><gpu_instance_id>1</gpu_instance_id>\
         <compute_instance_id>0</compute_instance_id></mig_device></mig_devices></gpu>",
    );
    place.driver.write(
        "proc/driver/nvidia-caps/mig-minors",
        "config 1\nmonitor 2\ngpu3/gi1/access 12\ngpu3/gi1/ci0/access 13\n",
    );
    let refused = place.run(&["--gpu", A.uuid], "true");
    assert!(refused.stderr.contains(part), "{}", refused.stderr);
    let finished = place.run(
        &["--gpu", part],
        "ls /dev/nvidia-caps | cat; cat /proc/driver/nvidia-caps/mig-minors",
    );
    assert_eq!(
        finished.stdout, "nvidia-cap12\nnvidia-cap13\ngpu3/gi1/access 12\ngpu3/gi1/ci0/access 13\n",
        "{}",
        finished.stderr
    );
}

#[test]
fn a_driver_that_is_not_as_it_should_be_is_the_hosts_fault_and_nothing_starts() {
    let Some(place) = Place::new() else { return };
    place.driver.library("libcuda", "590.44.01");
    let refused = place.run(&["--gpu", A.uuid], "true");
    assert_eq!(refused.code, Some(125));
    assert!(
        refused.stderr.contains("590.44.01") && refused.stderr.contains("reboot"),
        "{}",
        refused.stderr
    );
    fs::remove_file(place.driver.path().join("proc/driver/nvidia/version")).unwrap();
    let refused = place.run(&["--gpu", A.uuid], "true");
    assert!(
        refused.stderr.contains("modprobe nvidia"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_dir(place.path("state/jobs")).unwrap().count(), 0);
    // A program that is not there gives the GPU back at once.
    let Some(place) = Place::new() else { return };
    let rootfs = place.path("rootfs");
    let words = [
        "run",
        "--rootfs",
        rootfs.to_str().unwrap(),
        "--gpu",
        A.uuid,
        "--",
        "/none",
    ];
    assert_eq!(place.sandbox(&words).code, Some(127));
    place.is_free(A);
}
