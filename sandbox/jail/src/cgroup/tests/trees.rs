//! Over made-up trees of version 2: what a host has.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use tempfile::TempDir;

use super::fake::MARK;
use crate::cgroup::{Backend, Controller, Host, Layout, Place, Settings, Swap};

pub(super) const CONTROLLERS: &str = "cpuset cpu io memory pids\n";

pub(super) struct Tree {
    top: TempDir,
}

impl Tree {
    /// A tree whose new groups have the files of version 2 and `controllers`.
    pub(super) fn new(controllers: &str) -> Tree {
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

    pub(super) fn path(&self, below: &str) -> PathBuf {
        if below.is_empty() {
            self.top.path().to_owned()
        } else {
            self.top.path().join(below)
        }
    }

    pub(super) fn group(&self, below: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(&path).expect("in a temporary directory");
        super::fake::made(&path);
        path
    }

    pub(super) fn host(&self, own: &str, settings: &Settings) -> Host {
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

pub(super) fn refuse(group: &Path, file: &str, errno: Errno) {
    fs::write(
        group.join(format!(".refuse-{file}")),
        errno.raw_os_error().to_string(),
    )
    .expect("in a temporary directory");
}

pub(super) fn read(path: PathBuf) -> String {
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
fn group_with_processes_is_not_even_asked_for_what_threads_could_have() {
    let tree = Tree::new("cpu pids\n");
    fs::write(tree.path("cgroup.type"), "domain\n").expect("in a temporary directory");
    fs::write(tree.path("cgroup.procs"), "1\n2\n").expect("in a temporary directory");
    let host = tree.host("", &Settings::default());
    assert_eq!(
        host.support[&Controller::Pids].missing[0].errno,
        Errno::BUSY.raw_os_error()
    );
    assert_eq!(read(tree.path("cgroup.subtree_control")), "");
}

#[test]
fn parent_whose_groups_can_have_no_processes_is_of_no_use() {
    let tree = Tree::new(CONTROLLERS);
    fs::write(tree.path(".children/cgroup.type"), "domain invalid\n")
        .expect("in a temporary directory");
    let host = tree.host("", &Settings::default());
    for controller in Controller::ALL {
        assert_eq!(host.backend(controller), Backend::None);
        assert!(
            host.why(controller).contains("domain invalid"),
            "{}",
            host.why(controller)
        );
    }
    assert_eq!(host.v2, None);
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
