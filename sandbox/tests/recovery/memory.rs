//! What supervisors and watchers hold of the host's memory.

use std::fs;

use crate::busybox::Busybox;
use crate::child::Supervisor;

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
    let (early, late) = (number(), number());
    assert!(supervisor.process.wait().unwrap().success());
    eprintln!("a supervisor: {early} KiB after 50 launches, {late} KiB after 500");
    assert!(late < early + 2048, "{early} KiB, then {late} KiB");
}
