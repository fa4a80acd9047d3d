//! What can be said without a kernel; `tests/seccomp` says the rest.

mod loading;
mod numbers;
mod verdicts;

use std::time::{Duration, Instant};

use super::*;
use crate::seccomp::numbers::Numbers;

#[test]
fn every_call_of_the_table_has_a_rule() {
    let policy = Policy::trainer();
    let described = policy.describe();
    let named: Vec<&String> = described
        .rules
        .iter()
        .flat_map(|rule| &rule.calls)
        .collect();
    for name in Numbers::of(Architecture::X86_64).names() {
        assert!(
            named.iter().any(|it| *it == name),
            "{name} has no rule in trainer.toml"
        );
    }
}

#[test]
fn the_filter_is_one_program_that_the_kernel_takes_and_finds_a_number_in_few_steps() {
    let filters = Policy::trainer().compile_for(Architecture::X86_64).unwrap();
    let lengths: Vec<usize> = filters
        .programs
        .iter()
        .map(|program| program.len() / 8)
        .collect();
    eprintln!("instructions: {lengths:?}");
    assert_eq!(lengths.len(), 1);
    assert!(
        filters.instructions() < 1500,
        "{lengths:?}: a filter this long wants another form"
    );
}

#[test]
fn jobs_with_gpus_have_the_same_policy_and_more() {
    let (without, with) = (Policy::trainer(), Policy::trainer_with_gpu());
    assert_eq!(
        (without.name.as_str(), with.name.as_str()),
        ("trainer", "trainer+gpu")
    );
    assert_eq!((&without.allow, &without.deny), (&with.allow, &with.deny));
    for (without, with) in without.when.iter().zip(&with.when) {
        let more = if without.call == "ioctl" { 4 } else { 0 };
        assert_eq!(with.case[..without.case.len()], without.case[..]);
        assert_eq!(with.case.len(), without.case.len() + more, "{}", with.call);
    }
    let filters = with.compile_for(Architecture::X86_64).unwrap();
    assert!(filters.instructions() < 1500);
    let no_rule = Policy::parse(&GPU.replace("\"ioctl\"", "\"read\"")).unwrap();
    assert!(matches!(
        Policy::trainer().with(no_rule),
        Err(LoadPolicyError::NoRule { call }) if call == "read"
    ));
}

#[test]
fn filters_are_the_same_each_time() {
    assert_eq!(
        Policy::trainer().compile().unwrap(),
        Policy::trainer().compile().unwrap()
    );
}

#[test]
fn a_policy_is_read_and_compiled_in_no_time() {
    let fastest = |work: &dyn Fn()| {
        (0..20)
            .map(|_| Instant::now())
            .map(|start| {
                work();
                start.elapsed()
            })
            .min()
            .unwrap()
    };
    let policy = Policy::trainer();
    let read = fastest(&|| drop(Policy::trainer()));
    let compile = fastest(&|| drop(policy.compile_for(Architecture::X86_64).unwrap()));
    eprintln!("read {read:?}, compile {compile:?}");
    let limit = if cfg!(debug_assertions) {
        Duration::from_millis(50)
    } else {
        Duration::from_millis(1)
    };
    assert!(compile < limit, "{compile:?}");
}

#[test]
fn a_description_has_every_rule_and_reason() {
    let policy = Policy::trainer();
    let text = policy.describe().to_string();
    let reasons = policy
        .allow
        .iter()
        .map(|it| &it.reason)
        .chain(policy.deny.iter().map(|it| &it.reason));
    let cases = policy
        .when
        .iter()
        .flat_map(|when| when.case.iter().map(|case| &case.reason));
    for reason in reasons.chain(cases) {
        assert!(text.contains(reason.as_str()), "{reason}");
    }
    assert!(
        text.contains(
            "argument 0 is 0x1, argument 1 & 0xf is 0x1 | 0x2 | 0x5, argument 2 is 0x0 | 0x1"
        ),
        "{text}"
    );
    assert!(text.ends_with("killed: calls of another architecture\n"));
}

#[test]
fn builds_may_do_one_thing_more_than_training() {
    let (mut build, trainer) = (Policy::build(), Policy::trainer());
    let compiled = build.compile_for(Architecture::X86_64).unwrap();
    for program in &compiled.programs {
        assert!(program.len() / 8 <= gradus_jail::seccomp::INSTRUCTIONS_MAX);
    }
    assert_eq!(build.name, "build");
    build.name.clone_from(&trainer.name);
    let socket = build.when.iter_mut().find(|rule| rule.call == "socket");
    let added = socket.unwrap().case.pop().unwrap();
    assert!(added.reason.contains("AUDIT"), "{}", added.reason);
    assert_eq!(build, trainer);
}
