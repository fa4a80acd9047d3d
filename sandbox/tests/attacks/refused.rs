//! Jobs whose refused system calls are written down: their filter asks the watcher, and no answer of it makes a call.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use gradus_sandbox::job::Job;
use gradus_sandbox::protocol::{Ended, KillReason};
use gradus_sandbox::refused::{RefusedCall, refused};
use gradus_sandbox::seccomp::Policy;

use super::arena::Arena;
use super::printing::ticks;
use super::rules::{ATTACK, Expected, cases, judge, write};

/// The attack as a job whose refused calls are written down.
fn recorded(arena: &Arena, name: &str, attack: &[&str]) -> Job {
    Job {
        record_refused: true,
        ..arena.job(name, attack)
    }
}

/// How it ended, what it printed and what it was refused; it is removed.
fn run(arena: &Arena, job: &Job) -> (Ended, String, Vec<RefusedCall>) {
    let mut started = arena.sandbox.start(job).unwrap();
    let ended = started.wait().unwrap();
    assert_eq!(ended.left, [""; 0], "{ended:?}");
    let calls = refused(&arena.directory(&job.name)).unwrap();
    let text = arena.printed(&job.name);
    arena.remove(&job.name);
    (ended, text, calls.unwrap_or_default())
}

#[test]
fn every_call_is_answered_as_without_the_record_and_is_on_it() {
    let Some(arena) = Arena::new() else { return };
    let policy = Policy::trainer();
    let asked = cases(&policy);
    write(&arena, &asked);
    let (_, printed, on_record) = run(&arena, &recorded(&arena, "recorded", &ATTACK));
    judge(&policy, &asked, &printed);
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for it in &asked {
        if matches!(it.expected, Expected::Stopped(_)) {
            *expected.entry(&it.call).or_default() += 1;
        }
    }
    let found: BTreeMap<&str, u64> = on_record
        .iter()
        .map(|it| (it.call.expect("it has a name"), it.times))
        .collect();
    for (call, times) in &expected {
        // A library's own attempts count too.
        let found = found.get(call).copied().unwrap_or(0);
        assert!(found >= *times, "{call}: {found} of {times} are on record");
    }
    let answer = |call: &str| {
        let it = on_record.iter().find(|it| it.call == Some(call));
        it.expect("it is there").answer.as_str()
    };
    assert_eq!((answer("ptrace"), answer("clone3")), ("EPERM", "ENOSYS"));
    let ptrace = on_record
        .iter()
        .find(|it| it.call == Some("ptrace"))
        .unwrap();
    assert_eq!(ptrace.arguments, [[u64::MAX; 6]]);
}

/// All that a hostile program asks, where the watcher answers in the filter's place.
#[test]
fn nothing_more_is_let_through_with_the_record() {
    let Some(arena) = Arena::new() else { return };
    let (_, printed, on_record) = run(&arena, &recorded(&arena, "asks", &["all-static"]));
    let allowed: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains(r#""got":"allowed""#))
        .collect();
    assert!(allowed.is_empty(), "{allowed:#?}");
    assert!(
        printed.lines().count() > 60 && on_record.len() > 30,
        "{on_record:?}"
    );
}

#[test]
fn a_flood_of_refused_calls_costs_the_watcher_little_and_no_disk() {
    let Some(arena) = Arena::new() else { return };
    let job = recorded(&arena, "asking", &["refused-flood", "ms=3000"]);
    let mut started = arena.sandbox.start(&job).unwrap();
    let (watcher, mut used, mut bytes) = (started.processes.watcher, 0, 0);
    let ended = loop {
        used = used.max(ticks(watcher));
        let file = arena.directory("asking").join("refused.json");
        bytes = bytes.max(fs::metadata(file).map_or(0, |meta| meta.len()));
        if let Some(ended) = started.wait_for(Duration::from_millis(20)).unwrap() {
            break ended;
        }
    };
    let text = arena.printed("asking");
    assert!(text.contains(" made 0"), "{text} {ended:?}");
    let calls = refused(&arena.directory("asking")).unwrap().unwrap();
    let times: u64 = calls.iter().map(|it| it.times).sum();
    println!(
        "{times} refused calls in 3 s cost the watcher {used}0 ms and {bytes} bytes of disk; {text}"
    );
    assert!(times > 1000, "{times}");
    assert!(used <= 60, "{used} ticks");
    assert!(bytes < 1 << 20, "{bytes}");
    arena.remove("asking");
}

#[test]
fn a_job_that_waits_for_an_answer_is_killed_like_any_other() {
    let Some(arena) = Arena::new() else { return };
    let job = recorded(&arena, "waiting", &["refused-flood", "ms=60000"]);
    let ran = arena.run_with(&job, |sandbox| {
        std::thread::sleep(Duration::from_millis(200));
        let cancelled = KillReason::Cancelled;
        sandbox.kill("waiting", cancelled, Duration::ZERO).unwrap();
    });
    assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
}

#[test]
fn without_being_asked_for_nothing_is_recorded() {
    let Some(arena) = Arena::new() else { return };
    let job = arena.job("plain", &["refused-flood", "ms=10"]);
    let (_, text, on_record) = run(&arena, &job);
    assert!(text.contains(" made 0") && on_record.is_empty(), "{text}");
}
