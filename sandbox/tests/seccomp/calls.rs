//! Rules that do not look at arguments.

use gradus_sandbox::seccomp::Policy;
use gradus_sandbox::seccomp::policy::Answer;

use crate::cases::{APART, KILL, number};
use crate::child::{Call, Filter, answers, error, run, signal, skip};

/// Each call that exists here, with arguments that name nothing.
fn of<'a>(calls: impl Iterator<Item = &'a String>) -> Vec<Call> {
    calls
        .filter(|name| APART.iter().all(|(apart, _)| apart != name) && number(name).is_some())
        .map(|name| Call::new(name, [u64::MAX; 6]))
        .collect()
}

fn denied(answer: Answer) -> Vec<Call> {
    let policy = Policy::trainer();
    of(policy
        .deny
        .iter()
        .filter(|it| it.answer == answer)
        .flat_map(|it| &it.calls))
}

#[test]
fn every_allowed_call_answers_as_it_does_without_the_filters() {
    let policy = Policy::trainer();
    let mut calls = of(policy.allow.iter().flat_map(|it| &it.calls));
    calls.push(Call::new("kill", KILL));
    assert!(calls.len() > 200);
    let (bare, filtered) = (answers(Filter::Off, &calls), answers(Filter::On, &calls));
    let mut unclear = Vec::new();
    for ((call, bare), filtered) in calls.iter().zip(bare).zip(filtered) {
        assert_eq!(
            filtered, bare,
            "{}: {filtered} with the filters, {bare} without",
            call.name
        );
        if [libc::EPERM, libc::ENOSYS].contains(&bare) {
            unclear.push(call.name.as_str());
        }
    }
    // their own answer cannot be told from a refusal
    assert!(unclear.len() < 12, "{unclear:?}");
    eprintln!("refused by the kernel itself: {unclear:?}");
}

#[test]
fn every_call_denied_as_forbidden_answers_eperm() {
    let calls = denied(Answer::Eperm);
    assert!(calls.len() > 40);
    for (call, answer) in calls.iter().zip(answers(Filter::On, &calls)) {
        assert_eq!(answer, libc::EPERM, "{}", call.name);
    }
}

#[test]
fn without_the_filters_it_is_not_eperm() {
    if !rustix::process::geteuid().is_root() {
        skip("only root is told something else than EPERM by calls that take capabilities");
        return;
    }
    // vhangup takes no arguments that could mean nothing; sync does what it does
    let mut calls = denied(Answer::Eperm);
    calls.retain(|call| !["vhangup", "sync"].contains(&call.name.as_str()));
    let answers = answers(Filter::Off, &calls);
    let eperm: Vec<&str> = calls
        .iter()
        .zip(answers)
        .filter(|(_, answer)| *answer == libc::EPERM)
        .map(|(call, _)| call.name.as_str())
        .collect();
    assert!(
        eperm.len() < 6,
        "so it says nothing that these are EPERM with the filters: {eperm:?}"
    );
    eprintln!("EPERM anyway: {eperm:?}");
}

#[test]
fn every_call_denied_as_absent_answers_enosys() {
    let calls = denied(Answer::Enosys);
    assert!(calls.iter().any(|call| call.name == "clone3"));
    for (call, answer) in calls.iter().zip(answers(Filter::On, &calls)) {
        assert_eq!(answer, libc::ENOSYS, "{}", call.name);
    }
}

#[test]
fn without_the_filters_clone3_is_there() {
    assert_ne!(
        answers(Filter::Off, &[Call::new("clone3", [u64::MAX; 6])]),
        [libc::ENOSYS]
    );
}

#[test]
fn threads_begin_and_end() {
    let output = run("threads", Filter::On, "");
    assert!(error(&output).contains("ANSWER 56"), "{}", error(&output));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn processes_begin() {
    let output = run("fork", Filter::On, "");
    assert!(error(&output).contains("ANSWER 7"), "{}", error(&output));
}

#[test]
fn signal_handlers_run_and_return() {
    let output = run("signals", Filter::On, "");
    assert!(error(&output).contains("ANSWER 1"), "{}", error(&output));
}

#[test]
fn interfaces_are_listed() {
    let output = run("interfaces", Filter::On, "");
    assert!(error(&output).contains("ANSWER 1"), "{}", error(&output));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_i386_kill() {
    let bare = run("i386", Filter::Off, "");
    if !error(&bare).contains("ANSWER 1") {
        skip(&format!(
            "this kernel makes no calls of i386 anyway: {}",
            bare.status
        ));
        return;
    }
    let output = run("i386", Filter::On, "");
    assert_eq!(signal(&output), Some(libc::SIGSYS), "{}", output.status);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_x32_kill() {
    assert_eq!(signal(&run("x32", Filter::Off, "")), None);
    assert_eq!(signal(&run("x32", Filter::On, "")), Some(libc::SIGSYS));
}

#[test]
#[ignore = "a measurement"]
fn cost_of_a_call() {
    for filter in [Filter::Off, Filter::On] {
        eprintln!("{filter:?}, ns: {}", error(&run("cost", filter, "")));
    }
}
