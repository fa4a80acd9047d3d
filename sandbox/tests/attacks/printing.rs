//! What jobs print.

use std::fs;
use std::time::Duration;

use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;

use super::arena::Arena;

/// Processor time of a process, in ticks of 10 ms.
pub(crate) fn ticks(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum()
}

#[test]
fn a_flood_is_ended_and_costs_the_watcher_little() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("flood", &["flood"]);
    job.limits.log_bytes = 32 << 20;
    job.limits.log_rate_bytes = 16 << 20;
    let mut started = arena.sandbox.start(&job).unwrap();
    let watcher = started.processes.watcher;
    let mut used = 0;
    let ended = loop {
        used = used.max(ticks(watcher));
        if let Some(ended) = started.wait_for(Duration::from_millis(5)).unwrap() {
            break ended;
        }
    };
    assert_eq!(ended.outcome, Outcome::LogFlood);
    println!("32 MiB cost the watcher {used}0 ms");
    assert!(used <= 50, "{used} ticks");
    let kept: u64 = ["log.head", "log.1", "log.0"]
        .iter()
        .filter_map(|file| fs::metadata(arena.directory("flood").join(file)).ok())
        .map(|meta| meta.len())
        .sum();
    assert!(kept <= 21 << 20, "{kept}");
    // It is printed at the rate at which it may, with a second's worth at once.
    assert!(ended.usage.wall_ms >= 800, "{ended:?}");
    arena.remove("flood");
}

/// One byte a write, in packets: what is kept is 25 times as much as what is printed, and each is a wake-up.
#[test]
fn a_byte_at_a_time_costs_the_watcher_little() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("drip", &["drip", "ms=60000"]);
    job.limits.log_rate_bytes = 1 << 20;
    let mut started = arena.sandbox.start(&job).unwrap();
    let watcher = started.processes.watcher;
    std::thread::sleep(Duration::from_secs(2));
    let used = ticks(watcher);
    arena
        .sandbox
        .kill("drip", KillReason::Cancelled, Duration::ZERO)
        .unwrap();
    let ended = started.wait().unwrap();
    let kept = fs::metadata(arena.directory("drip").join("log.head"))
        .unwrap()
        .len();
    println!(
        "{} bytes one by one in 2 s cost the watcher {used}0 ms and {kept} bytes of disk",
        ended.usage.log_bytes
    );
    assert!(used <= 60, "{used} ticks");
    assert!(kept <= 4 << 20, "{kept}");
    arena.remove("drip");
}

#[test]
fn what_is_printed_is_kept_and_obeyed_by_nobody() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("escapes", &["escapes"]));
    // Not what it printed of itself, but what it ended with.
    ran.exited(3)
        .says("\u{1b}[2J")
        .says("\"code\":0")
        .says("\nlast\n");
    assert!(ran.ended.usage.log_bytes > 1 << 20, "{:?}", ran.ended);
}

#[test]
fn a_job_that_closes_its_streams_goes_on() {
    let Some(arena) = Arena::new() else { return };
    let ran = arena.run(&arena.job("closed", &["close-and-go-on", "ms=500"]));
    ran.exited(5);
    // The watcher's clock starts a moment after the program.
    assert!(ran.ended.usage.wall_ms >= 300, "{:?}", ran.ended);
}

#[test]
fn a_program_may_open_its_streams_by_name() {
    let Some(arena) = Arena::new() else { return };
    for uid in [0, 1000] {
        let mut job = arena.job("by-name", &["streams-by-name"]);
        job.uid = uid;
        let ran = arena.run(&job);
        ran.exited(0).says("through /dev/stdout");
        assert!(!ran.text.contains("denied"), "{}", ran.text);
    }
}
