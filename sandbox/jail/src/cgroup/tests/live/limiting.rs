//! Limits are kept.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};

use super::{Guard, Job, SECOND, host_with, result_of};
use crate::cgroup::counters::field;
use crate::cgroup::{Backend, Controller, IoLimit, Limits};

const MIB: u64 = 1 << 20;

#[test]
fn job_that_needs_more_memory_is_killed_and_counted_and_noticed() {
    let Some(host) = host_with(&[Controller::Memory]) else {
        return;
    };
    let group = Guard::make(
        host,
        &Limits {
            memory_bytes: Some(48 * MIB),
            ..Limits::default()
        },
    );
    let watch = group
        .oom_watch()
        .expect("the kernel tells")
        .expect("memory is limited");
    let second = Timespec {
        tv_sec: 20,
        tv_nsec: 0,
    };
    let mut polled = PollFd::from_borrowed_fd(watch.fd(), watch.poll_flags());
    assert_eq!(
        poll(
            std::slice::from_mut(&mut polled),
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0
            })
        ),
        Ok(0),
        "nothing yet"
    );
    let (output, status) = Job::helper(&group, "allocate").end();
    assert_eq!(status.signal(), Some(9), "{output}");
    assert_eq!(
        poll(std::slice::from_mut(&mut polled), Some(&second)),
        Ok(1)
    );
    assert!(watch.oom_kills().expect("the group is there") >= 1);
    let events = group.events().expect("the group is there");
    assert!(events.oom_kills >= 1, "{events:?}");
    if host.backend(Controller::Memory) == Backend::V2 {
        assert_eq!(events.oom_group_kills, 1, "{events:?}");
    }
    let peak = group
        .usage()
        .expect("the group is there")
        .memory_peak_bytes
        .expect("it is counted");
    assert!((32 * MIB..=48 * MIB).contains(&peak), "{peak}");
}

#[test]
fn job_within_its_memory_is_left_alone() {
    let Some(host) = host_with(&[Controller::Memory]) else {
        return;
    };
    let group = Guard::make(
        host,
        &Limits {
            memory_bytes: Some(400 * MIB),
            ..Limits::default()
        },
    );
    let (output, status) = Job::helper(&group, "allocate").end();
    assert!(status.success(), "{status} {output}");
    assert_eq!(group.events().expect("the group is there").oom_kills, 0);
    assert!(group.usage().expect("the group is there").memory_peak_bytes > Some(200 * MIB));
}

#[test]
fn processes_beyond_the_limit_are_refused_and_counted() {
    let Some(host) = host_with(&[Controller::Pids]) else {
        return;
    };
    let group = Guard::make(
        host,
        &Limits {
            pids: Some(20),
            ..Limits::default()
        },
    );
    let mut job = Job::helper(&group, "fork");
    let mut output = String::new();
    while !output.contains("RESULT") {
        output += &job.line();
    }
    let eagain = rustix::io::Errno::AGAIN.raw_os_error().to_string();
    let (started, errno) = result_of(&output).split_once(' ').expect("two numbers");
    assert_eq!(errno, eagain, "{output}");
    assert!(
        (10..20).contains(&started.parse::<u32>().expect("a number")),
        "{output}"
    );
    assert!(group.events().expect("the group is there").pids_refused >= 1);
}

#[test]
fn processor_time_stays_within_the_share() {
    let Some(host) = host_with(&[Controller::Cpu, Controller::Accounting]) else {
        return;
    };
    let group = Guard::make(
        host,
        &Limits {
            cpu_millis: Some(200),
            ..Limits::default()
        },
    );
    let used = || {
        group
            .usage()
            .expect("the group is there")
            .cpu_us
            .expect("it is counted")
    };
    let _job = Job::shell(&group, "while :; do :; done");
    let (start, before) = (Instant::now(), used());
    std::thread::sleep(Duration::from_millis(1500));
    let (wall_us, cpu_us) = (start.elapsed().as_micros() as u64, used() - before);
    // one period more than the share at each end
    assert!(
        cpu_us <= wall_us / 5 + 50_000,
        "{cpu_us} us in {wall_us} us"
    );
    assert!(
        cpu_us >= 20_000,
        "it hardly ran: {cpu_us} us in {wall_us} us"
    );
    // on a busy machine it may never have got more than its share
    let cpu = group.member(Controller::Cpu).expect("it is limited");
    let stat = cpu.dir.read("cpu.stat").expect("the group is there");
    assert!(field(&stat, "nr_throttled") > Some(0), "{stat}");
}

#[test]
fn job_sees_only_its_processors() {
    let Some(host) = host_with(&[Controller::Cpuset]) else {
        return;
    };
    let first = host
        .cpus
        .split(['-', ','])
        .next()
        .expect("one at least")
        .to_owned();
    let group = Guard::make(
        host,
        &Limits {
            cpuset: Some(first.clone()),
            ..Limits::default()
        },
    );
    let (output, _) = Job::shell(&group, "grep Cpus_allowed_list /proc/self/status").end();
    assert_eq!(
        output.split_whitespace().last(),
        Some(first.as_str()),
        "{output}"
    );
}

#[test]
fn direct_writes_stay_within_the_rate_and_are_counted() {
    let Some(host) = host_with(&[Controller::Io]) else {
        return;
    };
    let Ok(directory) = tempfile::tempdir() else {
        return;
    };
    let device = rustix::fs::stat(directory.path())
        .expect("just made")
        .st_dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let file = directory.path().join("written");
    let write = format!(
        "dd if=/dev/zero of={} bs=256k count=8 oflag=direct 2>&1",
        file.display()
    );
    let limit = IoLimit {
        major,
        minor,
        write_bps: Some(MIB),
        ..IoLimit::default()
    };
    let limits = Limits {
        io: vec![limit],
        ..Limits::default()
    };
    let whole_disk = std::path::Path::new("/sys/dev/block").join(format!("{major}:{minor}"));
    if !whole_disk.exists() || whole_disk.join("partition").exists() {
        eprintln!(
            "SKIPPED: {} does not lie on a whole disk",
            directory.path().display()
        );
        return;
    }
    let group = Guard::make(host, &limits);
    let start = Instant::now();
    let (output, status) = Job::shell(&group, &write).end();
    assert!(status.success(), "{output}");
    assert!(
        start.elapsed() >= SECOND,
        "2 MiB at 1 MiB/s took {:?}",
        start.elapsed()
    );
    let written = group
        .usage()
        .expect("the group is there")
        .io_write_bytes
        .expect("it is counted");
    assert!(written >= 2 * MIB, "{written}");
}
