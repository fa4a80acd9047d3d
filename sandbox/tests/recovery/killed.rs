//! SIGKILL at chosen system calls of whoever starts, watches, is or removes a job, and at many times of its life.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;

use crate::busybox::Busybox;
use crate::child::{SCRIPT, Supervisor};
use crate::leftovers;

/// Points of each kind, spread over all there are.
const POINTS: usize = 32;

/// Recovers and removes all jobs as another supervisor does, and checks that each ended in one of the ways that it can.
fn recover(busybox: &Busybox, after: &str) -> Vec<Outcome> {
    let sandbox = &busybox.sandbox;
    sandbox
        .recover()
        .unwrap_or_else(|error| panic!("{after}: {error:?}"));
    let mut outcomes = Vec::new();
    for job in sandbox.jobs().unwrap() {
        sandbox
            .kill(&job.name, KillReason::Cancelled, Duration::ZERO)
            .unwrap_or_else(|error| panic!("{after}: {error:?}"));
        let ended = sandbox.wait(&job.name).unwrap();
        let possible = matches!(
            ended.outcome,
            Outcome::Lost
                | Outcome::Cancelled
                | Outcome::Exited { code: 3 }
                | Outcome::Signalled { signal: 9 }
                | Outcome::LaunchFailed { .. }
        );
        assert!(possible && ended.left.is_empty(), "{after}: {ended:?}");
        sandbox.remove(&job.name).unwrap();
        outcomes.push(ended.outcome);
    }
    leftovers::assert_none(busybox, after);
    outcomes
}

/// strace on the thread `tid`, when it is there.
struct Strace(Child);

impl Strace {
    fn attach(tid: &str, arguments: &[&str]) -> Strace {
        let mut strace = Command::new("strace")
            .args(["-p", tid])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(strace.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        // What else it says is not wanted, and must not block it.
        std::thread::spawn(move || errors.read_to_end(&mut Vec::new()));
        Strace(strace)
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One life of a job under strace.
fn life(busybox: &Busybox, name: &str, arguments: &[&str]) -> bool {
    let mut supervisor = Supervisor::play(busybox.path(), &format!("life {name}"));
    let tid = supervisor.hear().unwrap();
    let strace = Strace::attach(&tid, arguments);
    supervisor.go();
    let done = supervisor.hear().is_some();
    supervisor.process.wait().unwrap();
    drop(strace);
    done
}

/// System calls by process, in the order of the processes' first ones.
fn traced(log: &Path) -> Vec<BTreeMap<String, usize>> {
    let (mut order, mut counts) = (Vec::new(), Vec::new());
    for line in fs::read_to_string(log).unwrap().lines() {
        // Processes are named only where several are followed.
        let call = line.trim_start_matches(|first: char| first.is_ascii_digit());
        let process = &line[..line.len() - call.len()];
        let Some((name, _)) = call.trim_start().split_once('(') else {
            continue;
        };
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte))
        {
            continue;
        }
        let index = order
            .iter()
            .position(|known| known == process)
            .unwrap_or_else(|| {
                order.push(process.to_owned());
                counts.push(BTreeMap::new());
                order.len() - 1
            });
        *counts[index].entry(name.to_owned()).or_insert(0) += 1;
    }
    counts
}

/// Evenly spread ones of all.
fn spread(all: Vec<(String, usize)>) -> Vec<(String, usize)> {
    let step = all.len().div_ceil(POINTS).max(1);
    all.into_iter().step_by(step).collect()
}

/// A sandbox, its host's place for a log, and how often a supervisor, a watcher, ... call what in a whole life.
fn baseline(follow: bool) -> Option<(Busybox, Vec<BTreeMap<String, usize>>)> {
    let busybox = Busybox::new()?;
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: this test needs strace, and leave to trace");
        return None;
    }
    // Once for the template of its scratch.
    busybox.run(&busybox.job("first", SCRIPT));
    busybox.sandbox.remove("first").unwrap();
    let log = busybox.path().join("trace");
    let path = log.to_str().unwrap().to_owned();
    let mut arguments = vec!["-o", &path];
    if follow {
        arguments.push("-f");
    }
    assert!(life(&busybox, "traced", &arguments));
    let mut calls = traced(&log);
    if !follow {
        // Whoever waits asks again and again, the more often the slower the life: a call that a quicker one never makes kills nobody.
        for _ in 0..2 {
            assert!(life(&busybox, "traced", &arguments));
            let again = traced(&log);
            for (call, count) in &mut calls[0] {
                *count = (*count).min(again[0].get(call).copied().unwrap_or(0));
            }
        }
    }
    Some((busybox, calls))
}

