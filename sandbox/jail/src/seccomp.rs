//! Installs filters of system calls, which others compiled.

pub mod code;
mod program;

pub(crate) use program::{Program, Verdict};

use std::os::fd::OwnedFd;

use crate::syscalls::seccomp::{set_asking_filter, set_mode_filter};

/// Bytes of one instruction, `struct sock_filter`.
const INSTRUCTION: usize = 8;

/// The most instructions that the kernel takes in one program.
pub const INSTRUCTIONS_MAX: usize = 4096;

/// Why a filter is not in force.
#[derive(Debug, thiserror::Error)]
pub enum InstallFilterError {
    /// not an array of instructions
    #[error(
        "a seccomp filter of {bytes} bytes; it is 8 bytes an instruction, and 1 to {INSTRUCTIONS_MAX} of them: compile it again"
    )]
    Size {
        /// how long it is
        bytes: usize,
    },
    /// the kernel refuses
    #[error(
        "the kernel refuses a seccomp filter of {instructions} instructions; EACCES: set no_new_privs first, EINVAL: compile it again for this machine, ENOMEM: too many filters are in force"
    )]
    Refused {
        /// how long it is
        instructions: usize,
        /// its answer
        #[source]
        source: std::io::Error,
    },
}

/// Puts a filter in force for the calling thread and whatever it starts, besides those that are. There is no way back.
///
/// * `program`: `struct sock_filter`, 8 bytes an instruction, little-endian
///
/// Programs of a policy are installed in the order in which they were compiled. Needs `no_new_privs`.
///
/// # Errors
/// `Size` if it cannot be a program; `Refused` with the kernel's answer.
pub fn install(program: &[u8]) -> Result<(), InstallFilterError> {
    let parsed = parse(program)?;
    set_mode_filter(&parsed).map_err(|source| refused(&parsed, source))
}

/// The same, with a question to whoever has the descriptor in place of each refusal: until it is answered, the call waits.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_asking(program: &[u8]) -> Result<OwnedFd, InstallFilterError> {
    let parsed = parse(&Program::of(program).asking())?;
    set_asking_filter(&parsed).map_err(|source| refused(&parsed, source))
}

fn refused(program: &[libc::sock_filter], source: std::io::Error) -> InstallFilterError {
    InstallFilterError::Refused {
        instructions: program.len(),
        source,
    }
}

fn parse(program: &[u8]) -> Result<Vec<libc::sock_filter>, InstallFilterError> {
    let instructions = program.len() / INSTRUCTION;
    if !program.len().is_multiple_of(INSTRUCTION) || !(1..=INSTRUCTIONS_MAX).contains(&instructions)
    {
        return Err(InstallFilterError::Size {
            bytes: program.len(),
        });
    }
    Ok(program
        .chunks_exact(INSTRUCTION)
        .map(|it| libc::sock_filter {
            code: u16::from_le_bytes([it[0], it[1]]),
            jt: it[2],
            jf: it[3],
            k: u32::from_le_bytes([it[4], it[5], it[6], it[7]]),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_array_of_instructions_is_refused_before_the_kernel_sees_it() {
        for bytes in [0, 7, 9, 8 * INSTRUCTIONS_MAX + 8] {
            assert!(
                matches!(install(&vec![0; bytes]), Err(InstallFilterError::Size { bytes: found }) if found == bytes)
            );
        }
    }

    #[test]
    fn a_program_without_a_return_is_refused_by_the_kernel() {
        let error = install(&[0; 8]).unwrap_err();
        assert!(
            matches!(
                error,
                InstallFilterError::Refused {
                    instructions: 1,
                    ..
                }
            ),
            "{error}"
        );
    }
}
