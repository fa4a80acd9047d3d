//! The compiled programs, run by an interpreter of the kernel's filter machine, against what the policy says in its own words.

use crate::seccomp::numbers::{Lookup, Numbers};
use crate::seccomp::policy::Answer;
use crate::seccomp::{Architecture, Filters, Policy};

const ALLOW: u32 = 0x7FFF_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const KILL: u32 = 0x8000_0000;

/// `struct seccomp_data` as words.
fn data(architecture: u32, number: u32, arguments: &[u64; 6]) -> [u32; 16] {
    let mut words = [0; 16];
    words[0] = number;
    words[1] = architecture;
    for (index, argument) in arguments.iter().enumerate() {
        words[4 + 2 * index] = *argument as u32;
        words[5 + 2 * index] = (*argument >> 32) as u32;
    }
    words
}

fn run(program: &[u8], data: &[u32; 16]) -> u32 {
    let (mut at, mut accumulator) = (0, 0_u32);
    loop {
        let it = &program[at * 8..at * 8 + 8];
        let constant = u32::from_le_bytes([it[4], it[5], it[6], it[7]]);
        let jump = |yes: bool| usize::from(if yes { it[2] } else { it[3] });
        at += 1;
        match u16::from_le_bytes([it[0], it[1]]) {
            0x20 => accumulator = data[constant as usize / 4],
            0x54 => accumulator &= constant,
            0x15 => at += jump(accumulator == constant),
            0x35 => at += jump(accumulator >= constant),
            0x05 => at += constant as usize,
            0x06 => return constant,
            other => panic!("operation {other:#x}"),
        }
    }
}

/// What the kernel makes of several programs: the gravest answer, of equal ones that of the program installed last.
fn verdict(filters: &Filters, data: &[u32; 16]) -> u32 {
    let answers = filters
        .programs
        .iter()
        .rev()
        .map(|program| run(program, data));
    answers
        .reduce(|newer, older| {
            if action(older) < action(newer) {
                older
            } else {
                newer
            }
        })
        .unwrap()
}

/// Graver is smaller, and killing is smallest.
fn action(answer: u32) -> i32 {
    (answer & 0xFFFF_0000) as i32
}

fn expected(policy: &Policy, name: &str, arguments: &[u64; 6]) -> u32 {
    let named = |calls: &[String]| calls.iter().any(|it| it == name);
    if policy.allow.iter().any(|it| named(&it.calls)) {
        return ALLOW;
    }
    if let Some(when) = policy.when.iter().find(|it| it.call == name) {
        return if when.case.iter().any(|case| case.matches(arguments)) {
            ALLOW
        } else {
            EPERM
        };
    }
    match policy
        .deny
        .iter()
        .find(|it| named(&it.calls))
        .map(|it| it.answer)
    {
        Some(Answer::Eperm) => EPERM,
        Some(Answer::Enosys) | None => ENOSYS,
    }
}

/// Arguments worth asking about: for each case of the policy all that it names, and what lies beside.
fn samples(policy: &Policy, name: &str) -> Vec<[u64; 6]> {
    let mut samples = vec![[0; 6], [u64::MAX; 6], [0xDEAD_BEEF_0000_0000; 6]];
    for case in policy
        .when
        .iter()
        .filter(|it| it.call == name)
        .flat_map(|it| &it.case)
    {
        let mut base = [0; 6];
        for argument in &case.arguments {
            base[usize::from(argument.index)] = u64::from(argument.is[0]);
        }
        for argument in &case.arguments {
            for value in &argument.is {
                for value in [
                    *value,
                    value ^ 1,
                    value ^ 0x100,
                    value ^ 0x8000_0000,
                    value ^ !argument.mask,
                ] {
                    for high in [0, 1 << 32, 0xFFFF_FFFF_0000_0000] {
                        let mut sample = base;
                        sample[usize::from(argument.index)] = u64::from(value) | high;
                        samples.push(sample);
                    }
                }
            }
        }
    }
    samples
}

