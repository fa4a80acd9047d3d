//! What the kernel's filter machine understands of what filters here are made of, from `linux/bpf_common.h` and `linux/seccomp.h`.

/// Loads a word of `struct seccomp_data`, whose place is the constant.
pub const LOAD: u16 = 0x20;
/// Keeps the bits that the constant has.
pub const AND: u16 = 0x54;
/// Jumps forward by the constant.
pub const JUMP: u16 = 0x05;
/// Jumps by one of two distances, as what is loaded is the constant or not.
pub const JUMP_EQUAL: u16 = 0x15;
/// The same, as it is at least the constant or not.
pub const JUMP_AT_LEAST: u16 = 0x35;
/// Ends with the constant as its answer.
pub const RETURN: u16 = 0x06;

/// The answer that a call is made.
pub const RETURN_ALLOW: u32 = 0x7FFF_0000;
/// The answer that it fails, with the error in the lower 16 bits.
pub const RETURN_ERRNO: u32 = 0x0005_0000;
/// The answer that the process ends.
pub const RETURN_KILL_PROCESS: u32 = 0x8000_0000;
