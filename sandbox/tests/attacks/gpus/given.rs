//! What a job with a GPU has of it.

use std::fs;

use gradus_sandbox::sandbox::Started;
use gradus_sandbox::seccomp::Policy;

use super::place::{A, B, Place};

/// The rule, and not only a number that every job has, is what lets a job open its GPU.
#[test]
fn its_own_gpu_is_what_the_rule_opens() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let script = "[ -c /dev/nvidia11 ] && exec 3> /dev/nvidia11 && echo opened";
    let job = place.shell("other", script);
    let (mut started, grant) = place.start(&job, B, None);
    started.wait().unwrap();
    assert_eq!(place.arena.printed("other"), "opened\n");
    grant.hand_over();
    place.keep("other");
    place.arena.remove("other");
    assert_eq!(place.prints("own", script), "");
}

/// What the filters answer is asked by `sandbox/tests/seccomp`; here, that a job has the right ones.
#[test]
fn the_drivers_commands_are_for_jobs_with_a_gpu() {
    let Some(place) = Place::new() else { return };
    let job = place.arena.job("commands", &["wait-for", "ms=60000"]);
    let mut own = place.sandbox().start(&job).unwrap();
    let given = |started: &Started| {
        let watcher = started.processes.watcher;
        let file = fs::read_link(format!("/proc/{watcher}/fd/1")).unwrap();
        fs::read(file).unwrap()
    };
    let expected = |policy: Policy| {
        let mut bytes = Vec::new();
        let programs = policy.compile().unwrap().programs;
        gradus_jail::watcher::write_filters(&mut bytes, &programs).unwrap();
        bytes
    };
    assert!(given(&own) == expected(Policy::trainer()));
    place.end("commands");
    own.wait().unwrap();
    place.arena.remove("commands");
    let (mut started, grant) = place.start(&job, A, None);
    assert!(given(&started) == expected(Policy::trainer_with_gpu()));
    place.end("commands");
    started.wait().unwrap();
    grant.hand_over();
    place.keep("commands");
    place.arena.remove("commands");
}

#[test]
fn a_job_sees_its_driver_and_no_other_gpu_of_it() {
    let Some(place) = Place::with_shell() else {
        return;
    };
    let text = place.prints(
        "sees",
        "find /proc/driver /dev -name '*nvidia*' -o -path '/proc/driver/*' -type f; cat /proc/driver/nvidia/params; \
         cat /usr/local/nvidia/lib64/libcuda.so.1 /usr/local/nvidia/lib64/libcuda.so; echo; readlink /usr/local/nvidia/lib64/libnvidia-nvvm.so.4; \
         echo $LD_LIBRARY_PATH $PATH; echo x > /usr/local/nvidia/lib64/libcuda.so.580.95.05; echo x > /usr/local/nvidia/x; \
         echo x > /proc/driver/nvidia/params; ls /usr/local/nvidia /usr/local/nvidia/bin",
    );
    let lines: Vec<&str> = text.lines().collect();
    let nodes: Vec<&&str> = lines
        .iter()
        .filter(|line| line.starts_with("/dev"))
        .collect();
    assert_eq!(nodes.len(), 3, "{text}");
    assert!(
        !text.contains("nvidia11") && !text.contains("0000:2a"),
        "{text}"
    );
    for line in [
        "/proc/driver/nvidia/gpus/0000:1a:00.0/information",
        "ModifyDeviceFiles: 0",
        "libcudalibcuda",
        "libnvidia-nvvm.so.580.95.05",
        "/usr/local/nvidia/lib64 /bin:/usr/local/nvidia/bin",
        "nvidia-smi",
    ] {
        assert!(lines.contains(&line), "{line} is not in: {text}");
    }
    assert!(!lines.contains(&"ModifyDeviceFiles: 1"));
    assert!(
        !lines.contains(&"x"),
        "it wrote to what is read-only: {text}"
    );
    let library = place
        .root
        .path()
        .join("usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05");
    assert_eq!(fs::read_to_string(library).unwrap(), "libcuda");
}