#[test]
fn programs_decide_as_the_policy_says_on_both_architectures() {
    let policy = Policy::trainer();
    for (architecture, code) in [
        (Architecture::X86_64, 0xC000_003E),
        (Architecture::Aarch64, 0xC000_00B7),
    ] {
        let filters = policy.compile_for(architecture).unwrap();
        let numbers = Numbers::of(architecture);
        let mut asked = 0;
        for name in numbers.names() {
            let Lookup::Number(number) = numbers.find(name) else {
                continue;
            };
            for arguments in samples(&policy, name) {
                let found = verdict(&filters, &data(code, number, &arguments));
                assert_eq!(
                    found,
                    expected(&policy, name, &arguments),
                    "{architecture:?} {name} {arguments:x?}"
                );
                asked += 1;
            }
        }
        assert!(asked > 2000, "{asked}");
    }
}

#[test]
fn calls_that_nobody_has_heard_of_do_not_exist() {
    let filters = Policy::trainer().compile_for(Architecture::X86_64).unwrap();
    for number in [337, 423, 470, 600, 1000, 0x3FFF_FFFF, u32::MAX] {
        assert_eq!(
            verdict(&filters, &data(0xC000_003E, number, &[0; 6])),
            ENOSYS,
            "{number}"
        );
    }
}

#[test]
fn calls_of_another_architecture_kill() {
    let policy = Policy::trainer();
    let filters = policy.compile_for(Architecture::X86_64).unwrap();
    // i386, ARM; any number, also one that would be allowed
    for architecture in [0x4000_0003, 0xC000_00B7] {
        for number in [0, 1, 20, 500] {
            assert_eq!(
                verdict(&filters, &data(architecture, number, &[0; 6])),
                KILL
            );
        }
    }
    // x32, whose architecture is that of x86_64
    for number in [0x4000_0000, 0x4000_0027, 0x4000_0200, 0xFFFF_FFFE] {
        assert_eq!(
            verdict(&filters, &data(0xC000_003E, number, &[0; 6])),
            KILL,
            "{number:#x}"
        );
    }
    let filters = policy.compile_for(Architecture::Aarch64).unwrap();
    assert_eq!(verdict(&filters, &data(0xC000_003E, 0, &[0; 6])), KILL);
    assert_eq!(verdict(&filters, &data(0x4000_0028, 0, &[0; 6])), KILL);
}

/// Without a rule its calls are answered as those that nobody has heard of; as if a denied one were allowed, they are made: nothing else says
/// what it says.
#[test]
fn each_rule_alone_is_what_decides_of_its_calls() {
    let whole = Policy::trainer();
    let answers = |policy: &Policy, call: &str, arguments: &[u64; 6]| {
        let numbers = Numbers::of(Architecture::X86_64);
        let Lookup::Number(number) = numbers.find(call) else {
            return None;
        };
        let filters = policy.compile_for(Architecture::X86_64).unwrap();
        Some(verdict(&filters, &data(0xC000_003E, number, arguments)))
    };
    for at in 0..whole.allow.len() {
        let mut without = whole.clone();
        let rule = without.allow.remove(at);
        let call = &rule.calls[0];
        let pair = [&whole, &without].map(|policy| answers(policy, call, &[0; 6]).unwrap());
        assert_eq!(pair, [ALLOW, ENOSYS], "{}", rule.group);
    }
    for at in 0..whole.deny.len() {
        let mut instead = whole.clone();
        let rule = instead.deny.remove(at);
        instead.allow[0].calls.extend(rule.calls.clone());
        for call in &rule.calls {
            let Some(denied) = answers(&whole, call, &[0; 6]) else {
                continue;
            };
            assert_ne!(denied, ALLOW, "{call}");
            assert_eq!(answers(&instead, call, &[0; 6]), Some(ALLOW), "{call}");
        }
    }
    for (at, rule) in whole.when.iter().enumerate() {
        for (place, case) in rule.case.iter().enumerate() {
            let mut without = whole.clone();
            without.when[at].case.remove(place);
            let mut arguments = [0; 6];
            for argument in &case.arguments {
                arguments[usize::from(argument.index)] = u64::from(argument.is[0]);
            }
            let pair = [&whole, &without].map(|policy| answers(policy, &rule.call, &arguments));
            let expected = if without.when[at].case.is_empty() {
                // The compiler is given none, and no case holds.
                EPERM
            } else {
                expected(&without, &rule.call, &arguments)
            };
            assert_eq!(
                pair,
                [Some(ALLOW), Some(expected)],
                "{}: {}",
                rule.call,
                case.reason
            );
            assert_eq!(
                expected, EPERM,
                "{}: {} says nothing of its own",
                rule.call, case.reason
            );
        }
    }
}
