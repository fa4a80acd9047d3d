//! Jobs that do not want to end, or not as what they ended as.

use std::time::{Duration, Instant};

use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::state::Phase;

use super::arena::Arena;

#[test]
fn who_ignores_signals_ends_at_the_deadline_all_the_same() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("stubborn", &["ignore-signals"]);
    job.limits.wall = Some(Duration::from_millis(400));
    job.limits.grace = Duration::from_millis(300);
    let ran = arena.run(&job);
    ran.ended_as(&Outcome::Deadline).says("ignoring");
    assert!(
        (700..3000).contains(&ran.ended.usage.wall_ms),
        "{:?}",
        ran.ended
    );
}

#[test]
fn a_program_is_told_that_its_time_is_up_and_can_save() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("saves", &["save-at-the-end"]);
    job.limits.wall = Some(Duration::from_millis(400));
    job.limits.grace = Duration::from_secs(20);
    let ran = arena.run(&job);
    ran.ended_as(&Outcome::Deadline).says("saved at signal 15");
    assert!(
        (400..15_000).contains(&ran.ended.usage.wall_ms),
        "{:?}",
        ran.ended
    );
}

#[test]
fn three_hundred_daemons_are_gone_within_a_second() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("daemons", &["daemons", "processes=300", "stay"]);
    job.limits.pids = 400;
    job.limits.memory_bytes = 256 << 20;
    let mut killed = Duration::ZERO;
    let ran = arena.run_with(&job, |sandbox| {
        let until = Instant::now() + Duration::from_secs(20);
        while !arena.printed("daemons").contains("daemons 300") {
            assert!(Instant::now() < until, "{}", arena.printed("daemons"));
            std::thread::sleep(Duration::from_millis(20));
        }
        let begun = Instant::now();
        sandbox
            .kill("daemons", KillReason::Cancelled, Duration::ZERO)
            .unwrap();
        sandbox.wait("daemons").unwrap();
        killed = begun.elapsed();
    });
    ran.ended_as(&Outcome::Cancelled);
    println!("300 daemons were gone after {killed:?}");
    assert!(killed <= Duration::from_millis(1000), "{killed:?}");
}

#[test]
fn daemons_end_with_the_program() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("left-behind", &["daemons", "processes=30"]));
    ran.exited(0).says("daemons 30");
}

#[test]
fn who_forks_faster_than_it_is_killed_is_killed() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("hydra", &["forking-daemons", "processes=20"]);
    // Those that have just ended are still the group's memory: with less, that is what ends it.
    job.limits.memory_bytes = 256 << 20;
    job.limits.wall = Some(Duration::from_millis(1000));
    let ran = arena.run(&job);
    ran.ended_as(&Outcome::Deadline);
    println!(
        "a second of forking without end was over after {:?}",
        ran.took
    );
    // Others of this machine are slow too while it lasts.
    assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
}

#[test]
fn a_watcher_that_is_killed_takes_its_job_along() {
    let Some(arena) = Arena::new() else { return };
    let job = arena.job("orphan", &["daemons", "processes=20", "stay"]);
    let started = arena.sandbox.start(&job).unwrap();
    let watcher = rustix::process::Pid::from_raw(started.processes.watcher).unwrap();
    rustix::process::kill_process(watcher, rustix::process::Signal::KILL).unwrap();
    drop(started);
    let until = Instant::now() + Duration::from_secs(5);
    while arena.sandbox.state().record("orphan").unwrap().phase != Phase::Lost {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = arena.sandbox.wait("orphan").unwrap();
    assert_eq!((ended.outcome, ended.left), (Outcome::Lost, Vec::new()));
    arena.remove("orphan");
}

#[test]
fn a_crash_is_a_signal_and_leaves_no_core() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("crash", &["segfault"]);
    job.cwd = "/out".to_owned();
    let mut started = arena.sandbox.start(&job).unwrap();
    let ended = started.wait().unwrap();
    assert_eq!(ended.outcome, Outcome::Signalled { signal: 11 });
    let outputs = arena
        .sandbox
        .outputs("crash")
        .unwrap()
        .expect("it has outputs");
    let model = rustix::fs::openat(
        &outputs,
        "model",
        rustix::fs::OFlags::RDONLY,
        rustix::fs::Mode::empty(),
    )
    .unwrap();
    let names: Vec<_> = rustix::fs::Dir::read_from(&model)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .filter(|name| !name.to_bytes().starts_with(b"."))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    drop((model, outputs));
    arena.remove("crash");
}

#[test]
fn success_after_a_child_ran_out_of_memory_is_out_of_memory() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("forger", &["memory-bomb-of-a-child"]));
    ran.ended_as(&Outcome::OutOfMemory);
}

#[test]
fn the_first_process_has_no_ear_for_forged_reports() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("forge", &["forge"]));
    ran.exited(8).says("opened 0");
}

#[test]
fn the_first_process_stands_floods_of_orphans_and_signals() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("orphans", &["zombies", "number=1500"]));
    ran.exited(6);
    let ran = arena.run(&arena.job("signals", &["signal-flood", "ms=500"]));
    ran.exited(7);
    println!(
        "the first process took {} signals",
        ran.number_after("sent")
    );
}

#[test]
fn many_files_are_removed_at_once() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("many", &["many-files", "files=20000"]);
    job.limits.disk_inodes = 25_000;
    let mut started = arena.sandbox.start(&job).unwrap();
    started.wait().unwrap();
    assert!(
        arena.printed("many").contains("made 20000"),
        "{}",
        arena.printed("many")
    );
    let begun = Instant::now();
    arena.sandbox.remove("many").unwrap();
    println!("20 000 files were removed in {:?}", begun.elapsed());
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}
