//! What jobs reach: their loopback, who answers there for whoever started them, and each other where that was asked for.

mod busybox;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use busybox::Busybox;
use gradus_sandbox::job::{Job, Network};
use gradus_sandbox::outcome::{Outcome, Stage};
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::SandboxError;

const DONE: Outcome = Outcome::Exited { code: 0 };

fn with_proxy(box_: &Busybox, name: &str, script: &str) -> Job {
    Job {
        network: Network {
            proxy_port: Some(3128),
            ..Network::default()
        },
        outputs: Vec::new(),
        ..box_.job(name, script)
    }
}

fn next_to(box_: &Busybox, of: &str, name: &str, script: &str) -> Job {
    Job {
        network: Network {
            of: Some(of.to_owned()),
            ..Network::default()
        },
        outputs: Vec::new(),
        ..box_.job(name, script)
    }
}

fn printed(box_: &Busybox, name: &str) -> String {
    let mut reader = gradus_sandbox::logs::Reader::open(&box_.directory(name)).unwrap();
    let mut bytes = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        bytes.extend(record.bytes);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn who_starts_a_job_answers_on_the_proxys_port() {
    let Some(box_) = Busybox::new() else { return };
    let script =
        "[ \"$(echo question | nc 127.0.0.1 3128)\" = answer ] && ! nc 127.0.0.1 3129 </dev/null";
    let mut job = box_
        .sandbox
        .start(&with_proxy(&box_, "asks", script))
        .unwrap();
    let listener = TcpListener::from(job.proxy.take().expect("the plan has a proxy's port"));
    let (mut connection, from) = listener.accept().unwrap();
    assert!(from.ip().is_loopback());
    let mut question = [0; 9];
    connection.read_exact(&mut question).unwrap();
    assert_eq!(&question, b"question\n");
    connection.write_all(b"answer\n").unwrap();
    drop(connection);
    assert_eq!(
        job.wait().unwrap().outcome,
        DONE,
        "{}",
        printed(&box_, "asks")
    );
}

/// Nothing of the socket is the job's: it has no descriptor of it, cannot take the port, and finds nobody there when its owner is gone.
#[test]
fn a_proxys_socket_is_not_the_jobs() {
    let Some(box_) = Busybox::new() else { return };
    let script = "
        for fd in /proc/self/fd/* /proc/1/fd/*; do ls -l $fd; done 2>/dev/null | grep socket && exit 1
        nc -l -p 3128 </dev/null && exit 2
        echo looked | nc 127.0.0.1 3128
        until ! nc 127.0.0.1 3128 </dev/null; do sleep 0.01; done
        exit 0";
    let mut job = box_
        .sandbox
        .start(&with_proxy(&box_, "alone", script))
        .unwrap();
    let listener = TcpListener::from(job.proxy.take().unwrap());
    drop(listener.accept().unwrap());
    drop(listener);
    assert_eq!(
        job.wait().unwrap().outcome,
        DONE,
        "{}",
        printed(&box_, "alone")
    );
}

#[test]
fn a_job_without_a_proxy_gives_out_no_socket() {
    let Some(box_) = Busybox::new() else { return };
    let mut job = box_
        .sandbox
        .start(&box_.job("none", "! nc 127.0.0.1 3128 </dev/null"))
        .unwrap();
    assert!(job.proxy.is_none());
    assert_eq!(job.wait().unwrap().outcome, DONE);
}

#[test]
fn neighbours_share_a_loopback_and_nothing_else() {
    let Some(box_) = Busybox::new() else { return };
    let serve = "echo mine > /tmp/mine; while :; do echo hello | nc -l -p 7000; done";
    let mut serves = box_.sandbox.start(&box_.job("serves", serve)).unwrap();
    let ask = "
        until [ \"$(nc 127.0.0.1 7000 </dev/null)\" = hello ]; do sleep 0.01; done
        [ ! -e /tmp/mine ] || exit 1
        [ -e /sys/devices/system/cpu ] || exit 2
        [ \"$(ls /sys/class/net)\" = lo ] || exit 3
        echo x > /sys/class/net/lo/mtu && exit 4
        [ \"$(ls -d /proc/[0-9]* | head -n 1)\" = /proc/1 ] || exit 5
        kill -0 2 2>/dev/null; exit 0";
    let ended = box_.run(&next_to(&box_, "serves", "asks", ask));
    assert_eq!(ended.outcome, DONE, "{}", printed(&box_, "asks"));
    // One that was not asked for has a loopback of its own.
    let ended = box_.run(&box_.job("stranger", "! nc 127.0.0.1 7000 </dev/null"));
    assert_eq!(ended.outcome, DONE);
    box_.sandbox
        .kill("serves", KillReason::Cancelled, Duration::ZERO)
        .unwrap();
    serves.wait().unwrap();
    let error = box_
        .sandbox
        .start(&next_to(&box_, "serves", "late", ":"))
        .unwrap_err();
    assert!(
        matches!(&error, SandboxError::RunsNot(name) if name == "serves"),
        "{error:?}"
    );
    let error = box_
        .sandbox
        .start(&next_to(&box_, "nobody", "late", ":"))
        .unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
    assert_eq!(
        box_.sandbox.jobs().unwrap().len(),
        3,
        "what was not started is not there"
    );
}

/// A watcher that has been to another network is back in its own: what it starts next, and it itself, are the host's.
#[test]
fn a_watcher_comes_back_from_its_neighbours_network() {
    let Some(box_) = Busybox::new() else { return };
    let mut serves = box_.sandbox.start(&box_.job("first", "sleep 60")).unwrap();
    let second = box_
        .sandbox
        .start(&next_to(&box_, "first", "second", "sleep 60"))
        .unwrap();
    let namespace = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(namespace(second.processes.watcher), own);
    assert_eq!(
        namespace(second.processes.init),
        namespace(serves.processes.init)
    );
    assert_ne!(namespace(second.processes.init), own);
    for name in ["first", "second"] {
        box_.sandbox
            .kill(name, KillReason::Cancelled, Duration::ZERO)
            .unwrap();
    }
    serves.wait().unwrap();
}

/// Of two that share a loopback only one can listen on a port: the other's launch says so, and leaves nothing.
#[test]
fn a_port_that_is_taken_is_a_failed_launch() {
    let Some(box_) = Busybox::new() else { return };
    let first = box_
        .sandbox
        .start(&with_proxy(&box_, "first", "sleep 60"))
        .unwrap();
    let mut job = next_to(&box_, "first", "second", ":");
    job.network.proxy_port = Some(3128);
    match box_.sandbox.start(&job) {
        Err(SandboxError::Launch { source, .. }) => {
            assert_eq!(
                (source.stage, source.errno),
                (Stage::Network, libc::EADDRINUSE)
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(box_.sandbox.jobs().unwrap().len(), 1);
    drop(first);
}
