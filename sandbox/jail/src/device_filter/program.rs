//! Rules as an eBPF program, assembled by hand: it is a chain of comparisons, for which a compiler would be the larger part to trust.
//!
//! ```text
//! r1 -> { u32 kind | access << 16, u32 major, u32 minor }      (struct bpf_cgroup_dev_ctx)
//!
//!     r2 = kind, r3 = access, r4 = major, r5 = minor
//! rule:
//!     if r2 != kind  goto next
//!     if r4 != major goto next
//!     if r5 != minor goto next          where the rule has one
//!     r0 = r3 & what the rule lacks
//!     if r0 != 0     goto next          where it lacks something
//!     return 1
//! next: ...
//!     return 0
//! ```

use super::{Access, DeviceFilterError, Kind, Rule, check};

/// Numbers of the kernel's interface.
pub(super) const MKNOD: u32 = 1;
pub(super) const READ: u32 = 2;
pub(super) const WRITE: u32 = 4;
const BLOCK: i32 = 1;
const CHAR: i32 = 2;

/// Operations, from linux/bpf.h.
pub(super) const LOAD_WORD: u8 = 0x61;
pub(super) const MOVE: u8 = 0xBF;
pub(super) const MOVE_NUMBER: u8 = 0xB7;
pub(super) const AND_NUMBER: u8 = 0x57;
pub(super) const SHIFT_RIGHT_NUMBER: u8 = 0x77;
pub(super) const JUMP_NOT_EQUAL_NUMBER: u8 = 0x55;
pub(super) const EXIT: u8 = 0x95;

/// `struct bpf_insn`.
#[derive(Clone, Copy, Debug)]
struct Instruction {
    operation: u8,
    to: u8,
    from: u8,
    offset: i16,
    number: i32,
}

impl Instruction {
    fn bytes(self) -> [u8; 8] {
        let [o, p] = self.offset.to_le_bytes();
        let [a, b, c, d] = self.number.to_le_bytes();
        [self.operation, self.to | self.from << 4, o, p, a, b, c, d]
    }
}

fn with_number(operation: u8, to: u8, number: i32) -> Instruction {
    Instruction {
        operation,
        to,
        from: 0,
        offset: 0,
        number,
    }
}

fn load(to: u8, offset: i16) -> Instruction {
    Instruction {
        operation: LOAD_WORD,
        to,
        from: 1,
        offset,
        number: 0,
    }
}

fn answer(allowed: bool) -> [Instruction; 2] {
    [
        with_number(MOVE_NUMBER, 0, i32::from(allowed)),
        with_number(EXIT, 0, 0),
    ]
}

/// The program, 8 bytes an instruction, little-endian. Without rules it refuses every device.
///
/// # Errors
/// `TooMany`, `NoAccess` or `Number` for rules that cannot be meant.
pub fn program(rules: &[Rule]) -> Result<Vec<u8>, DeviceFilterError> {
    check(rules)?;
    let mut all = vec![
        load(2, 0),
        Instruction {
            operation: MOVE,
            to: 3,
            from: 2,
            offset: 0,
            number: 0,
        },
        with_number(AND_NUMBER, 2, 0xFFFF),
        with_number(SHIFT_RIGHT_NUMBER, 3, 16),
        load(4, 4),
        load(5, 8),
    ];
    for rule in rules {
        all.extend(block(rule)?);
    }
    all.extend(answer(false));
    Ok(all.into_iter().flat_map(Instruction::bytes).collect())
}

fn block(rule: &Rule) -> Result<Vec<Instruction>, DeviceFilterError> {
    let number = |it: u32| i32::try_from(it).map_err(|_| DeviceFilterError::Number { rule: *rule });
    let unless = |register, value| with_number(JUMP_NOT_EQUAL_NUMBER, register, value);
    let kind = match rule.kind {
        Kind::Block => BLOCK,
        Kind::Char => CHAR,
    };
    let mut block = vec![unless(2, kind), unless(4, number(rule.major)?)];
    if let Some(minor) = rule.minor {
        block.push(unless(5, number(minor)?));
    }
    let lacks = (MKNOD | READ | WRITE) & !bits(rule.access);
    if lacks != 0 {
        block.push(Instruction {
            operation: MOVE,
            to: 0,
            from: 3,
            offset: 0,
            number: 0,
        });
        block.push(with_number(AND_NUMBER, 0, number(lacks)?));
        block.push(unless(0, 0));
    }
    block.extend(answer(true));
    // a jump counts from the instruction after it to the one after the block
    let length = block.len();
    for (position, instruction) in block.iter_mut().enumerate() {
        if instruction.operation == JUMP_NOT_EQUAL_NUMBER {
            instruction.offset =
                i16::try_from(length - position - 1).expect("a block has at most 8 instructions");
        }
    }
    Ok(block)
}

/// The kernel's bits for an access.
pub(super) fn bits(access: Access) -> u32 {
    let bit = |given: bool, bit: u32| if given { bit } else { 0 };
    bit(access.mknod, MKNOD) | bit(access.read, READ) | bit(access.write, WRITE)
}
