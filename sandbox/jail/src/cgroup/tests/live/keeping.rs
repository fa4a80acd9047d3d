//! Groups are entered, found again and left nowhere.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Guard, Job, LONG, count, fresh_name, host_with, planned, until};
use crate::cgroup::{
    Backend, CgroupError, Controller, Group, Host, Limits, PlannedGroup, Record, sweep,
};

const SOME: Limits = Limits {
    memory_bytes: Some(64 << 20),
    memory_low_bytes: None,
    memory_min_bytes: None,
    pids: Some(50),
    cpu_millis: Some(500),
    cpuset: None,
    io: Vec::new(),
};

fn needed() -> Option<&'static Host> {
    host_with(&[
        Controller::Memory,
        Controller::Pids,
        Controller::Cpu,
        Controller::Kill,
    ])
}

fn exist(record: &Record) -> Vec<bool> {
    record
        .groups
        .iter()
        .map(|group| group.path.exists())
        .collect()
}

#[test]
fn group_is_found_again_by_its_record_and_ended() {
    let Some(host) = needed() else { return };
    let made = Guard::make(host, &SOME);
    let job = Job::shell(&made, "sleep 1000 & sleep 1000; :");
    until("both run", || count(&made) == 3);
    let text = serde_json::to_string(&made.record()).expect("plain data");
    let record: Record = serde_json::from_str(&text).expect("it was written just now");
    let found = Group::open(&record)
        .expect("a valid record")
        .expect("it is there");
    assert_eq!(found.record(), made.record());
    found.end(LONG).expect("all end");
    job.end();
    assert!(found.usage().expect("the group is there").cpu_us > Some(0));
    found.remove(LONG).expect("nothing is in it");
    assert!(exist(&record).iter().all(|there| !there));
    assert!(Group::open(&record).expect("a valid record").is_none());
}

#[test]
fn record_of_a_directory_elsewhere_is_refused() {
    let Some(host) = needed() else { return };
    let made = Guard::make(host, &SOME);
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let path = elsewhere.path().join(made.name());
    std::fs::create_dir(&path).expect("in a temporary directory");
    let mut record = made.record();
    record.groups[0].path = path.clone();
    let opened = Group::open(&record);
    assert!(
        matches!(opened, Err(CgroupError::Foreign { .. })),
        "{opened:?}"
    );
    record.groups[0].path = Path::new("/proc/self/root").join(
        made.record().groups[0]
            .path
            .strip_prefix("/")
            .expect("absolute"),
    );
    let opened = Group::open(&record);
    assert!(
        matches!(
            opened,
            Err(CgroupError::Open {
                errno: rustix::io::Errno::LOOP,
                ..
            })
        ),
        "{opened:?}"
    );
    assert!(path.exists());
}

#[test]
fn failure_half_way_leaves_nothing() {
    let Some(host) = needed() else { return };
    let mut plan = planned(host, &SOME);
    let last = plan.groups.last_mut().expect("limits need groups");
    let file = last
        .writes
        .last()
        .expect("the last is there for a limit")
        .file
        .clone();
    last.writes.push(crate::cgroup::Write {
        file,
        value: "nonsense".to_owned(),
    });
    let error = Group::create(&plan).expect_err("the kernel takes no nonsense");
    assert!(
        error
            .to_string()
            .starts_with("cannot write \"nonsense\" to /sys/fs/cgroup/"),
        "{error}"
    );
    assert_eq!(error.errno(), Some(rustix::io::Errno::INVAL));
    assert!(exist(&plan.record()).iter().all(|there| !there), "{plan}");

    let mut plan = planned(host, &SOME);
    let path = plan.groups[0]
        .path
        .parent()
        .expect("it has a parent")
        .join("not-there")
        .join(&plan.name);
    plan.groups.push(PlannedGroup {
        backend: Backend::V2,
        controllers: vec![],
        path,
        writes: vec![],
    });
    let error = Group::create(&plan).expect_err("its parent is not there");
    assert!(
        matches!(
            error,
            CgroupError::Make {
                errno: rustix::io::Errno::NOENT,
                ..
            }
        ),
        "{error}"
    );
    assert!(exist(&plan.record()).iter().all(|there| !there), "{plan}");
}

#[test]
fn group_of_a_running_job_is_not_taken_over() {
    let Some(host) = needed() else { return };
    let plan = planned(host, &SOME);
    let made = Guard {
        group: Group::create(&plan).expect("the host was probed"),
    };
    let error = Group::create(&plan).expect_err("the name is taken");
    assert!(
        matches!(
            error,
            CgroupError::Make {
                errno: rustix::io::Errno::EXIST,
                ..
            }
        ),
        "{error}"
    );
    assert!(exist(&made.record()).iter().all(|there| *there));
}

#[test]
fn sweep_ends_what_was_left_and_keeps_what_is_named() {
    let Some(host) = needed() else { return };
    let prefix = format!("{}-", fresh_name());
    let make = |rest: &str| {
        let (plan, _) =
            crate::cgroup::plan(&format!("{prefix}{rest}"), &SOME, host).expect("valid");
        Guard {
            group: Group::create(&plan).expect("the host was probed"),
        }
    };
    let (left, kept) = (make("left"), make("kept"));
    let in_left = Job::shell(&left, "trap '' TERM; sleep 1000 & sleep 1000");
    let mut in_kept = Job::shell(&kept, "sleep 1000");
    let swept = sweep(host, &prefix, &[kept.name().to_owned()]).expect("the parents are there");
    assert_eq!(
        (swept.removed, swept.failed.len()),
        (vec![left.name().to_owned()], 0)
    );
    in_left.end();
    assert!(exist(&left.record()).iter().all(|there| !there));
    assert!(exist(&kept.record()).iter().all(|there| *there));
    assert!(
        in_kept.child.try_wait().expect("it is a child").is_none(),
        "it still runs"
    );
}

#[test]
fn entrance_takes_the_calling_thread_into_every_v1_group() {
    let Some(host) = needed() else { return };
    let group = Guard::make(host, &SOME);
    let entrance = group.entrance().expect("the groups are there");
    // what a thread starts is where the thread is
    let inside = std::thread::spawn(move || {
        entrance.enter().expect("the groups take it");
        Command::new("cat")
            .arg("/proc/self/cgroup")
            .output()
            .expect("cat is there")
            .stdout
    });
    let inside = String::from_utf8(inside.join().expect("it does not panic")).expect("text");
    let v1 = group
        .record()
        .groups
        .iter()
        .filter(|one| one.backend == Backend::V1)
        .count();
    assert_eq!(
        inside.matches(&format!("/{}\n", group.name())).count(),
        v1,
        "{inside}"
    );
    group
        .wait_empty(Duration::from_secs(1))
        .expect("the thread has ended");
}
