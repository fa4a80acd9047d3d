//! Nothing survives its end.

use std::time::{Duration, Instant};

use super::{Guard, Job, LONG, count, host_with, own_layout, until};
use crate::cgroup::{CgroupError, Controller, Group, Host, Limits, Settings};

/// 300 daemons that ignore signals, and their starter.
const DAEMONS: &str = "trap '' HUP INT TERM; i=0; \
    while [ $i -lt 100 ]; do setsid sh -c 'sleep 1000 & sleep 1000 & sleep 1000 &' </dev/null >/dev/null 2>&1; i=$((i+1)); done; \
    echo up; sleep 1000";

/// This host as if some of it were not there.
fn host_without(v2: bool, freezer: bool) -> Option<Host> {
    host_with(&[Controller::Pids])?;
    let mut layout = own_layout();
    if !v2 {
        layout.v2 = None;
    }
    if !freezer {
        layout.v1.retain(|place| place.controllers != ["freezer"]);
    }
    let host = Host::probe(&layout, &Settings::default(), None);
    if host.v1.is_empty() {
        eprintln!("SKIPPED: no control groups of version 1 here");
        return None;
    }
    Some(host)
}

/// Kills 300 daemons and returns how long that took.
fn kill_daemons(host: &Host) -> Duration {
    let group = Guard::make(
        host,
        &Limits {
            pids: Some(1000),
            ..Limits::default()
        },
    );
    let mut job = Job::shell(&group, DAEMONS);
    assert_eq!(job.line(), "up");
    until("all daemons run", || count(&group) >= 301);
    let start = Instant::now();
    group.kill().expect("the kernel kills");
    group.wait_empty(LONG).expect("all end");
    let took = start.elapsed();
    assert_eq!(count(&group), 0);
    took
}

/// Kills daemons until that was fast enough once: the machine may be busy with something else.
fn fast_enough(what: &str, host: &Host, most: Duration) {
    let mut took = Vec::new();
    while took.len() < 6 && took.iter().min().is_none_or(|least| *least > most) {
        took.push(kill_daemons(host));
    }
    eprintln!("{what}: 301 processes ended within {took:?}");
    // an emulated processor is some twenty times slower
    if std::env::var_os("GRADUS_TEST_EMULATED").is_none() {
        assert!(took.iter().min() <= Some(&most), "{took:?}");
    }
}

#[test]
fn three_hundred_daemons_end_within_100_ms() {
    let Some(host) = host_with(&[Controller::Pids, Controller::Kill]) else {
        return;
    };
    fast_enough("kill", host, Duration::from_millis(100));
}

#[test]
fn three_hundred_daemons_end_with_version_1_alone() {
    let Some(host) = host_without(false, true) else {
        return;
    };
    fast_enough("freeze, kill each, thaw", &host, Duration::from_millis(500));
}

#[test]
fn three_hundred_daemons_end_where_nothing_freezes() {
    let Some(host) = host_without(false, false) else {
        return;
    };
    fast_enough("kill each", &host, Duration::from_millis(500));
}

fn frozen_job_stands_still_and_dies(host: &Host) {
    let group = Guard::make(
        host,
        &Limits {
            pids: Some(100),
            ..Limits::default()
        },
    );
    let job = Job::shell(&group, "while :; do :; done");
    let used = || {
        group
            .usage()
            .expect("the group is there")
            .cpu_us
            .expect("it is counted")
    };
    until("it runs", || used() > 20_000);
    group.freeze(LONG).expect("it can be frozen");
    // The kernel says so when a process stops, a moment before it has left its processor and its time is counted.
    std::thread::sleep(Duration::from_millis(20));
    let before = used();
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(used(), before, "frozen");
    group.thaw().expect("it can be thawed");
    until("it runs again", || used() > before + 10_000);
    group.freeze(LONG).expect("it can be frozen again");
    group.kill().expect("frozen processes are killed");
    group
        .wait_empty(LONG)
        .expect("without being thawed by the caller");
    job.end();
}

#[test]
fn frozen_job_stands_still_goes_on_and_dies_frozen() {
    let Some(host) = host_with(&[Controller::Freezer, Controller::Pids]) else {
        return;
    };
    frozen_job_stands_still_and_dies(host);
}

#[test]
fn frozen_job_of_version_1_stands_still_goes_on_and_dies_frozen() {
    let Some(host) = host_without(false, true) else {
        return;
    };
    frozen_job_stands_still_and_dies(&host);
}

fn waiting_ends_with_the_last_process(host: &Host) {
    let group = Guard::make(
        host,
        &Limits {
            pids: Some(100),
            ..Limits::default()
        },
    );
    group
        .wait_empty(Duration::ZERO)
        .expect("a new group is empty");
    let mut job = Job::shell(&group, "sleep 0.6 & echo started");
    assert_eq!(job.line(), "started");
    let start = Instant::now();
    let early = group.wait_empty(Duration::from_millis(100));
    assert!(
        matches!(
            early,
            Err(CgroupError::Populated {
                waited_ms: 100..,
                ..
            })
        ),
        "{early:?}"
    );
    assert!(!group.is_empty().expect("the group is there"));
    group.wait_empty(LONG).expect("it ends by itself");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn waiting_times_out_and_ends_with_the_last_process() {
    let Some(host) = host_with(&[Controller::Pids, Controller::Kill]) else {
        return;
    };
    waiting_ends_with_the_last_process(host);
}

#[test]
fn waiting_with_version_1_times_out_and_ends_with_the_last_process() {
    let Some(host) = host_without(false, true) else {
        return;
    };
    waiting_ends_with_the_last_process(&host);
}

#[test]
fn process_that_is_only_in_a_group_of_version_1_ends_too() {
    let Some(host) = host_without(true, true) else {
        return;
    };
    if host.v2.is_none() {
        eprintln!("SKIPPED: no control groups of version 2 here");
        return;
    }
    let group = Guard::make(
        &host,
        &Limits {
            pids: Some(100),
            ..Limits::default()
        },
    );
    let mut command = std::process::Command::new("sleep");
    command.arg("1000");
    let mut job = Job::outside(command);
    group
        .add(super::pid_of(&job.child), false)
        .expect("the group takes processes");
    let kill = group
        .kill()
        .and_then(|()| group.wait_empty(Duration::from_millis(50)));
    assert!(
        matches!(kill, Err(CgroupError::Populated { .. })),
        "one write does not reach it: {kill:?}"
    );
    group.end(LONG).expect("it is found and killed");
    assert!(
        job.child.wait().expect("it is a child").code().is_none(),
        "killed"
    );
}

#[test]
fn busy_group_is_removed_as_soon_as_it_can_be() {
    let Some(host) = host_with(&[Controller::Pids]) else {
        return;
    };
    let group = Guard::make(
        host,
        &Limits {
            pids: Some(100),
            ..Limits::default()
        },
    );
    let _job = Job::shell(&group, "exec sleep 0.4");
    let refused = group.remove(Duration::from_millis(20));
    assert!(
        matches!(
            refused,
            Err(CgroupError::Remove {
                errno: rustix::io::Errno::BUSY,
                ..
            })
        ),
        "{refused:?}"
    );
    group.remove(LONG).expect("it ends by itself");
    assert!(
        Group::open(&group.record())
            .expect("a valid record")
            .is_none()
    );
}
