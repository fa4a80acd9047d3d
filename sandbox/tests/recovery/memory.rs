//! What supervisors and watchers hold of the host's memory.

use std::fs;

use std::time::{Duration, Instant};

use crate::busybox::Busybox;
use crate::child::Supervisor;
use crate::leftovers;

/// Memory of a process that is in use now.
pub(crate) fn resident_kib(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

#[test]
fn a_supervisor_does_not_grow_with_its_launches() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut supervisor = Supervisor::play(busybox.path(), "flat 500");
    let mut number = || supervisor.hear().unwrap().parse::<u64>().unwrap();
    let (_, early, late) = (number(), number(), number());
    assert!(supervisor.process.wait().unwrap().success());
    eprintln!("a supervisor: {early} KiB after 50 launches, {late} KiB after 500");
    assert!(late < early + 2048, "{early} KiB, then {late} KiB");
}

/// Control groups that the kernel still has, those included that were removed and hold memory: for each controller its name and number.
fn groups() -> Vec<(String, u64)> {
    let text = fs::read_to_string("/proc/cgroups").unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[0].to_owned(), words[2].parse().unwrap())
        })
        .collect()
}

fn mounts() -> usize {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().count()
}

/// Takes minutes, and says what it found: `cargo test -p gradus-sandbox --test recovery -- --ignored --nocapture ten_thousand`
#[test]
#[ignore = "takes minutes"]
fn ten_thousand_launches_leave_nothing_and_cost_no_memory() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let before = (groups(), mounts());
    let begun = Instant::now();
    let mut supervisor = Supervisor::play(busybox.path(), "flat 10000");
    let mut number = || supervisor.hear().unwrap().parse::<u64>().unwrap();
    let (first, early, late) = (number(), number(), number());
    assert!(supervisor.process.wait().unwrap().success());
    eprintln!("{first} KiB after 100, {early} KiB after 1,000, {late} KiB after 10,000 launches");
    eprintln!("{:?} for one", begun.elapsed() / 10_000);
    leftovers::assert_none(&busybox, "ten thousand launches");
    // The kernel is rid of a removed group when its last page is, which nobody hurries.
    let deadline = Instant::now() + Duration::from_secs(60);
    let more = |after: &[(String, u64)]| {
        let mut both = after.iter().zip(&before.0);
        both.any(|((_, after), (_, before))| *after > before + 50)
    };
    let mut after = groups();
    while more(&after) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
        after = groups();
    }
    eprintln!("groups before {:?}\nand after {after:?}", before.0);
    eprintln!("mounts before {} and after {}", before.1, mounts());
    assert!(late < early + 2048, "{early} KiB, then {late} KiB");
    assert!(!more(&after), "groups that were removed are still there");
    assert_eq!(before.1, mounts(), "mounts");
}
