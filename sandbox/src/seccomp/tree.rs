//! Programs of the kernel's filter machine that find a number by halving.
//!
//! ```text
//! load architecture; another: kill
//! load number
//! number >= middle ? ──► … ──► a range of numbers with one answer
//! ```
//! Answers of a call that depend on its arguments follow at the leaf: for each case its tests, one after the other, on the low 32 bits of
//! arguments, which is all of them that the kernel looks at.

use std::collections::BTreeMap;

use gradus_jail::seccomp::code::{
    AND, JUMP, JUMP_AT_LEAST, JUMP_EQUAL, LOAD, RETURN, RETURN_ALLOW, RETURN_ERRNO,
    RETURN_KILL_PROCESS,
};

/// Instructions that the kernel takes in one program.
const INSTRUCTIONS_MAX: usize = 4096;

/// Where `struct seccomp_data` has what, in bytes.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What a call is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// it is made
    Allow,
    /// it fails with this
    Errno(u32),
    /// the process ends
    Kill,
    /// it is made if one of the cases holds
    When {
        cases: Vec<Conjunction>,
        otherwise: u32,
    },
}

/// Tests that must all hold.
pub(super) type Conjunction = Vec<Test>;

/// An argument's masked low 32 bits are one of some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) index: u8,
    pub(super) mask: u32,
    pub(super) is: Vec<u32>,
}

/// A program that the kernel would not take.
#[derive(Debug, thiserror::Error)]
#[error(
    "the filter would have {instructions} instructions, at most {INSTRUCTIONS_MAX} are possible, and {case} in one case of a call"
)]
pub struct TooLong {
    instructions: usize,
    case: &'static str,
}

/// One instruction, `struct sock_filter`.
#[derive(Clone, Copy)]
struct Op {
    code: u16,
    yes: u8,
    no: u8,
    constant: u32,
}

fn op(code: u16, constant: u32) -> Op {
    Op {
        code,
        yes: 0,
        no: 0,
        constant,
    }
}

/// The program for one architecture: calls of others, and numbers with a bit of `killed`, end the process; those that `verdicts` does not have
/// fail with `otherwise`. Number -1 is never one with such a bit: it is what a tracer leaves of a call that it skips.
pub(super) fn program(
    architecture: u32,
    killed: u32,
    verdicts: &BTreeMap<u32, Verdict>,
    otherwise: u32,
) -> Result<Vec<u8>, TooLong> {
    let otherwise = Verdict::Errno(otherwise);
    let ranges = ranges(killed, verdicts, &otherwise);
    let mut ops = vec![
        op(LOAD, ARCHITECTURE),
        Op {
            yes: 1,
            ..op(JUMP_EQUAL, architecture)
        },
        op(RETURN, RETURN_KILL_PROCESS),
        op(LOAD, NUMBER),
    ];
    ops.extend(search(&ranges)?);
    if ops.len() > INSTRUCTIONS_MAX {
        return Err(TooLong {
            instructions: ops.len(),
            case: "at most 255",
        });
    }
    Ok(ops.iter().flat_map(|op| bytes(*op)).collect())
}

/// All numbers in ranges with one verdict each: where each begins.
fn ranges<'a>(
    killed: u32,
    verdicts: &'a BTreeMap<u32, Verdict>,
    otherwise: &'a Verdict,
) -> Vec<(u32, &'a Verdict)> {
    const KILL: &Verdict = &Verdict::Kill;
    let of = |number: u32| match verdicts.get(&number) {
        Some(verdict) => verdict,
        None if number & killed != 0 && number != u32::MAX => KILL,
        None => otherwise,
    };
    // The answer can change at a number that has a verdict, right behind it, and where the killed bit changes.
    let mut starts: Vec<u32> = vec![0, u32::MAX];
    if let Some(steps) = u32::MAX.checked_div(killed) {
        starts.extend((0..=steps).map(|step| step * killed));
    }
    starts.extend(verdicts.keys().flat_map(|number| [*number, number + 1]));
    starts.sort_unstable();
    let mut ranges: Vec<(u32, &Verdict)> =
        starts.into_iter().map(|start| (start, of(start))).collect();
    ranges.dedup_by(|next, before| next.1 == before.1);
    ranges
}

/// The answer for the number that is loaded and lies in `ranges`.
fn search(ranges: &[(u32, &Verdict)]) -> Result<Vec<Op>, TooLong> {
    if let [(_, verdict)] = ranges {
        return answer(verdict);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let (below, above) = (search(low)?, search(high)?);
    let at_least = op(JUMP_AT_LEAST, high[0].0);
    let mut ops = match u8::try_from(below.len()) {
        Ok(yes) => vec![Op { yes, ..at_least }],
        // Too far for a conditional jump.
        Err(_) => vec![Op { no: 1, ..at_least }, op(JUMP, below.len() as u32)],
    };
    ops.extend(below);
    ops.extend(above);
    Ok(ops)
}

fn answer(verdict: &Verdict) -> Result<Vec<Op>, TooLong> {
    Ok(match verdict {
        Verdict::Allow => vec![op(RETURN, RETURN_ALLOW)],
        Verdict::Errno(errno) => vec![op(RETURN, RETURN_ERRNO | errno)],
        Verdict::Kill => vec![op(RETURN, RETURN_KILL_PROCESS)],
        Verdict::When { cases, otherwise } => {
            let mut ops = Vec::new();
            for case in cases {
                ops.extend(this_case(case)?);
            }
            ops.push(op(RETURN, RETURN_ERRNO | otherwise));
            ops
        }
    })
}

/// Makes the call if all tests hold, and goes on behind itself if one does not.
fn this_case(tests: &[Test]) -> Result<Vec<Op>, TooLong> {
    // From the end, so that it is known how far away the next case is.
    let mut ops = vec![op(RETURN, RETURN_ALLOW)];
    for test in tests.iter().rev() {
        let mut these = vec![op(LOAD, ARGUMENTS + 8 * u32::from(test.index))];
        if test.mask != u32::MAX {
            these.push(op(AND, test.mask));
        }
        for (index, value) in test.is.iter().enumerate() {
            let others = test.is.len() - 1 - index;
            let far = TooLong {
                instructions: others + ops.len(),
                case: "more than 255",
            };
            let Ok(next_case) = u8::try_from(ops.len()) else {
                return Err(far);
            };
            let Ok(yes) = u8::try_from(others) else {
                return Err(far);
            };
            let no = if others == 0 { next_case } else { 0 };
            these.push(Op {
                yes,
                no,
                ..op(JUMP_EQUAL, *value)
            });
        }
        these.extend(ops);
        ops = these;
    }
    Ok(ops)
}

fn bytes(op: Op) -> [u8; 8] {
    let [low, high] = op.code.to_le_bytes();
    let [a, b, c, d] = op.constant.to_le_bytes();
    [low, high, op.yes, op.no, a, b, c, d]
}
