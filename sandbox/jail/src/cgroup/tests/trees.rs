//! Over made-up trees of version 2: what a host has, and groups that are made, opened and removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use tempfile::TempDir;

use super::fake::MARK;
use crate::cgroup::{
    Backend, CgroupError, Controller, Events, Group, Host, Layout, Limits, Place, Settings, Swap,
    Usage, plan, sweep,
};

const CONTROLLERS: &str = "cpuset cpu io memory pids\n";

struct Tree {
    top: TempDir,
}

impl Tree {
    /// A tree whose new groups have the files of version 2 and `controllers`.
    fn new(controllers: &str) -> Tree {
        let tree = Tree {
            top: tempfile::Builder::new()
                .prefix(MARK)
                .tempdir()
                .expect("a temporary directory"),
        };
        fs::create_dir(tree.path(".children")).expect("in a temporary directory");
        for (file, text) in [
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", ""),
            ("cgroup.procs", ""),
            ("cgroup.events", "populated 0\nfrozen 0\n"),
            ("cgroup.freeze", ""),
            ("cgroup.kill", ""),
            ("cpu.stat", "usage_usec 1234\nuser_usec 1000\n"),
            ("cpu.max", ""),
            ("cpuset.cpus", ""),
            ("cpuset.cpus.effective", "0-3\n"),
            ("cpuset.mems.effective", "0\n"),
            ("io.max", ""),
            ("io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=1\n"),
            ("memory.max", ""),
            ("memory.min", ""),
            ("memory.low", ""),
            ("memory.swap.max", ""),
            ("memory.oom.group", ""),
            ("memory.peak", "4096\n"),
            (
                "memory.events",
                "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 1\n",
            ),
            ("pids.max", ""),
            ("pids.events", "max 7\n"),
        ] {
            fs::write(tree.path(".children").join(file), text).expect("in a temporary directory");
        }
        super::fake::made(tree.top.path());
        tree
    }

    fn path(&self, below: &str) -> PathBuf {
        if below.is_empty() {
            self.top.path().to_owned()
        } else {
            self.top.path().join(below)
        }
    }

    fn group(&self, below: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(&path).expect("in a temporary directory");
        super::fake::made(&path);
        path
    }

    fn host(&self, own: &str, settings: &Settings) -> Host {
        let place = Place {
            mount: self.path(""),
            own: Some(self.path(own)),
            controllers: vec![],
        };
        Host::probe(
            &Layout {
                v2: Some(place),
                v1: vec![],
            },
            settings,
            Some("8:0"),
        )
    }
}

fn refuse(group: &Path, file: &str, errno: Errno) {
    fs::write(
        group.join(format!(".refuse-{file}")),
        errno.raw_os_error().to_string(),
    )
    .expect("in a temporary directory");
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parent(host: &Host) -> PathBuf {
    host.v2.as_ref().expect("version 2 is there").parent.clone()
}

#[test]
fn root_with_every_controller_is_the_parent_itself() {
    let tree = Tree::new(CONTROLLERS);
    let host = tree.host("", &Settings::default());
    for controller in Controller::ALL {
        assert_eq!(
            host.backend(controller),
            Backend::V2,
            "{}",
            host.why(controller)
        );
    }
    assert_eq!(
        (parent(&host), host.swap, host.cpus.as_str()),
        (tree.path(""), Swap::V2, "0-3")
    );
    assert_eq!(host.notes, [""; 0]);
    let left: Vec<_> = fs::read_dir(tree.path(""))
        .expect("there")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .collect();
    assert_eq!(left.len(), 1, "only .children is left: {left:?}");
}

#[test]
fn own_group_with_processes_gets_a_group_beside_it() {
    let tree = Tree::new(CONTROLLERS);
    let own = tree.group("system.slice/gradus.service");
    super::fake::made(&tree.path("system.slice"));
    refuse(&own, "cgroup.subtree_control", Errno::BUSY);
    let host = tree.host("system.slice/gradus.service", &Settings::default());
    assert_eq!(parent(&host), tree.path("system.slice/gradus"));
    assert_eq!(host.backend(Controller::Memory), Backend::V2);
    assert_eq!(host.notes.len(), 1, "{:?}", host.notes);
    // the second time it is found, not made
    let again = tree.host("system.slice/gradus.service", &Settings::default());
    assert_eq!((parent(&again), again.notes.len()), (parent(&host), 0));
}

#[test]
fn container_whose_only_group_has_processes_says_so_and_still_kills() {
    let tree = Tree::new(CONTROLLERS);
    refuse(&tree.path(""), "cgroup.subtree_control", Errno::BUSY);
    let host = tree.host("", &Settings::default());
    assert_eq!(parent(&host), tree.path(""));
    for controller in [
        Controller::Memory,
        Controller::Pids,
        Controller::Cpu,
        Controller::Cpuset,
        Controller::Io,
    ] {
        assert_eq!(host.backend(controller), Backend::None);
        let missing = &host.support[&controller].missing[0];
        assert_eq!(missing.errno, Errno::BUSY.raw_os_error());
        assert!(missing.help.contains("delegated"), "{missing}");
    }
    for controller in [
        Controller::Kill,
        Controller::Freezer,
        Controller::Accounting,
    ] {
        assert_eq!(host.backend(controller), Backend::V2);
    }
}

#[test]
fn processes_are_moved_below_only_if_that_is_allowed() {
    let tree = Tree::new(CONTROLLERS);
    refuse(&tree.path(""), "cgroup.subtree_control", Errno::BUSY);
    tree.host("", &Settings::default());
    assert!(!tree.path("supervisor").exists());
    let host = tree.host(
        "",
        &Settings {
            may_move: true,
            ..Settings::default()
        },
    );
    assert!(tree.path("supervisor").exists());
    assert!(host.notes[0].contains("moved"), "{:?}", host.notes);
}

#[test]
fn delegated_group_is_the_parent_and_no_other_is_tried() {
    let tree = Tree::new(CONTROLLERS);
    let delegated = tree.group("delegated");
    let settings = |path: &Path| Settings {
        delegated: Some(path.to_owned()),
        may_move: false,
    };
    let host = tree.host("", &settings(&delegated));
    assert_eq!(
        (parent(&host), host.backend(Controller::Memory)),
        (delegated, Backend::V2)
    );
    assert_eq!(
        read(tree.path("delegated/cgroup.subtree_control")).len(),
        "+memory".len()
    );
    assert_eq!(
        read(tree.path("cgroup.subtree_control")),
        "",
        "the own group is left alone"
    );
    let host = tree.host("", &settings(&tree.path("not-there")));
    assert_eq!(
        (host.v2.clone(), host.backend(Controller::Kill)),
        (None, Backend::None)
    );
    assert_eq!(
        host.support[&Controller::Kill].missing[0].errno,
        Errno::NOENT.raw_os_error()
    );
}

#[test]
fn controller_that_is_not_offered_is_named() {
    let tree = Tree::new("cpu pids\n");
    let host = tree.host("", &Settings::default());
    assert_eq!(
        (
            host.backend(Controller::Pids),
            host.backend(Controller::Memory)
        ),
        (Backend::V2, Backend::None)
    );
    assert!(
        host.why(Controller::Memory).contains("cpu pids"),
        "{}",
        host.why(Controller::Memory)
    );
    assert_ne!(host.swap, Swap::V2);
}

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
