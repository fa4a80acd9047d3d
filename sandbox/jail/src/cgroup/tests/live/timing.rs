//! What groups cost. Run with `cargo test --release -p gradus-jail -- --ignored --nocapture cost`.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Guard, Job, host_with, pid_of, planned};
use crate::cgroup::files::Dir;
use crate::cgroup::group::Member;
use crate::cgroup::{Controller, Group, Host, Limits, Settings};

const ROUNDS: usize = 200;

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_micros();
    eprintln!(
        "{what:<28} {:>7} us (min {}, p90 {})",
        at(50),
        at(0),
        at(90)
    );
}

fn timed<T>(times: &mut Vec<Duration>, action: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = action();
    times.push(start.elapsed());
    value
}

/// Each directory and file by itself.
fn steps(host: &Host, limits: &Limits) {
    let mut times: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for _ in 0..ROUNDS / 4 {
        let plan = planned(host, limits);
        let mut guard = Guard {
            group: Group {
                name: plan.name.clone(),
                members: Vec::new(),
            },
        };
        for planned in &plan.groups {
            let controllers: Vec<String> = planned
                .controllers
                .iter()
                .map(Controller::to_string)
                .collect();
            let what = format!("mkdir {:?} {}", planned.backend, controllers.join(" "));
            let made = timed(times.entry(what).or_default(), || {
                Dir::make(&planned.path, planned.backend)
            });
            let dir = made.expect("the host was probed");
            for write in &planned.writes {
                let written = timed(times.entry(write.file.clone()).or_default(), || {
                    dir.write(&write.file, &write.value)
                });
                written.expect("the host was probed");
            }
            guard.group.members.push(Member {
                backend: planned.backend,
                controllers: planned.controllers.clone(),
                dir,
            });
        }
    }
    times
        .into_iter()
        .for_each(|(what, times)| report(&what, times));
}

#[test]
#[ignore = "prints figures"]
fn cost_of_groups() {
    let Some(host) = host_with(&[
        Controller::Memory,
        Controller::Pids,
        Controller::Cpu,
        Controller::Kill,
    ]) else {
        return;
    };
    let memory_pids = Limits {
        memory_bytes: Some(1 << 30),
        pids: Some(256),
        ..Limits::default()
    };
    let with_cpu = Limits {
        cpu_millis: Some(1000),
        ..memory_pids.clone()
    };
    for (what, limits) in [
        ("memory, pids", &memory_pids),
        ("memory, pids, cpu", &with_cpu),
    ] {
        let [mut create, mut open, mut enter, mut read, mut remove] =
            [(); 5].map(|()| Vec::with_capacity(ROUNDS));
        for _ in 0..ROUNDS {
            let plan = planned(host, limits);
            let group = Guard {
                group: timed(&mut create, || Group::create(&plan)).expect("the host was probed"),
            };
            let entrance = timed(&mut open, || group.entrance()).expect("the groups are there");
            let entering = std::thread::spawn(move || {
                timed(&mut Vec::new(), || {
                    let start = Instant::now();
                    entrance.enter().expect("the groups take it");
                    start.elapsed()
                })
            });
            enter.push(entering.join().expect("it does not panic"));
            group
                .wait_empty(Duration::from_secs(1))
                .expect("the thread has ended");
            timed(&mut read, || (group.events(), group.usage()))
                .0
                .expect("the groups are there");
            timed(&mut remove, || group.remove(Duration::from_secs(1))).expect("nothing is in it");
        }
        eprintln!("{what}, {ROUNDS} rounds: p50");
        report("create and limit", create);
        report("open the entrance", open);
        report("enter version 1 oneself", enter);
        report("read events and usage", read);
        report("remove", remove);
    }
    steps(host, &with_cpu);
    let mut add = Vec::new();
    let mut end = Vec::new();
    for _ in 0..20 {
        let group = Guard::make(host, &with_cpu);
        let mut command = Command::new("sleep");
        command.arg("1000").stdout(Stdio::null());
        let job = Job::outside(command);
        // the kernel is fast for a while after it was slow once
        std::thread::sleep(Duration::from_millis(50));
        timed(&mut add, || group.add(pid_of(&job.child), true)).expect("the groups take it");
        timed(&mut end, || group.end(Duration::from_secs(1))).expect("it ends");
    }
    report("add another process", add);
    report("kill one and wait", end);
    let mut discover = Vec::new();
    for _ in 0..20 {
        timed(&mut discover, || Host::discover(&Settings::default()));
    }
    report("discover the host", discover);
}
