//! What is refused when a policy is read, and by which name.

use crate::seccomp::{Architecture, LoadPolicyError, Policy};

const TRAINER: &str = include_str!("../../../seccomp/trainer.toml");

/// A policy of one group and one rule with a case, with `from` replaced by `to`.
fn small(from: &str, to: &str) -> Result<Policy, LoadPolicyError> {
    let text = r#"
        version = 1
        name = "small"
        [[allow]]
        group = "files"
        reason = "some"
        calls = ["read", "write"]
        [[deny]]
        group = "mounts"
        reason = "others"
        answer = "EPERM"
        calls = ["mount"]
        [[when]]
        call = "socket"
        reason = "families"
        [[when.case]]
        reason = "unix"
        arguments = [{ index = 0, is = [1] }, { index = 1, mask = 0xF, is = [1, 2] }]
    "#;
    assert!(text.contains(from), "{from}");
    Policy::parse(&text.replace(from, to))
}

#[test]
fn a_policy_in_the_form_is_read() {
    let policy = small("small", "other").unwrap();
    assert_eq!(policy.name, "other");
    assert_eq!(policy.when[0].case[0].arguments[0].mask, u32::MAX);
    policy.compile().unwrap();
}

#[test]
fn what_is_not_in_the_form_is_named() {
    use LoadPolicyError as E;
    let error = |from: &str, to: &str| small(from, to).unwrap_err();
    assert!(matches!(
        error("version = 1", "version = 2"),
        E::Version { found: 2 }
    ));
    assert!(matches!(error("\"read\"", "\"raed\""), E::UnknownCall { call, .. } if call == "raed"));
    assert!(
        matches!(error("\"mount\"", "\"write\""), E::Duplicate { call, .. } if call == "write")
    );
    assert!(
        matches!(error("\"socket\"", "\"mount\""), E::Duplicate { call, .. } if call == "mount")
    );
    assert!(matches!(error("\"write\"", "\"read\""), E::Duplicate { call, .. } if call == "read"));
    for reason in ["some", "others", "families", "unix"] {
        let line = format!("reason = \"{reason}\"");
        assert!(
            matches!(error(&line, ""), E::MissingReason { .. }),
            "{reason} taken out"
        );
        assert!(
            matches!(error(&line, "reason = \" \""), E::MissingReason { .. }),
            "{reason} blank"
        );
    }
    assert!(matches!(
        error("[\"mount\"]", "[]"),
        E::Empty { what: "calls", .. }
    ));
    assert!(matches!(error("is = [1] ", "is = [] "), E::Empty { .. }));
    assert!(matches!(
        error("index = 1", "index = 6"),
        E::ArgumentIndex { index: 6, .. }
    ));
    assert!(matches!(
        error("index = 1", "index = 0"),
        E::ArgumentTwice { index: 0, .. }
    ));
    assert!(matches!(
        error("[1, 2]", "[1, 16]"),
        E::NeverMatches {
            index: 1,
            mask: 15,
            value: 16,
            ..
        }
    ));
    assert!(matches!(error("EPERM", "EINVAL"), E::Syntax(_)));
    assert!(
        matches!(error("is = [1] ", "is = [0x1_0000_0000] "), E::Syntax(_)),
        "more than 32 bits"
    );
    assert!(
        matches!(error("mask", "musk"), E::Syntax(_)),
        "unknown fields"
    );
}

#[test]
fn a_rule_without_cases_is_refused() {
    let error =
        Policy::parse("version = 1\nname = \"x\"\n[[when]]\ncall = \"socket\"\nreason = \"x\"")
            .unwrap_err();
    assert!(
        matches!(error, LoadPolicyError::Empty { what: "cases", .. }),
        "{error}"
    );
}

/// xorshift64*: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

/// Every call of the policy as it is written in groups, with its quotes.
fn calls() -> Vec<String> {
    let policy = Policy::trainer();
    let groups = policy
        .allow
        .iter()
        .map(|it| &it.calls)
        .chain(policy.deny.iter().map(|it| &it.calls));
    groups.flatten().map(|call| format!("\"{call}\"")).collect()
}

#[test]
fn a_misspelt_or_repeated_call_is_named_wherever_it_is() {
    let mut numbers = Numbers(0x5EED);
    let calls = calls();
    for _ in 0..60 {
        let call = &calls[numbers.below(calls.len())];
        let other = &calls[numbers.below(calls.len())];
        let misspelt = format!("\"x{}", &call[1..]);
        let error = Policy::parse(&TRAINER.replacen(call.as_str(), &misspelt, 1)).unwrap_err();
        assert!(error.to_string().contains(&misspelt), "{error}");
        assert!(matches!(error, LoadPolicyError::UnknownCall { .. }));
        if call != other {
            let error = Policy::parse(&TRAINER.replacen(call.as_str(), other, 1)).unwrap_err();
            assert!(
                error.to_string().contains(&other[1..other.len() - 1]),
                "{error}"
            );
            assert!(matches!(error, LoadPolicyError::Duplicate { .. }));
        }
    }
}

#[test]
fn every_reason_is_missed() {
    let lines: Vec<&str> = TRAINER.lines().collect();
    let reasons: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].starts_with("reason = "))
        .collect();
    assert!(reasons.len() > 60);
    for at in reasons {
        let without: Vec<&str> = lines
            .iter()
            .enumerate()
            .filter(|(it, _)| *it != at)
            .map(|(_, line)| *line)
            .collect();
        let error = Policy::parse(&without.join("\n")).unwrap_err();
        assert!(
            matches!(error, LoadPolicyError::MissingReason { .. }),
            "line {}: {error}",
            at + 1
        );
    }
}

#[test]
fn damaged_policies_are_refused_or_compile_and_never_panic() {
    let mut numbers = Numbers(0xDA_4A6E);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut text = TRAINER.as_bytes().to_vec();
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(text.len());
            match numbers.below(4) {
                0 => text[at] = b" \"[]{}=,.0azX\n"[numbers.below(14)],
                1 => drop(text.remove(at)),
                2 => text.truncate(at),
                _ => drop(text.drain(at..(at + numbers.below(200)).min(text.len()))),
            }
            if text.is_empty() {
                break;
            }
        }
        match Policy::parse(&String::from_utf8_lossy(&text)) {
            Ok(policy) => {
                policy.compile_for(Architecture::X86_64).unwrap();
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 10 && refused > 100, "both happen: {read}, {refused}");
}
