//! What jobs print.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;

use super::arena::Arena;
use super::program::probe;

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

/// How much of a processor a process uses for a while.
fn share_of_a_processor(pid: i32, during: Duration) -> f64 {
    let ran_for_ns = || {
        let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
        let ran = text.split(' ').next().and_then(|ns| ns.parse().ok());
        ran.unwrap_or(0.0)
    };
    let (before, begun): (f64, _) = (ran_for_ns(), Instant::now());
    std::thread::sleep(during);
    (ran_for_ns() - before) / begun.elapsed().as_nanos() as f64
}

/// What `hose` prints to a reader that keeps nothing, bytes a second.
fn offered(processes: &str) -> f64 {
    let mut hose = Command::new(probe())
        .args(["hose", processes, "ms=2000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = hose.stdout.take().unwrap();
    let (mut buffer, mut total, begun) = (vec![0; 1 << 20], 0, Instant::now());
    while let Ok(bytes @ 1..) = output.read(&mut buffer) {
        total += bytes;
    }
    let rate = total as f64 / begun.elapsed().as_secs_f64();
    hose.wait().unwrap();
    rate
}

/// A job that prints gigabytes a second, with the throttle that all jobs have and with less and less of one: what it offers, what is read, what
/// that costs.
#[test]
#[ignore = "figures: cargo test -p gradus-sandbox --test attacks -- --ignored --nocapture figures_of_floods"]
fn figures_of_floods() {
    let Some(arena) = Arena::new() else { return };
    println!(
        "| processes | offered, GB/s | may print, MiB/s | read, MB/s | watcher, % of a processor |"
    );
    println!("|---|---|---|---|---|");
    for processes in ["processes=1", "processes=8"] {
        let offered = offered(processes) / 1e9;
        for rate_mib in [16, 64, 256, 1024, 1 << 20] {
            let mut job = arena.job("hose", &["hose", processes]);
            (job.limits.log_bytes, job.limits.log_rate_bytes) = (1 << 50, rate_mib << 20);
            let mut started = arena.sandbox.start(&job).unwrap();
            let watcher = started.processes.watcher;
            // Behind the second's worth that every job may print at once.
            std::thread::sleep(Duration::from_secs(2));
            let share = share_of_a_processor(watcher, Duration::from_secs(4));
            arena.end("hose");
            let ended = started.wait().unwrap();
            let read = ended.usage.log_bytes as f64 / ended.usage.wall_ms as f64 / 1e3;
            println!(
                "| {} | {offered:.2} | {rate_mib} | {read:.1} | {:.2} |",
                processes.trim_start_matches("processes="),
                share * 100.0
            );
            arena.remove("hose");
        }
    }
}

/// The bar that a supervisor's host can plan with, whatever a job does to its streams.
#[test]
fn a_hose_of_gigabytes_a_second_costs_the_watcher_little() {
    let Some(arena) = Arena::new() else { return };
    let mut job = arena.job("hose", &["hose", "processes=4"]);
    job.limits.log_bytes = 1 << 40;
    let mut started = arena.sandbox.start(&job).unwrap();
    let watcher = started.processes.watcher;
    std::thread::sleep(Duration::from_millis(1500));
    let share = share_of_a_processor(watcher, Duration::from_secs(3));
    arena.end("hose");
    let ended = started.wait().unwrap();
    println!("{:.2} % of a processor; {:?}", share * 100.0, ended.usage);
    assert!(share < 0.05, "{share}");
    // It waits: no more is read than it may print, and a second's worth.
    let most = (ended.usage.wall_ms as f64 / 1e3 + 1.5) * f64::from(16 << 20);
    assert!((ended.usage.log_bytes as f64) < most, "{ended:?}");
    arena.remove("hose");
}
