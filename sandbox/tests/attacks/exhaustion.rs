//! Jobs that take all there is.

use std::process::Command;
use std::time::{Duration, Instant};

use gradus_sandbox::job::{Job, Limits, ScratchKind};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;

use super::arena::Arena;

#[test]
fn a_fork_bomb_is_bounded_and_the_host_still_forks() {
    let Some(arena) = Arena::new() else { return };
    let job = arena.job("fork-bomb", &["fork-bomb", "ms=60000"]);
    let mut killed = Duration::ZERO;
    let ran = arena.run_with(&job, |sandbox| {
        std::thread::sleep(Duration::from_millis(500));
        for _ in 0..5 {
            let begun = Instant::now();
            assert!(Command::new("/bin/true").status().unwrap().success());
            assert!(
                begun.elapsed() < Duration::from_secs(2),
                "{:?}",
                begun.elapsed()
            );
        }
        let begun = Instant::now();
        sandbox
            .kill(&job.name, KillReason::Cancelled, Duration::ZERO)
            .unwrap();
        sandbox.wait(&job.name).unwrap();
        killed = begun.elapsed();
    });
    ran.ended_as(&Outcome::Cancelled).says("started");
    assert!(ran.ended.usage.pids_refused.unwrap() > 0, "{:?}", ran.ended);
    println!("a fork bomb of 64 processes was gone after {killed:?}");
    assert!(killed < Duration::from_secs(2), "{killed:?}");
}

#[test]
fn a_memory_bomb_ends_as_out_of_memory() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("memory-bomb", &["memory-bomb"]));
    ran.ended_as(&Outcome::OutOfMemory);
    let peak = ran.ended.usage.memory_peak_bytes.unwrap();
    assert!(peak <= 65 << 20, "{peak}");
}

/// 8 processes of 500 pipes of 64 KiB would be 128 MiB of the kernel's memory; the job has 64.
#[test]
fn memory_of_pipes_counts_as_the_jobs() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("pipe-bomb", &["pipe-bomb", "processes=8", "seconds=2"]));
    let peak = ran.ended.usage.memory_peak_bytes.unwrap();
    assert!(peak <= 65 << 20, "{peak}");
    println!("pipes: {:?}, {}", ran.ended.outcome, ran.text);
    // Either the kernel's limit of pipes by user or the job's memory has stopped it.
    assert!(
        matches!(
            ran.ended.outcome,
            Outcome::OutOfMemory | Outcome::Exited { code: 0 }
        ),
        "{:?}",
        ran.ended
    );
}

/// The cache of what it writes is dropped when the job's memory is short, and is no reason to kill it.
#[test]
fn a_file_larger_than_its_memory_does_not_end_a_job() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job(
        "page-cache",
        &["page-cache-bomb", "bytes=50331648", "rounds=2"],
    );
    job.limits.memory_bytes = 32 << 20;
    job.limits.disk_bytes = 64 << 20;
    let ran = arena.run(&job);
    ran.exited(0).says("written 100663296");
    let peak = ran.ended.usage.memory_peak_bytes.unwrap();
    assert!(peak <= 33 << 20, "{peak}");
}

#[test]
fn a_processor_hog_gets_no_realtime_and_the_host_keeps_its_beat() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("cpu-hog", &["cpu-hog", "processes=16", "ms=1500"]);
    job.limits.cpu_millis = Some(250);
    let mut worst = Duration::ZERO;
    let ran = arena.run_with(&job, |_| {
        for _ in 0..50 {
            let begun = Instant::now();
            std::thread::sleep(Duration::from_millis(10));
            worst = worst.max(begun.elapsed() - Duration::from_millis(10));
        }
    });
    ran.exited(0).says("realtime 0");
    let used = Duration::from_micros(ran.ended.usage.cpu_us.unwrap());
    println!(
        "16 hogs for {:?} with a quarter of a processor used {used:?}; the host was late by {worst:?} at most",
        ran.took
    );
    assert!(
        used < ran.took.mul_f64(0.25) + Duration::from_millis(250),
        "{used:?} of {:?}",
        ran.took
    );
    assert!(worst < Duration::from_secs(1), "{worst:?}");
}

#[test]
fn a_full_disk_is_the_jobs_own() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run_with(&arena.job("disk", &["fill-disk"]), |_| {});
    ran.ended_as(&Outcome::DiskFull).says("then ENOSPC");
    // Of the same job in memory it is the memory that is full.
    let memory = Job {
        scratch: ScratchKind::Memory,
        ..arena.job("disk-in-memory", &["fill-disk"])
    };
    let memory = Job {
        limits: Limits {
            disk_bytes: 16 << 20,
            ..memory.limits.clone()
        },
        ..memory
    };
    arena.run(&memory).ended_as(&Outcome::DiskFull);
    // Who fills its disk and is content with that has ended as it says.
    let ran = arena.run(&arena.job("disk-content", &["fill-disk", "succeed"]));
    ran.exited(0);
}

#[test]
fn a_jobs_disk_on_the_host_is_no_larger_than_granted() {
    let Some(arena) = Arena::new() else { return };
    let job = arena.job("disk-size", &["fill-disk"]);
    let mut started = arena.sandbox.start(&job).unwrap();
    let ended = started.wait().unwrap();
    assert_eq!(ended.outcome, Outcome::DiskFull);
    let most = job.limits.disk_bytes + (4 << 20);
    assert!(
        arena.disk_bytes() <= most,
        "{} of {most}",
        arena.disk_bytes()
    );
    arena.remove("disk-size");
    // Templates of empty file systems stay.
    assert!(arena.disk_bytes() < 8 << 20, "{}", arena.disk_bytes());
}

#[test]
fn the_number_of_files_is_bounded() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("inodes", &["fill-inodes"]));
    ran.ended_as(&Outcome::DiskFull)
        .says("/out made")
        .says("then ENOSPC");
    let made: u64 = ran
        .text
        .lines()
        .filter_map(|line| {
            line.split(' ')
                .nth(2)?
                .trim_end_matches(',')
                .parse::<u64>()
                .ok()
        })
        .sum();
    assert!((500..=1600).contains(&made), "{}", ran.text);
}

#[test]
fn shared_memory_and_queues_are_bounded() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("shm", &["fill-shared-memory", "succeed"]));
    ran.ended_as(&Outcome::OutOfMemory)
        .says("then ENOSPC")
        .says("segment 0");
    assert!(ran.number_after("written") <= 4 << 20, "{}", ran.text);
    let ran = arena.run(&arena.job("queues", &["fill-queues"]));
    ran.exited(0);
    assert!(ran.number_after("queues") <= 10, "{}", ran.text);
}
