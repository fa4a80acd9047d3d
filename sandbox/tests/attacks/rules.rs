//! Every rule of `sandbox/seccomp`, by a job that makes calls which it allows and calls which it stops. Which ones comes from the rules: one
//! that is added is tried, and one that nothing is known to try fails here.
//!
//! What a rule allows is answered by the kernel behind the filters: with something else than what a filter says. All values, and the same with
//! and without filters, by `sandbox/tests/seccomp`.

use std::collections::BTreeMap;
use std::fs;

use gradus_sandbox::job::BuildStep;
use gradus_sandbox::seccomp::policy::{Answer, Policy, When};

use super::arena::Arena;
use super::cases::{APART, KILL, meeting, number};
use super::gpus::place::Place;

/// What a call is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Made,
    Stopped(i32),
}

/// A call that says something of a rule.
#[derive(Debug)]
pub(crate) struct Asked {
    rule: String,
    pub(crate) call: String,
    number: u32,
    arguments: [u64; 6],
    pub(crate) expected: Expected,
}

/// Calls for all rules. Of a rule's calls, those that this architecture does not have are left out, and those that mean something whatever
/// their arguments are.
pub(crate) fn cases(policy: &Policy) -> Vec<Asked> {
    let mut asked = Vec::new();
    let mut ask = |rule: &str, call: &str, arguments, expected| {
        asked.extend(number(call).map(|number| Asked {
            rule: rule.to_owned(),
            call: call.to_owned(),
            number,
            arguments,
            expected,
        }));
    };
    let means_nothing = |call: &String| APART.iter().all(|(apart, _)| apart != call);
    for rule in &policy.allow {
        let label = format!("allow {:?}", rule.group);
        for call in rule.calls.iter().filter(|call| means_nothing(call)) {
            ask(&label, call, [u64::MAX; 6], Expected::Made);
        }
        if rule.calls.iter().any(|call| call == "kill") {
            ask(&label, "kill", KILL, Expected::Made);
        }
    }
    for rule in &policy.deny {
        let label = format!("deny {:?}", rule.group);
        let error = match rule.answer {
            Answer::Eperm => libc::EPERM,
            Answer::Enosys => libc::ENOSYS,
        };
        for call in &rule.calls {
            ask(&label, call, [u64::MAX; 6], Expected::Stopped(error));
        }
    }
    for rule in &policy.when {
        for (place, case) in rule.case.iter().enumerate() {
            let label = format!("when {} {place} {:?}", rule.call, case.reason);
            let met = meeting(rule, case);
            for argument in &case.arguments {
                let index = usize::from(argument.index);
                for value in &argument.is {
                    let mut arguments = met;
                    arguments[index] = u64::from(*value) | met[index] & u64::from(!argument.mask);
                    ask(&label, &rule.call, arguments, Expected::Made);
                }
                for arguments in beside(rule, met, index) {
                    ask(
                        &label,
                        &rule.call,
                        arguments,
                        Expected::Stopped(libc::EPERM),
                    );
                }
            }
        }
    }
    asked
}

/// What differs from `met` in one bit of one argument, and meets no case of the rule: two of them, if there are some.
fn beside(rule: &When, met: [u64; 6], index: usize) -> impl Iterator<Item = [u64; 6]> {
    let changed = (0..32).map(move |bit| {
        let mut arguments = met;
        arguments[index] ^= 1 << bit;
        arguments
    });
    changed
        .filter(|it| !rule.case.iter().any(|case| case.matches(it)))
        .take(2)
}

/// The file from which the probe reads `asked`, among the job's inputs.
pub(crate) fn write(arena: &Arena, asked: &[Asked]) {
    let line = |it: &Asked| {
        let arguments: Vec<String> = it.arguments.iter().map(u64::to_string).collect();
        format!("{} {}\n", it.number, arguments.join(" "))
    };
    let text: String = asked.iter().map(line).collect();
    fs::write(arena.path("input/calls"), text).unwrap();
}

pub(crate) const ATTACK: [&str; 2] = ["calls", "from=/in/calls"];

/// Every rule has what it allows and what it stops, as far as it does both, and all of it was answered so.
#[track_caller]
pub(crate) fn judge(policy: &Policy, asked: &[Asked], printed: &str) {
    let answers: Vec<i32> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("ANSWER ")?.parse().ok())
        .collect();
    assert_eq!(answers.len(), asked.len(), "{printed}");
    let mut tried: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut unclear = Vec::new();
    for (it, answer) in asked.iter().zip(answers) {
        let of_rule = tried.entry(&it.rule).or_default();
        match it.expected {
            Expected::Stopped(error) => {
                assert_eq!(answer, error, "{it:x?}");
                of_rule.1 += 1;
            }
            Expected::Made if [libc::EPERM, libc::ENOSYS].contains(&answer) => {
                unclear.push(&*it.call);
            }
            Expected::Made => {
                assert!(answer < 256, "{it:x?} ended its process: {answer}");
                of_rule.0 += 1;
            }
        }
    }
    // Their own answer to arguments that mean nothing cannot be told from a refusal.
    assert!(unclear.len() < 16, "{unclear:?}");
    let rules = policy.allow.len()
        + policy.deny.len()
        + policy
            .when
            .iter()
            .map(|rule| rule.case.len())
            .sum::<usize>();
    // One whose calls cannot be made without meaning something, and on another architecture some more.
    let untried = 1;
    assert!(tried.len() + untried >= rules, "{rules} rules: {tried:#?}");
    for (rule, (made, stopped)) in &tried {
        let enough = match rule.split(' ').next() {
            Some("allow") => *made > 0,
            Some("deny") => *stopped > 0,
            _ => *made > 0 && *stopped > 0,
        };
        assert!(
            enough,
            "{rule}: {made} calls were made and {stopped} stopped"
        );
    }
    println!(
        "{}: {rules} rules, {} calls; refused by the kernel itself: {unclear:?}",
        policy.name,
        asked.len()
    );
}

#[test]
fn every_rule_of_a_job_allows_and_stops_what_it_says() {
    let Some(arena) = Arena::new() else { return };
    let policy = Policy::trainer();
    let asked = cases(&policy);
    write(&arena, &asked);
    let ran = arena.run(&arena.job("rules", &ATTACK));
    ran.exited(0);
    judge(&policy, &asked, &ran.text);
}

#[test]
fn every_rule_of_a_builds_command_allows_and_stops_what_it_says() {
    let Some(arena) = Arena::new() else { return };
    let policy = Policy::build();
    let asked = cases(&policy);
    write(&arena, &asked);
    let job = arena.job("build-rules", &ATTACK);
    let mut started = arena
        .sandbox
        .start_step(&job, &BuildStep::default())
        .unwrap();
    let ended = started.wait().unwrap();
    assert_eq!(ended.left, [""; 0], "{ended:?}");
    judge(&policy, &asked, &arena.printed("build-rules"));
    arena.remove("build-rules");
}

#[test]
fn every_rule_of_a_job_with_a_gpu_allows_and_stops_what_it_says() {
    let Some(place) = Place::new() else { return };
    let policy = Policy::trainer_with_gpu();
    let asked = cases(&policy);
    write(&place.arena, &asked);
    let printed = place.prints_as(&place.arena.job("gpu-rules", &ATTACK));
    judge(&policy, &asked, &printed);
}
