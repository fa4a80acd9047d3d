//! Watchers that live and do nothing.

use std::fs;
use std::time::{Duration, Instant};

use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::{Ended, KillReason, Report};
use gradus_sandbox::state::Phase;
use rustix::process::{Pid, Signal, kill_process};

use crate::busybox::Busybox;
use crate::leftovers;

fn stop(watcher: i32) {
    kill_process(Pid::from_raw(watcher).unwrap(), Signal::STOP).unwrap();
}

#[track_caller]
fn assert_says_so(ended: &Ended, watcher: i32) {
    let [said] = &ended.left[..] else {
        panic!("{ended:?}");
    };
    let who = format!("process {watcher}, did not answer and was killed");
    assert!(said.contains(&who), "{said}");
}

#[test]
fn a_job_whose_watcher_is_stopped_is_killed_and_whoever_waits_hears_of_it() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut started = busybox
        .sandbox
        .start(&busybox.job("stopped", "sleep 60 & sleep 60"))
        .unwrap();
    let watcher = started.processes.watcher;
    stop(watcher);
    let begun = Instant::now();
    let ended = std::thread::scope(|scope| {
        let waits = scope.spawn(|| busybox.sandbox.wait("stopped").unwrap());
        let holds = scope.spawn(|| started.wait().unwrap());
        let cancelled = KillReason::Cancelled;
        busybox
            .sandbox
            .kill("stopped", cancelled, Duration::from_millis(100))
            .unwrap();
        let ended = waits.join().unwrap();
        assert_eq!(holds.join().unwrap(), ended, "whoever started it");
        ended
    });
    // Within the time that it is given to answer, and not at once: it could have.
    let took = begun.elapsed();
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(20),
        "{took:?}"
    );
    assert_eq!(ended.outcome, Outcome::Cancelled);
    assert_says_so(&ended, watcher);
    let record = busybox.sandbox.state().record("stopped").unwrap();
    assert_eq!(record.phase, Phase::Ended(ended), "the journal says it");
    busybox.sandbox.remove("stopped").unwrap();
    leftovers::assert_none(&busybox, "killed without its watcher");
}

/// As if it had begun long ago: its start is set back in the journal.
#[test]
fn a_job_whose_watcher_is_stopped_does_not_outlive_its_time() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    for waited_for in [true, false] {
        let mut job = busybox.job("overdue", "sleep 60");
        job.limits.wall = Some(Duration::from_secs(1));
        let started = busybox.sandbox.start(&job).unwrap();
        let watcher = started.processes.watcher;
        stop(watcher);
        assert_eq!(busybox.sandbox.recover().unwrap(), [""; 0], "not yet");
        let journal = busybox.directory("overdue").join("journal");
        let mut processes = started.processes.clone();
        processes.init_start_ticks = 0;
        let line = serde_json::to_string(&Report::Started(processes)).unwrap();
        fs::write(&journal, line + "\n").unwrap();
        let ended = if waited_for {
            busybox.sandbox.wait("overdue").unwrap()
        } else {
            assert_eq!(busybox.sandbox.recover().unwrap(), ["overdue"]);
            busybox.sandbox.wait("overdue").unwrap()
        };
        assert_eq!(ended.outcome, Outcome::Deadline);
        assert_says_so(&ended, watcher);
        busybox.sandbox.remove("overdue").unwrap();
        leftovers::assert_none(&busybox, "overdue");
    }
}

#[test]
fn a_job_that_has_ended_is_removed_although_its_watcher_is_stopped() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut started = busybox
        .sandbox
        .start(&busybox.job("kept", "exit 3"))
        .unwrap();
    let watcher = started.processes.watcher;
    assert_eq!(started.wait().unwrap().outcome, Outcome::Exited { code: 3 });
    stop(watcher);
    busybox.sandbox.remove("kept").unwrap();
    leftovers::assert_none(&busybox, "removed");
}

/// A process that has the watcher's number, but not its start, is somebody else.
#[test]
fn nobody_else_is_killed_for_a_watcher() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let started = busybox
        .sandbox
        .start(&busybox.job("mistaken", "sleep 60"))
        .unwrap();
    let watcher = started.processes.watcher;
    stop(watcher);
    let mut bystander = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let mut processes = started.processes.clone();
    processes.watcher = bystander.id() as i32;
    let line = serde_json::to_string(&Report::Started(processes)).unwrap();
    fs::write(busybox.directory("mistaken").join("journal"), line + "\n").unwrap();
    let cancelled = KillReason::Cancelled;
    busybox
        .sandbox
        .kill("mistaken", cancelled, Duration::ZERO)
        .unwrap();
    assert!(bystander.try_wait().unwrap().is_none(), "it lives");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    kill_process(Pid::from_raw(watcher).unwrap(), Signal::KILL).unwrap();
    drop(started);
    assert_eq!(
        busybox.sandbox.wait("mistaken").unwrap().outcome,
        Outcome::Cancelled
    );
    busybox.sandbox.remove("mistaken").unwrap();
    leftovers::assert_none(&busybox, "mistaken");
}
