//! Over made-up trees of version 2: groups that are made, opened, swept and removed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

use super::trees::{CONTROLLERS, Tree, read, refuse};
use crate::cgroup::files::Dir;
use crate::cgroup::{Backend, CgroupError, Events, Group, Limits, Settings, Usage, plan, sweep};

#[test]
fn group_is_made_read_and_removed() {
    let tree = Tree::new(CONTROLLERS);
    let host = tree.host("", &Settings::default());
    let limits = Limits {
        memory_bytes: Some(65536),
        pids: Some(8),
        cpu_millis: Some(500),
        ..Limits::default()
    };
    let (plan, shortfalls) = plan("job", &limits, &host).expect("valid");
    assert_eq!(shortfalls, []);
    let group = Group::create(&plan).expect("a directory can be made");
    for write in &plan.groups[0].writes {
        assert_eq!(read(tree.path("job").join(&write.file)), write.value);
    }
    assert!(group.v2_fd().is_some());
    assert_eq!(
        group.events().expect("files are there"),
        Events {
            oom_kills: 3,
            oom_group_kills: 1,
            pids_refused: 7
        }
    );
    let usage = Usage {
        cpu_us: Some(1234),
        memory_peak_bytes: Some(4096),
        io_read_bytes: Some(10),
        io_write_bytes: Some(20),
    };
    assert_eq!(group.usage().expect("files are there"), usage);
    assert_eq!(group.record(), plan.record());
    group.wait_empty(Duration::ZERO).expect("populated 0");
    fs::write(tree.path("job/cgroup.events"), "populated 1\nfrozen 0\n").expect("there");
    assert!(!group.is_empty().expect("readable"));
    assert!(matches!(
        Group::create(&plan),
        Err(CgroupError::Make {
            errno: Errno::EXIST,
            ..
        })
    ));
    assert!(
        tree.path("job").exists(),
        "a group that was there before is not removed"
    );
    fs::create_dir(tree.path("job/nested")).expect("in a temporary directory");
    group
        .remove(Duration::from_secs(1))
        .expect("nested groups are removed first");
    assert!(!tree.path("job").exists());
    group
        .remove(Duration::ZERO)
        .expect("to remove it again is fine");
    assert!(Group::open(&plan.record()).expect("valid").is_none());
}

#[test]
fn limit_that_is_not_taken_leaves_nothing() {
    let tree = Tree::new(CONTROLLERS);
    let host = tree.host("", &Settings::default());
    refuse(&tree.path(".children"), "pids.max", Errno::INVAL);
    let limits = Limits {
        memory_bytes: Some(65536),
        pids: Some(8),
        ..Limits::default()
    };
    let (plan, _) = plan("job", &limits, &host).expect("valid");
    let error = Group::create(&plan).expect_err("refused");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot write \"8\" to {}",
            tree.path("job/pids.max").display()
        )
    );
    let launch = error.to_launch_error();
    assert_eq!(
        (launch.errno, launch.stage),
        (Errno::INVAL.raw_os_error(), crate::outcome::Stage::Cgroup)
    );
    assert!(!tree.path("job").exists());
}

#[test]
fn records_that_point_elsewhere_are_refused() {
    let tree = Tree::new(CONTROLLERS);
    let host = tree.host("", &Settings::default());
    let (plan, _) = plan("job", &Limits::default(), &host).expect("valid");
    Group::create(&plan).expect("a directory can be made");
    let open = |path: PathBuf| {
        let mut record = plan.record();
        record.groups[0].path = path;
        Group::open(&record)
    };
    assert!(open(tree.path("job")).expect("its own").is_some());
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(elsewhere.path().join("job")).expect("in a temporary directory");
    std::os::unix::fs::symlink(tree.path(""), tree.path("link")).expect("in a temporary directory");
    for path in [
        elsewhere.path().join("job"),
        tree.path("jo"),
        tree.path(""),
        tree.path("job/../job"),
        PathBuf::from("job"),
        PathBuf::from("/proc/self/fd/0/job"),
    ] {
        let opened = open(path.clone());
        let refused = matches!(
            opened,
            Err(CgroupError::Foreign { .. } | CgroupError::Open { .. })
        );
        assert!(refused, "{}: {opened:?}", path.display());
    }
    assert!(matches!(
        open(tree.path("link/job")),
        Err(CgroupError::Open {
            errno: Errno::LOOP,
            ..
        })
    ));
}

#[test]
fn sweep_takes_what_begins_so_and_is_not_kept() {
    let tree = Tree::new(CONTROLLERS);
    let host = tree.host("", &Settings::default());
    for name in ["gradus-a", "gradus-b", "gradus", "other"] {
        tree.group(name);
    }
    let swept = sweep(&host, "gradus-", &["gradus-b".to_owned()]).expect("the parent can be read");
    assert_eq!(
        (swept.removed, swept.failed.len()),
        (vec!["gradus-a".to_owned()], 0)
    );
    let left = ["gradus-a", "gradus-b", "gradus", "other"].map(|name| tree.path(name).exists());
    assert_eq!(left, [false, true, true, true]);
    assert!(sweep(&host, "", &[]).is_err(), "everything is not a prefix");
}

#[test]
fn sweep_leaves_a_group_that_this_process_is_in() {
    let tree = Tree::new(CONTROLLERS);
    let host = tree.host("", &Settings::default());
    fs::write(
        tree.group("gradus-me").join("cgroup.procs"),
        std::process::id().to_string(),
    )
    .expect("there");
    let swept = sweep(&host, "gradus-", &[]).expect("the parent can be read");
    assert!(
        matches!(swept.failed.as_slice(), [(name, CgroupError::Inside { .. })] if name == "gradus-me")
    );
    assert_eq!(read(tree.path("gradus-me/cgroup.kill")), "");
}

#[test]
fn list_of_processes_that_is_longer_than_one_read_is_read_whole() {
    let tree = Tree::new(CONTROLLERS);
    let pids: Vec<i32> = (100_000..103_000).collect();
    let text: String = pids.iter().map(|pid| format!("{pid}\n")).collect();
    fs::write(tree.path("cgroup.procs"), text).expect("in a temporary directory");
    let dir = Dir::open(&tree.path(""), Backend::V2).expect("a made-up group");
    assert_eq!(dir.processes().expect("readable"), pids);
}
