//! Jobs that have ended, and whose outputs nobody has taken.

use gradus_sandbox::sandbox::Sandbox;
use std::fs;

use crate::busybox::Busybox;
use crate::child::SCRIPT;
use crate::leftovers;

#[test]
fn a_record_says_whether_outputs_wait() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let waits = |name: &str| busybox.sandbox.state().record(name).unwrap().outputs_wait;
    let mut started = busybox
        .sandbox
        .start(&busybox.job("with", "echo x > /out/x; sleep 0.1; exit 3"))
        .unwrap();
    assert!(!waits("with"), "while it runs");
    started.wait().unwrap();
    assert!(waits("with"), "when it has ended");
    let mut job = busybox.job("without", SCRIPT);
    job.outputs.clear();
    busybox.run(&job);
    assert!(!waits("without"), "where there are none");
    for name in ["with", "without"] {
        busybox.sandbox.remove(name).unwrap();
    }
    leftovers::assert_none(&busybox, "both removed");
}

#[test]
fn what_was_half_made_or_half_removed_is_gone_after_recovery() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let state = busybox.path().join("state");
    for (folder, name) in [("new", "half"), ("gone", "12345")] {
        let path = state.join(folder).join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("journal"), "").unwrap();
    }
    std::os::unix::fs::symlink("nobody", state.join("ids/77")).unwrap();
    fs::write(state.join("templates/ext4-1-1.tmp"), "").unwrap();
    // As another one of the same name meanwhile.
    let ended = busybox.run(&busybox.job("half", SCRIPT));
    assert!(ended.left.is_empty(), "{ended:?}");
    assert_eq!(busybox.sandbox.recover().unwrap(), [""; 0]);
    busybox.sandbox.remove("half").unwrap();
    leftovers::assert_none(&busybox, "recovered");
}

#[test]
fn a_job_of_before_a_reboot_whose_plan_a_power_cut_has_torn_is_lost_and_removed() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut started = busybox
        .sandbox
        .start(&busybox.job("torn", "sleep 1000"))
        .unwrap();
    let watcher = rustix::process::Pid::from_raw(started.processes.watcher).unwrap();
    rustix::process::kill_process(watcher, rustix::process::Signal::KILL).unwrap();
    started.wait().unwrap_err();
    let directory = busybox.directory("torn");
    fs::write(directory.join("plan.json"), "{\"version\"").unwrap();
    fs::write(directory.join("journal"), "{\"kind\":\"sta").unwrap();
    let another = Sandbox::open(&busybox.path().join("state")).unwrap();
    assert_eq!(another.recover().unwrap(), ["torn"]);
    another.remove("torn").unwrap();
    drop(started);
    busybox.sandbox.recover().unwrap();
    leftovers::assert_none(&busybox, "recovered");
}
