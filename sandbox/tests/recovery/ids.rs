//! Several state directories of one host: no two jobs have the same ids.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::Sandbox;

use crate::busybox::Busybox;
use crate::leftovers;

const HOSTS: &str = "/run/gradus/ids";

/// Ranges of the host that jobs of `state` have.
fn ranges(state: &Path) -> BTreeSet<String> {
    let state = state.canonicalize().unwrap();
    let entries = fs::read_dir(HOSTS).unwrap();
    let held = entries.filter_map(|entry| {
        let entry = entry.unwrap();
        let holder = fs::read_link(entry.path()).ok()?;
        let is_its = holder.to_string_lossy().contains(&*state.to_string_lossy());
        is_its.then(|| entry.file_name().into_string().unwrap())
    });
    held.collect()
}

/// The first id of a process's user namespace, as the host sees it.
fn first_id(pid: i32) -> u32 {
    let map = fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
    map.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn jobs_of_two_state_directories_never_have_the_same_ids() {
    let (Some(one), Some(other)) = (Busybox::new(), Busybox::new()) else {
        return;
    };
    // By one process, which begins to look at the same number for both.
    let mut firsts = BTreeSet::new();
    for round in 0..3 {
        for busybox in [&one, &other] {
            let name = format!("job-{round}");
            let job = busybox.job(&name, "sleep 60");
            let started = busybox.sandbox.start(&job).unwrap();
            firsts.insert(first_id(started.processes.init));
        }
    }
    assert_eq!(firsts.len(), 6, "{firsts:?}");
    let both = [&one, &other].map(|busybox| ranges(&busybox.path().join("state")));
    assert_eq!(both.each_ref().map(BTreeSet::len), [3, 3]);
    assert!(both[0].is_disjoint(&both[1]), "{both:?}");
    for busybox in [&one, &other] {
        for name in busybox.sandbox.state().names().unwrap() {
            let sandbox = &busybox.sandbox;
            sandbox
                .kill(&name, KillReason::Cancelled, std::time::Duration::ZERO)
                .unwrap();
            sandbox.wait(&name).unwrap();
            sandbox.remove(&name).unwrap();
        }
        assert_eq!(ranges(&busybox.path().join("state")), BTreeSet::new());
        leftovers::assert_none(busybox, "two state directories");
    }
}

#[test]
fn ids_of_a_state_directory_that_is_gone_are_free_again() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let place = busybox.path().join("short-lived");
    let sandbox = Sandbox::open(&place).unwrap();
    let mut job = busybox.job("job", "exit 3");
    job.outputs.clear();
    sandbox.start(&job).unwrap().wait().unwrap();
    let taken = ranges(&place);
    assert_eq!(taken.len(), 1);
    let place = place.canonicalize().unwrap();
    fs::remove_dir_all(&place).unwrap();
    busybox.sandbox.recover().unwrap();
    let holder = fs::read_link(Path::new(HOSTS).join(taken.first().unwrap()));
    let is_its = holder.is_ok_and(|it| it.to_string_lossy().contains(&*place.to_string_lossy()));
    assert!(!is_its, "{taken:?}");
}
