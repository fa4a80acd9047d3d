//! Hosts that lack what jobs need.

use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::busybox::Busybox;
use crate::child::{Supervisor, command, program};
use crate::leftovers;

/// A supervisor in mounts of its own that `script` has changed; `$0` is the program.
fn changed(place: &Path, script: &str, part: &str) -> Supervisor {
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "--propagation", "private", "sh", "-ec", script])
        .arg(program());
    Supervisor::spawn(command(unshare, place, part))
}

const NO_GROUPS: &str = "umount --recursive --lazy /sys/fs/cgroup; exec \"$0\" \"$@\"";

#[test]
fn without_control_groups_a_start_is_refused_and_says_what_to_do() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut supervisor = changed(busybox.path(), NO_GROUPS, "host strict");
    let said = supervisor.hear().unwrap();
    for word in [
        "cannot keep",
        "memory",
        "gradus sandbox doctor",
        "--best-effort",
    ] {
        assert!(said.contains(word), "{word} in {said}");
    }
    supervisor.process.wait().unwrap();
    leftovers::assert_none(&busybox, "refused");
}

#[test]
fn without_control_groups_and_limits_a_job_runs() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut supervisor = changed(busybox.path(), NO_GROUPS, "host best-effort");
    assert_eq!(supervisor.hear().as_deref(), Some("Exited { code: 3 }"));
    supervisor.process.wait().unwrap();
    leftovers::assert_none(&busybox, "ran");
}

#[test]
fn without_control_groups_a_job_dies_as_a_whole_with_its_watcher() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut supervisor = changed(busybox.path(), NO_GROUPS, "host killed");
    let watcher = Pid::from_raw(supervisor.hear().unwrap().parse().unwrap()).unwrap();
    let record = busybox.sandbox.state().record("host").unwrap();
    let init = Path::new("/proc").join(record.processes.unwrap().init.to_string());
    let namespace = init.join("ns/pid").read_link().unwrap();
    let inside = || {
        let processes = std::fs::read_dir("/proc").unwrap();
        processes
            .filter(|process| {
                let path = process.as_ref().unwrap().path().join("ns/pid");
                path.read_link().is_ok_and(|found| found == namespace)
            })
            .count()
    };
    assert!(inside() >= 2, "the job's processes");
    kill_process(watcher, Signal::KILL).unwrap();
    supervisor.go();
    assert_eq!(supervisor.hear().as_deref(), Some("true"), "it hears of it");
    assert_eq!(
        supervisor.hear().as_deref(),
        Some("[\"host\"]"),
        "recovered"
    );
    assert_eq!(inside(), 0, "processes of the job");
    supervisor.process.wait().unwrap();
    leftovers::assert_none(&busybox, "killed");
}

#[test]
fn without_user_namespaces_the_error_names_the_stage_and_what_to_do() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    // The kernel gives none to whoever is in a chroot.
    let root = busybox.path().join("chroot");
    std::fs::create_dir(&root).unwrap();
    let script = format!(
        "mount --rbind / {root}; exec chroot {root} \"$0\" \"$@\"",
        root = root.display()
    );
    let mut supervisor = changed(busybox.path(), &script, "host strict");
    let said = supervisor.hear().unwrap();
    for word in ["namespaces", "chroot", "Operation not permitted"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    supervisor.process.wait().unwrap();
    leftovers::assert_none(&busybox, "refused");
}
