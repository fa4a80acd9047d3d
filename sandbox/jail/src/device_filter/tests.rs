use super::program::{
    AND_NUMBER, EXIT, JUMP_NOT_EQUAL_NUMBER, LOAD_WORD, MOVE, MOVE_NUMBER, SHIFT_RIGHT_NUMBER, bits,
};
use super::*;

/// What the kernel would do: runs a program over a context, and panics on what its verifier refuses.
fn interpret(program: &[u8], context: [u32; 3]) -> u64 {
    let code: Vec<&[u8]> = program.chunks_exact(8).collect();
    assert_eq!(code.len() * 8, program.len(), "whole instructions");
    let mut registers: [Option<u64>; 11] = [None; 11];
    let mut at = 0;
    // jumps only go forward, so a program that runs longer than it is long has a bug
    for _ in 0..code.len() {
        let it = code[at];
        let (to, from) = (usize::from(it[1] & 15), usize::from(it[1] >> 4));
        let offset = i16::from_le_bytes([it[2], it[3]]);
        let number = i32::from_le_bytes([it[4], it[5], it[6], it[7]]);
        let sign_extended = i64::from(number) as u64;
        let read =
            |register: usize| registers[register].expect("a register is written before it is read");
        at += 1;
        match it[0] {
            LOAD_WORD => {
                assert_eq!(from, 1, "only the context is memory");
                assert!(matches!(offset, 0 | 4 | 8));
                registers[to] = Some(u64::from(context[offset as usize / 4]));
            }
            MOVE => registers[to] = Some(read(from)),
            MOVE_NUMBER => registers[to] = Some(sign_extended),
            AND_NUMBER => registers[to] = Some(read(to) & sign_extended),
            SHIFT_RIGHT_NUMBER => registers[to] = Some(read(to) >> number),
            JUMP_NOT_EQUAL_NUMBER => {
                assert!(offset >= 0, "jumps go forward");
                if read(to) != sign_extended {
                    at += usize::try_from(offset).expect("not negative");
                }
            }
            EXIT => return read(0),
            other => panic!("operation {other:#x}"),
        }
    }
    panic!("no exit");
}

/// xorshift64*: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        u32::try_from((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound).expect("31 bits")
    }

    fn access(&mut self) -> Access {
        access(1 + self.below(7))
    }

    fn rule(&mut self) -> Rule {
        Rule {
            kind: if self.below(2) == 0 {
                Kind::Block
            } else {
                Kind::Char
            },
            major: [1, 2, 195, MAJOR_MAX][self.below(4) as usize],
            minor: [None, Some(0), Some(3), Some(255), Some(MINOR_MAX)][self.below(5) as usize],
            access: self.access(),
        }
    }
}

fn access(bits: u32) -> Access {
    Access {
        mknod: bits & 1 != 0,
        read: bits & 2 != 0,
        write: bits & 4 != 0,
    }
}

#[test]
fn the_program_decides_as_the_rules_do() {
    let mut numbers = Numbers(0x5EED);
    let (mut yes, mut no) = (0, 0);
    for _ in 0..400 {
        let rules: Vec<Rule> = (0..numbers.below(12)).map(|_| numbers.rule()).collect();
        let program = program(&rules).unwrap();
        for (kind, code) in [(Kind::Block, 1), (Kind::Char, 2)] {
            for major in [0, 1, 2, 195, MAJOR_MAX] {
                for minor in [0, 1, 3, 255, MINOR_MAX] {
                    for wanted in 0..8 {
                        let expected = rules
                            .iter()
                            .any(|rule| rule.allows(kind, major, minor, access(wanted)));
                        let found = interpret(&program, [code | wanted << 16, major, minor]);
                        assert_eq!(
                            found,
                            u64::from(expected),
                            "{rules:?}: {kind:?} {major}:{minor} {wanted:#b}"
                        );
                        if expected { yes += 1 } else { no += 1 }
                    }
                }
            }
        }
    }
    assert!(
        yes > 10_000 && no > 10_000,
        "both answers are common: {yes}, {no}"
    );
}

#[test]
fn without_rules_every_device_is_refused() {
    let program = program(&[]).unwrap();
    assert_eq!(interpret(&program, [2 | 2 << 16, 1, 3]), 0);
}

#[test]
fn the_base_list_has_null_and_terminals_but_no_memory_disks_or_gpus() {
    let program = program(&base()).unwrap();
    let opened = |kind: u32, major, minor| {
        interpret(&program, [kind | bits(Access::OPEN) << 16, major, minor]) == 1
    };
    for (major, minor) in [
        (1, 3),
        (1, 5),
        (1, 7),
        (1, 8),
        (1, 9),
        (5, 2),
        (136, 0),
        (136, 71),
    ] {
        assert!(opened(2, major, minor), "c {major}:{minor}");
    }
    // mem, port, kmsg, tty, tty1, fuse, a GPU, and block devices of the same numbers
    for (kind, major, minor) in [
        (2, 1, 1),
        (2, 1, 4),
        (2, 1, 11),
        (2, 5, 0),
        (2, 4, 1),
        (2, 10, 229),
        (2, 195, 0),
        (1, 1, 3),
        (1, 8, 0),
    ] {
        assert!(!opened(kind, major, minor), "{kind} {major}:{minor}");
    }
    assert_eq!(
        interpret(&program, [2 | 1 << 16, 1, 3]),
        0,
        "no node is made"
    );
}

#[test]
fn rules_are_lines_of_version_1() {
    let mut rules = base();
    rules.push(Rule {
        kind: Kind::Block,
        major: 7,
        minor: None,
        access: access(7),
    });
    let lines = v1_lines(&rules).unwrap();
    let expected = [
        "c 1:3 rw",
        "c 1:5 rw",
        "c 1:7 rw",
        "c 1:8 rw",
        "c 1:9 rw",
        "c 5:2 rw",
        "c 136:* rw",
        "b 7:* rwm",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn rules_that_cannot_be_meant_are_named() {
    let rule = Rule::open(Kind::Char, 1, Some(3));
    let past = Rule {
        major: MAJOR_MAX + 1,
        ..rule
    };
    assert!(
        matches!(program(&[rule, past]), Err(DeviceFilterError::Number { rule }) if rule == past)
    );
    let past = Rule {
        minor: Some(MINOR_MAX + 1),
        ..rule
    };
    assert!(matches!(program(&[past]), Err(DeviceFilterError::Number { rule }) if rule == past));
    let nothing = Rule {
        access: access(0),
        ..rule
    };
    assert!(
        matches!(v1_lines(&[nothing]), Err(DeviceFilterError::NoAccess { rule }) if rule == nothing)
    );
    assert!(matches!(
        program(&vec![rule; RULES_MAX + 1]),
        Err(DeviceFilterError::TooMany { found: 257 })
    ));
    assert!(program(&vec![rule; RULES_MAX]).is_ok());
}