fn kill_at(busybox: &Busybox, points: &[(String, usize)], follow: bool) -> (usize, Duration) {
    let begun = Instant::now();
    let mut killed = 0;
    for (call, number) in points {
        let inject = format!("inject={call}:signal=SIGKILL:when={number}");
        let trace = format!("trace={call}");
        let mut arguments = vec!["-o", "/dev/null", "-e", &inject, "-e", &trace];
        if follow {
            arguments.push("-f");
        }
        let done = life(busybox, "killed", &arguments);
        let outcomes = recover(busybox, &format!("SIGKILL at {call} number {number}"));
        killed += usize::from(!done);
        println!("{call} {number}: done {done}, then {outcomes:?}");
    }
    (killed, begun.elapsed())
}

#[test]
fn a_supervisor_killed_at_any_system_call_loses_nothing_and_leaves_nothing() {
    let Some((busybox, calls)) = baseline(false) else {
        return;
    };
    let all = calls[0]
        .iter()
        .flat_map(|(call, count)| (1..=*count).map(|number| (call.clone(), number)));
    let points = spread(all.collect());
    let (killed, time) = kill_at(&busybox, &points, false);
    eprintln!(
        "supervisor: {} points, {killed} killed, {time:?}",
        points.len()
    );
    assert!(killed >= 20, "{killed} of {}", points.len());
}

#[test]
fn a_watcher_or_first_process_killed_at_any_system_call_leaves_nothing() {
    let Some((busybox, calls)) = baseline(true) else {
        return;
    };
    let [supervisor, watched @ ..] = &calls[..] else {
        panic!("{calls:?}");
    };
    // Counted in each process: what the supervisor calls as often would kill that.
    let mut all: Vec<(String, usize)> = watched
        .iter()
        .flatten()
        .flat_map(|(call, count)| {
            let first = supervisor.get(call).copied().unwrap_or(0) + 1;
            (first..=*count).map(|number| (call.clone(), number))
        })
        .collect();
    all.sort();
    all.dedup();
    let points = spread(all);
    let (_, time) = kill_at(&busybox, &points, true);
    eprintln!("watchers: {} points, {time:?}", points.len());
    assert!(points.len() >= 20, "{points:?}");
}

/// An emulated processor is some twenty times slower: every sixth time is tried there.
fn stride() -> usize {
    match std::env::var_os("GRADUS_TEST_EMULATED") {
        Some(_) => 6,
        None => 1,
    }
}

#[test]
fn a_watcher_killed_at_any_time_of_its_job_takes_it_along() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    let mut ends = BTreeMap::new();
    for step in (0..24).step_by(stride()) {
        let name = format!("job-{step}");
        let mut started = busybox.sandbox.start(&busybox.job(&name, SCRIPT)).unwrap();
        std::thread::sleep(Duration::from_micros(500 * step));
        let watcher = rustix::process::Pid::from_raw(started.processes.watcher).unwrap();
        let _ = rustix::process::kill_process(watcher, rustix::process::Signal::KILL);
        let heard = started.wait();
        // What was heard is what is written down. A process that another test is just starting may hold a copy of the lock for a moment,
        // and the watcher seems to live: so it is waited for.
        let written = busybox.sandbox.wait(&name).unwrap();
        match heard {
            Ok(ended) => assert_eq!(ended, written),
            Err(_) => assert!(written.left.is_empty(), "{written:?}"),
        }
        for outcome in recover(&busybox, &format!("watcher killed after {step} half ms")) {
            *ends.entry(outcome.to_string()).or_insert(0) += 1;
        }
    }
    eprintln!("watchers killed in time: {ends:?}");
    assert!(ends["lost with its watcher"] > 0, "{ends:?}");
}

#[test]
fn a_supervisor_killed_at_any_time_of_a_launch_loses_nothing() {
    let Some(busybox) = Busybox::new() else {
        return;
    };
    busybox.run(&busybox.job("first", SCRIPT));
    busybox.sandbox.remove("first").unwrap();
    let mut supervisor = Supervisor::play(busybox.path(), "life measured");
    supervisor.hear().unwrap();
    let begun = Instant::now();
    supervisor.go();
    supervisor.hear().unwrap();
    let whole = begun.elapsed();
    supervisor.process.wait().unwrap();
    let mut ends = BTreeMap::new();
    for step in (0..24).step_by(stride()) {
        let mut supervisor = Supervisor::play(busybox.path(), "life timed");
        supervisor.hear().unwrap();
        supervisor.go();
        std::thread::sleep(whole * step / 20);
        supervisor.process.kill().unwrap();
        supervisor.process.wait().unwrap();
        for outcome in recover(
            &busybox,
            &format!("supervisor killed after {step}/20 of {whole:?}"),
        ) {
            *ends.entry(outcome.to_string()).or_insert(0) += 1;
        }
    }
    eprintln!("supervisors killed within {whole:?}: {ends:?}");
}
