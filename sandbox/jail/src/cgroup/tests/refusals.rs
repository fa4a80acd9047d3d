//! Limits and names that become no plan.

use super::plans::host;
use crate::cgroup::{CgroupError, Controller, IoLimit, Limits, Swap, plan};

#[test]
fn limits_that_no_host_could_keep_are_refused() {
    let io = IoLimit {
        read_bps: Some(0),
        ..IoLimit::default()
    };
    let cpuset = |text: &str| Limits {
        cpuset: Some(text.to_owned()),
        ..Limits::default()
    };
    for (limits, word) in [
        (
            Limits {
                memory_bytes: Some(0),
                ..Limits::default()
            },
            "memory_bytes",
        ),
        (
            Limits {
                memory_bytes: Some(10),
                memory_min_bytes: Some(11),
                ..Limits::default()
            },
            "memory_min_bytes",
        ),
        (
            Limits {
                pids: Some(0),
                ..Limits::default()
            },
            "pids",
        ),
        (
            Limits {
                cpu_millis: Some(0),
                ..Limits::default()
            },
            "cpu_millis",
        ),
        (
            Limits {
                io: vec![io],
                ..Limits::default()
            },
            "block device",
        ),
        (cpuset(""), "cpuset"),
        (cpuset("3-1"), "cpuset"),
        (cpuset("0,"), "cpuset"),
        (cpuset("+1"), "cpuset"),
        (cpuset("0-99999999"), "cpuset"),
        (cpuset("0\n1"), "cpuset"),
    ] {
        match plan("j", &limits, &host(&Controller::ALL, &[], Swap::V2)) {
            Err(CgroupError::Invalid { what }) => assert!(what.contains(word), "{what}"),
            other => panic!("{limits:?} became {other:?}"),
        }
    }
}

#[test]
fn names_that_could_leave_the_parent_are_refused() {
    let long = "a".repeat(65);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "A",
        "-a",
        "_a",
        "a b",
        "memory.max",
        "ä",
        &long,
    ] {
        let planned = plan(
            name,
            &Limits::default(),
            &host(&Controller::ALL, &[], Swap::V2),
        );
        assert!(
            matches!(planned, Err(CgroupError::Invalid { .. })),
            "{name:?}"
        );
    }
    for name in ["a", "0-b_c", &"a".repeat(64)] {
        plan(
            name,
            &Limits::default(),
            &host(&Controller::ALL, &[], Swap::V2),
        )
        .expect(name);
    }
}
