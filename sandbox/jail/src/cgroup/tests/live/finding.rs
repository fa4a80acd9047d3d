//! What a host offers is found by trying.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::{helper_command, host_with, result_of, until};
use crate::cgroup::{Backend, Controller, Host, LimitName, Limits, Settings, THROWAWAY, plan};

#[test]
fn probing_leaves_no_group() {
    let Some(host) = host_with(&[Controller::Pids]) else {
        return;
    };
    let again = Host::discover(&Settings::default());
    assert_eq!(
        (&again.support, &again.v2, &again.v1),
        (&host.support, &host.v2, &host.v1)
    );
    let own = format!("{THROWAWAY}{}-", std::process::id());
    for hierarchy in again.v2.iter().chain(&again.v1) {
        // other tests of this process may be probing just now
        until("no group of a probe is left", || {
            let names = std::fs::read_dir(&hierarchy.parent)
                .expect("it was probed")
                .flatten();
            names
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(&own))
                .count()
                == 0
        });
    }
    eprintln!("{host}");
}

#[test]
#[ignore = "moves the test itself; for a machine of its own, in a group at the top of the only mount of cgroup2"]
fn own_group_is_emptied_if_that_is_allowed() {
    let host = Host::discover(&Settings::default());
    assert_eq!(host.backend(Controller::Memory), Backend::None, "{host}");
    assert_eq!(
        host.support[&Controller::Memory].missing[0].errno,
        rustix::io::Errno::BUSY.raw_os_error(),
        "{host}"
    );
    let host = Host::discover(&Settings {
        may_move: true,
        ..Settings::default()
    });
    for controller in Controller::ALL {
        assert_eq!(host.backend(controller), Backend::V2, "{host}");
    }
    let own = std::fs::read_to_string("/proc/self/cgroup").expect("proc is mounted");
    assert!(own.trim_end().ends_with("/supervisor"), "{own}");
    assert!(host.notes[0].starts_with("moved "), "{host}");
    eprintln!("{host}");
}

#[test]
fn user_without_privileges_has_none_and_reads_why() {
    if host_with(&[Controller::Pids]).is_none() {
        return;
    }
    // the user cannot reach where tests are built
    let directory = tempfile::tempdir().expect("a temporary directory");
    let copy = directory.path().join("copy");
    std::fs::copy(std::env::current_exe().expect("a test has a file"), &copy)
        .expect("in a temporary directory");
    for path in [directory.path(), &copy] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("just made");
    }
    let output = helper_command(&copy, "discover")
        .uid(65534)
        .gid(65534)
        .output()
        .expect("it can be started");
    let text = String::from_utf8(output.stdout).expect("text");
    let host: Host = serde_json::from_str(result_of(&text)).expect("a host");
    let denied = rustix::io::Errno::ACCESS.raw_os_error();
    for controller in Controller::ALL {
        assert_eq!(host.backend(controller), Backend::None, "{controller}");
        let missing = &host.support[&controller].missing;
        assert!(
            missing
                .iter()
                .any(|one| one.errno == denied && one.help.contains("run as root")),
            "{controller}: {missing:?}"
        );
    }
    assert_eq!((&host.v2, host.v1.len()), (&None, 0));
    let (plan, shortfalls) = plan(
        "job",
        &Limits {
            pids: Some(3),
            ..Limits::default()
        },
        &host,
    )
    .expect("valid");
    assert_eq!(plan.groups, []);
    assert_eq!(
        shortfalls.iter().map(|one| one.limit).collect::<Vec<_>>(),
        [LimitName::Pids, LimitName::Kill]
    );
    eprintln!("{host}");
}
