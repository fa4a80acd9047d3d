//! Launch, outputs, ends, recovery.

use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use gradus_sandbox::guarantees::{guarantees, missing};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::outputs::{CollectLimits, collect};
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::SandboxError;
use gradus_sandbox::store::Store;
use rustix::process::{Pid, Signal, kill_process};

use crate::user::as_user;

/// How many processes of the host sleep for that long, which nothing else does.
fn sleepers(seconds: &str) -> usize {
    let command = format!("sleep\0{seconds}\0");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            fs::read(process.path().join("cmdline")).is_ok_and(|it| it == command.as_bytes())
        })
        .count()
}

#[test]
fn a_job_runs_and_its_record_says_what_holds() {
    as_user("jobs::a_job_runs_and_its_record_says_what_holds", |home| {
        let job = home.job("first", "id -u; cat /in/data; echo no > /in/data; exit 7");
        let (ended, text) = home.run(&job);
        assert_eq!(ended.outcome, Outcome::Exited { code: 7 });
        assert_eq!(text, "0\nan input");
        let record = home.sandbox.state().record("first").unwrap();
        let plan = home.sandbox.state().plan("first").unwrap().unwrap();
        let all = guarantees(&plan, record.processes.as_ref());
        let lacks: Vec<&str> = missing(&all).map(|one| one.what).collect();
        let grouped = plan.cgroup.is_some();
        let expected = [
            "user ids that nobody else has",
            "devices by number",
            "limit of memory and none of swap",
        ];
        assert_eq!(lacks, &expected[..if grouped { 2 } else { 3 }], "{all:#?}");
        assert_eq!(all.len(), 11, "{all:#?}");
    });
}

#[test]
fn without_leave_a_limit_that_nobody_keeps_is_a_refusal() {
    as_user(
        "jobs::without_leave_a_limit_that_nobody_keeps_is_a_refusal",
        |home| {
            let job = gradus_sandbox::job::Job {
                best_effort: false,
                ..home.job("strict", "exit 0")
            };
            match home.sandbox.start(&job) {
                Err(error @ SandboxError::Shortfall { .. }) => {
                    let text = error.to_string();
                    assert!(
                        text.contains("the limit of memory (no control group"),
                        "{text}"
                    );
                    assert!(
                        !text.contains("the limit of processes")
                            && !text.contains("that its end is the end"),
                        "{text}"
                    );
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(home.sandbox.state().names().unwrap(), [""; 0]);
        },
    );
}

#[test]
fn another_user_inside_is_refused_since_there_is_none() {
    as_user(
        "jobs::another_user_inside_is_refused_since_there_is_none",
        |home| {
            let job = gradus_sandbox::job::Job {
                uid: 1000,
                ..home.job("other", "exit 0")
            };
            let error = home.sandbox.start(&job).unwrap_err().to_string();
            assert!(error.contains("user 1000 and group 0"), "{error}");
        },
    );
}

#[test]
fn outputs_are_taken_as_of_any_job() {
    as_user("jobs::outputs_are_taken_as_of_any_job", |home| {
        let job = home.job(
            "writes",
            "echo weights > /out/model; echo gone > /elsewhere",
        );
        let (ended, _) = home.run(&job);
        assert_eq!(ended.outcome, Outcome::Exited { code: 0 });
        let outputs = home.sandbox.outputs("writes").unwrap().unwrap();
        let store = Store::open(&home.sandbox.state().store()).unwrap();
        let taken = collect(outputs.as_fd(), &CollectLimits::default(), &store).unwrap();
        for (name, tree) in taken.outputs() {
            store
                .materialise(tree, &home.path("home").join(name))
                .unwrap();
        }
        let written = fs::read_to_string(home.path("home/model/model")).unwrap();
        assert_eq!(written, "weights\n");
        assert!(!home.path("rootfs/elsewhere").exists());
        drop(outputs);
        home.sandbox.remove("writes").unwrap();
        assert_eq!(home.sandbox.state().names().unwrap(), [""; 0]);
    });
}

#[test]
fn a_job_that_is_ended_takes_its_daemons_along() {
    as_user(
        "jobs::a_job_that_is_ended_takes_its_daemons_along",
        |home| {
            let seconds = format!("1{}", std::process::id());
            let script =
                format!("trap '' TERM; for i in 1 2 3 4 5; do setsid sleep {seconds} & done; wait");
            let mut started = home.sandbox.start(&home.job("daemons", &script)).unwrap();
            while sleepers(&seconds) < 5 {
                std::thread::yield_now();
            }
            home.sandbox
                .kill("daemons", KillReason::Cancelled, Duration::from_millis(50))
                .unwrap();
            assert_eq!(started.wait().unwrap().outcome, Outcome::Cancelled);
            assert_eq!(sleepers(&seconds), 0);
        },
    );
}

#[test]
fn a_watcher_that_is_killed_takes_its_job_along() {
    as_user(
        "jobs::a_watcher_that_is_killed_takes_its_job_along",
        |home| {
            let seconds = format!("2{}", std::process::id());
            let script = format!("for i in 1 2 3; do setsid sleep {seconds} & done; wait");
            let started = home.sandbox.start(&home.job("orphan", &script)).unwrap();
            while sleepers(&seconds) < 3 {
                std::thread::yield_now();
            }
            let watcher = Pid::from_raw(started.processes.watcher).unwrap();
            kill_process(watcher, Signal::KILL).unwrap();
            let ended = home.sandbox.wait("orphan").unwrap();
            assert_eq!(ended.outcome, Outcome::Lost);
            while sleepers(&seconds) > 0 {
                std::thread::yield_now();
            }
            home.sandbox.recover().unwrap();
            home.sandbox.remove("orphan").unwrap();
            assert_eq!(home.sandbox.state().names().unwrap(), [""; 0]);
        },
    );
}
