//! A hundred jobs, after whoever started them was killed, and after all their watchers were.

use std::time::{Duration, Instant};

use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::state::Phase;
use rustix::process::{Pid, Signal, kill_process};

use crate::busybox::Busybox;
use crate::child::Supervisor;
use crate::leftovers;
use crate::memory::resident_kib;

const JOBS: usize = 100;
/// Targets are 1 s each; a busy machine may take longer.
const WITHIN: Duration = Duration::from_secs(5);

fn start_all(busybox: &Busybox) {
    let mut supervisor = Supervisor::play(busybox.path(), &format!("start {JOBS}"));
    let begun = Instant::now();
    assert_eq!(supervisor.hear().as_deref(), Some("started"));
    eprintln!("{JOBS} jobs started in {:?}", begun.elapsed());
    supervisor.process.kill().unwrap();
    supervisor.process.wait().unwrap();
}

#[test]
fn jobs_of_a_killed_supervisor_are_found_ended_and_removed_by_another() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    start_all(&busybox);
    let sandbox = &busybox.sandbox;
    let begun = Instant::now();
    assert_eq!(sandbox.recover().unwrap(), [""; 0]);
    let jobs = sandbox.jobs().unwrap();
    let listed = begun.elapsed();
    assert_eq!(jobs.len(), JOBS);
    assert!(
        jobs.iter().all(|job| job.phase == Phase::Running),
        "{jobs:?}"
    );
    let watcher = jobs[0].processes.as_ref().unwrap().watcher;
    eprintln!("a watcher: {} KiB", resident_kib(&watcher.to_string()));
    for job in &jobs {
        sandbox
            .kill(&job.name, KillReason::Cancelled, Duration::ZERO)
            .unwrap();
    }
    for job in &jobs {
        assert_eq!(sandbox.wait(&job.name).unwrap().outcome, Outcome::Cancelled);
    }
    let ended = begun.elapsed();
    for job in &jobs {
        sandbox.release(&job.name).unwrap();
    }
    for job in &jobs {
        sandbox.remove(&job.name).unwrap();
    }
    let all = begun.elapsed();
    eprintln!("{JOBS} found in {listed:?}, ended after {ended:?}, removed after {all:?}");
    leftovers::assert_none(&busybox, "all removed");
    assert!(all < WITHIN, "{all:?}");
}

#[test]
fn jobs_of_killed_watchers_are_ended_and_removed() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    start_all(&busybox);
    let sandbox = &busybox.sandbox;
    for job in sandbox.jobs().unwrap() {
        let watcher = Pid::from_raw(job.processes.unwrap().watcher).unwrap();
        kill_process(watcher, Signal::KILL).unwrap();
    }
    let begun = Instant::now();
    let mut lost = Vec::new();
    // A watcher that was just killed holds its lock until the kernel has got around to it.
    while lost.len() < JOBS && begun.elapsed() < WITHIN {
        lost.extend(sandbox.recover().unwrap());
    }
    let recovered = begun.elapsed();
    for job in sandbox.jobs().unwrap() {
        assert!(
            matches!(&job.phase, Phase::Ended(ended) if ended.outcome == Outcome::Lost && ended.left.is_empty()),
            "{job:?}"
        );
        sandbox.remove(&job.name).unwrap();
    }
    let all = begun.elapsed();
    eprintln!("{JOBS} lost jobs ended in {recovered:?}, removed after {all:?}");
    assert_eq!(lost.len(), JOBS);
    leftovers::assert_none(&busybox, "all removed");
    assert!(all < WITHIN, "{all:?}");
}
