//! Limits that need no control group.

use std::process::{Child, Command};
use std::time::Duration;

use gradus_sandbox::job::{Job, Limits};
use gradus_sandbox::outcome::Outcome;

use crate::user::as_user;

/// Processes of the same user outside, which must not count.
struct Beside(Vec<Child>);

impl Beside {
    fn start(count: usize) -> Beside {
        let sleep = || Command::new("sleep").arg("60").spawn().unwrap();
        Beside((0..count).map(|_| sleep()).collect())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn processes_of_a_job_are_bounded_whatever_its_user_runs_beside_it() {
    as_user(
        "limits::processes_of_a_job_are_bounded_whatever_its_user_runs_beside_it",
        |home| {
            let _beside = Beside::start(20);
            let with = |name: &str, script: &str| {
                let job = home.job(name, script);
                Job {
                    limits: Limits {
                        pids: 12,
                        ..job.limits.clone()
                    },
                    ..job
                }
            };
            let fits = "for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; echo all; exit 0";
            let (_, text) = home.run(&with("fits", fits));
            assert_eq!(text, "all\n");
            let more =
                "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do sleep 60 & done; echo all; exit 0";
            let (ended, text) = home.run(&with("more", more));
            assert_ne!(ended.outcome, Outcome::Exited { code: 0 });
            assert_eq!(text, "");
        },
    );
}

#[test]
fn a_full_scratch_is_the_jobs_own() {
    as_user("limits::a_full_scratch_is_the_jobs_own", |home| {
        let script = "dd if=/dev/zero of=/out/big bs=1M count=16 2>/dev/null";
        let (ended, _) = home.run(&home.job("fills", script));
        assert_eq!(ended.outcome, Outcome::DiskFull);
    });
}

#[test]
fn a_deadline_ends_who_ignores_signals() {
    as_user("limits::a_deadline_ends_who_ignores_signals", |home| {
        let job = home.job("slow", "trap '' TERM; while :; do sleep 1; done");
        let job = Job {
            limits: Limits {
                wall: Some(Duration::from_millis(300)),
                ..job.limits.clone()
            },
            ..job
        };
        let (ended, _) = home.run(&job);
        assert_eq!(ended.outcome, Outcome::Deadline);
    });
}
