//! A policy as a program of the kernel's filter machine.
//!
//! One program with all answers (make it, EPERM, ENOSYS, kill), which finds a call's number by halving: ranges of numbers with the same answer
//! are leaves of a tree (`tree`). When a filter is installed the kernel runs it for every number, to note the calls that pass
//! whatever their arguments; it then makes those without asking again. With a chain of comparisons that takes 1.5 ms, half a launch.

use std::collections::BTreeMap;

use super::numbers::{Lookup, Numbers};
use super::policy::{Answer, Case, Policy};
use super::tree::{Conjunction, Test, TooLong, Verdict, program};

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// Numbers with this bit are x32's, which come under the same architecture as those without.
const X32_BIT: u32 = 0x4000_0000;

/// An architecture that filters are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// x86, 64 bits
    X86_64,
    /// ARM, 64 bits
    Aarch64,
}

impl Architecture {
    /// The one that this program runs on.
    ///
    /// # Errors
    /// [`CompilePolicyError::Architecture`] on others.
    pub fn host() -> Result<Architecture, CompilePolicyError> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Architecture::X86_64),
            "aarch64" => Ok(Architecture::Aarch64),
            found => Err(CompilePolicyError::Architecture { found }),
        }
    }

    /// `AUDIT_ARCH_…` of the kernel's `linux/audit.h`.
    fn code(self) -> u32 {
        match self {
            Architecture::X86_64 => 0xC000_003E,
            Architecture::Aarch64 => 0xC000_00B7,
        }
    }
}

/// Why a policy cannot become filters.
#[derive(Debug, thiserror::Error)]
pub enum CompilePolicyError {
    /// no numbers for it
    #[error(
        "this machine is {found}, and filters exist for x86_64 and aarch64; run jobs there, or add its numbers to seccomp/syscalls.txt"
    )]
    Architecture {
        /// what the machine is
        found: &'static str,
    },
    /// a call that the table does not have, which a policy that was read cannot name
    #[error(
        "the policy names {call:?}, which is no system call; read policies with Policy::parse, which says where"
    )]
    UnknownCall {
        /// the name
        call: String,
    },
    /// more than the kernel takes
    #[error("the policy's filter is too long")]
    Length(#[from] TooLong),
}

/// Programs for the kernel: each an array of `struct sock_filter`, 8 bytes an instruction, little-endian, to install in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters {
    /// the programs
    pub programs: Vec<Vec<u8>>,
}

impl Filters {
    /// How many instructions all programs have.
    #[must_use]
    pub fn instructions(&self) -> usize {
        self.programs.iter().map(|program| program.len() / 8).sum()
    }
}

impl Policy {
    /// Compiles the policy for this machine.
    ///
    /// # Errors
    /// `Architecture` on a machine that there are no numbers for; `Length` if the policy is too long.
    pub fn compile(&self) -> Result<Filters, CompilePolicyError> {
        self.compile_for(Architecture::host()?)
    }

    /// Compiles the policy for `architecture`. Calls that only others have are left out.
    ///
    /// # Errors
    /// `Length` if the policy is too long.
    pub fn compile_for(&self, architecture: Architecture) -> Result<Filters, CompilePolicyError> {
        let numbers = Numbers::of(architecture);
        let mut verdicts = BTreeMap::new();
        let mut decide = |call: &str, verdict: Verdict| match numbers.find(call) {
            Lookup::Number(number) => {
                verdicts.insert(number, verdict);
                Ok(())
            }
            Lookup::Elsewhere => Ok(()),
            Lookup::Unknown => Err(CompilePolicyError::UnknownCall {
                call: call.to_owned(),
            }),
        };
        for call in self.allow.iter().flat_map(|group| &group.calls) {
            decide(call, Verdict::Allow)?;
        }
        for when in &self.when {
            let cases = when.case.iter().map(conjunction).collect();
            let otherwise = EPERM;
            decide(&when.call, Verdict::When { cases, otherwise })?;
        }
        for group in &self.deny {
            let answer = match group.answer {
                Answer::Eperm => EPERM,
                Answer::Enosys => ENOSYS,
            };
            for call in &group.calls {
                decide(call, Verdict::Errno(answer))?;
            }
        }
        let killed = match architecture {
            Architecture::X86_64 => X32_BIT,
            Architecture::Aarch64 => 0,
        };
        let program = program(architecture.code(), killed, &verdicts, ENOSYS)?;
        Ok(Filters {
            programs: vec![program],
        })
    }
}

/// A case as tests of arguments, all of which must hold.
fn conjunction(case: &Case) -> Conjunction {
    let test = |argument: &super::policy::Argument| Test {
        index: argument.index,
        mask: argument.mask,
        is: argument.is.clone(),
    };
    case.arguments.iter().map(test).collect()
}
