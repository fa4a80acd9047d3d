//! A filter as this program reads it: what it says of a call, and the same filter that asks instead of refusing.

use super::code::{AND, JUMP, JUMP_AT_LEAST, JUMP_EQUAL, LOAD, RETURN, RETURN_ERRNO};

const ACTION: u32 = 0xFFFF_0000;
/// `SECCOMP_RET_USER_NOTIF`
const ASK: u32 = 0x7FC0_0000;

/// What a filter says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// it fails with this error
    Refused(i32),
    /// anything else, what cannot be read included
    Other,
}

/// A filter's program, `struct sock_filter` after `struct sock_filter`.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    bytes: Vec<u8>,
}

impl Program {
    /// 8 bytes an instruction, little-endian.
    pub(crate) fn of(bytes: &[u8]) -> Program {
        Program {
            bytes: bytes.to_vec(),
        }
    }

    /// The same program, with a question to whoever listens in place of each refusal. Nothing that it allows or kills is changed.
    pub(crate) fn asking(mut self) -> Vec<u8> {
        for op in self.bytes.chunks_exact_mut(8) {
            let constant = u32::from_le_bytes([op[4], op[5], op[6], op[7]]);
            if u16::from_le_bytes([op[0], op[1]]) == RETURN && constant & ACTION == RETURN_ERRNO {
                op[4..].copy_from_slice(&ASK.to_le_bytes());
            }
        }
        self.bytes
    }

    /// What it says of a call.
    pub(crate) fn verdict(&self, number: i32, architecture: u32, arguments: &[u64; 6]) -> Verdict {
        let word = |offset: u32| match offset {
            0 => Some(number as u32),
            4 => Some(architecture),
            16..64 => {
                let argument = arguments[(offset as usize - 16) / 8];
                Some(if offset.is_multiple_of(8) {
                    argument as u32
                } else {
                    (argument >> 32) as u32
                })
            }
            _ => None,
        };
        let (mut at, mut accumulator) = (0_usize, 0_u32);
        // Jumps lead forward alone.
        while let Some(op) = self.bytes.get(at * 8..at * 8 + 8) {
            let constant = u32::from_le_bytes([op[4], op[5], op[6], op[7]]);
            let jump = |yes: bool| usize::from(if yes { op[2] } else { op[3] });
            at += 1;
            match u16::from_le_bytes([op[0], op[1]]) {
                LOAD => match word(constant) {
                    Some(loaded) => accumulator = loaded,
                    None => return Verdict::Other,
                },
                AND => accumulator &= constant,
                JUMP_EQUAL => at += jump(accumulator == constant),
                JUMP_AT_LEAST => at += jump(accumulator >= constant),
                JUMP => at += constant as usize,
                RETURN if constant & ACTION == RETURN_ERRNO => {
                    return Verdict::Refused((constant & !ACTION) as i32);
                }
                _ => return Verdict::Other,
            }
        }
        Verdict::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(code: u16, yes: u8, no: u8, constant: u32) -> Vec<u8> {
        let mut bytes = code.to_le_bytes().to_vec();
        bytes.extend([yes, no]);
        bytes.extend(constant.to_le_bytes());
        bytes
    }

    /// Number 7 is refused with error 38, number 9 where its second argument is 3 in the low bits with error 1; everything else is made.
    fn program() -> Vec<u8> {
        [
            op(LOAD, 0, 0, 0),
            op(JUMP_EQUAL, 0, 1, 7),
            op(RETURN, 0, 0, RETURN_ERRNO | 38),
            op(JUMP_EQUAL, 0, 4, 9),
            op(LOAD, 0, 0, 24),
            op(AND, 0, 0, 0xF),
            op(JUMP_EQUAL, 0, 1, 3),
            op(RETURN, 0, 0, RETURN_ERRNO | 1),
            op(RETURN, 0, 0, 0x7FFF_0000),
        ]
        .concat()
    }

    #[test]
    fn a_refusal_is_found_with_its_error() {
        let program = Program::of(&program());
        let of = |number, second| program.verdict(number, 0, &[0, second, 0, 0, 0, 0]);
        assert_eq!(of(7, 0), Verdict::Refused(38));
        assert_eq!(of(9, 0xFFF3), Verdict::Refused(1));
        assert_eq!(of(9, 4), Verdict::Other);
        assert_eq!(of(8, 3), Verdict::Other);
    }

    #[test]
    fn only_refusals_become_questions() {
        let (before, after) = (program(), Program::of(&program()).asking());
        let changed: Vec<usize> = (0..9)
            .filter(|at| before[at * 8..at * 8 + 8] != after[at * 8..at * 8 + 8])
            .collect();
        assert_eq!(changed, [2, 7]);
        assert_eq!(after[20..24], ASK.to_le_bytes());
        // It says nothing more of what it is to be answered.
        assert_eq!(Program::of(&after).verdict(7, 0, &[0; 6]), Verdict::Other);
    }

    #[test]
    fn what_is_no_program_refuses_nothing_and_ends() {
        for bytes in [
            vec![],
            vec![0; 7],
            op(JUMP, 0, 0, u32::MAX),
            op(LOAD, 0, 0, 99),
            op(0xFF, 0, 0, 0),
        ] {
            assert_eq!(Program::of(&bytes).verdict(0, 0, &[0; 6]), Verdict::Other);
        }
    }
}
