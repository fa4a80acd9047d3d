//! A policy as programs of the kernel's filter machine.
//!
//! seccompiler gives a program one answer for what matches and one for what does not; a policy needs three (make it, EPERM, ENOSYS), so
//! it becomes two programs, of which the kernel runs both for every call:
//!
//! 1. `permitted`: what is allowed passes, everything else answers EPERM. It also kills calls of other architectures.
//! 2. `known`: what the policy names passes, except where it says ENOSYS; everything else answers ENOSYS.
//!
//! Of two refusals the kernel takes the one of the program installed last, so the order decides that an unknown call is told ENOSYS.
//! A call that both pass regardless of arguments costs nothing afterwards: the kernel works that out once and keeps a bit per call.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use super::numbers::{Lookup, Numbers};
use super::policy::{Answer, Case, Policy};

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

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

    fn target(self) -> TargetArch {
        match self {
            Architecture::X86_64 => TargetArch::x86_64,
            Architecture::Aarch64 => TargetArch::aarch64,
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
    /// the compiler refuses
    #[error(
        "the policy's filter {program:?} cannot be compiled; a filter has at most 4095 instructions"
    )]
    Compiler {
        /// which of the two
        program: &'static str,
        /// why
        #[source]
        source: seccompiler::BackendError,
    },
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
    /// `Architecture` on a machine that there are no numbers for; `Compiler` if the policy is too long.
    pub fn compile(&self) -> Result<Filters, CompilePolicyError> {
        self.compile_for(Architecture::host()?)
    }

    /// Compiles the policy for `architecture`. Calls that only others have are left out.
    ///
    /// # Errors
    /// `Compiler` if the policy is too long.
    pub fn compile_for(&self, architecture: Architecture) -> Result<Filters, CompilePolicyError> {
        let numbers = Numbers::of(architecture);
        let number = |call: &str| match numbers.find(call) {
            Lookup::Number(number) => Ok(Some(i64::from(number))),
            Lookup::Elsewhere => Ok(None),
            Lookup::Unknown => Err(CompilePolicyError::UnknownCall {
                call: call.to_owned(),
            }),
        };
        let mut permitted = BTreeMap::new();
        let mut known = BTreeMap::new();
        for call in self.allow.iter().flat_map(|group| &group.calls) {
            if let Some(number) = number(call)? {
                permitted.insert(number, Vec::new());
                known.insert(number, Vec::new());
            }
        }
        for when in &self.when {
            if let Some(number) = number(&when.call)? {
                let rules = when
                    .case
                    .iter()
                    .map(rules)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|source| compiler("permitted", source))?;
                permitted.insert(number, rules.concat());
                known.insert(number, Vec::new());
            }
        }
        for call in self
            .deny
            .iter()
            .filter(|group| group.answer == Answer::Eperm)
            .flat_map(|group| &group.calls)
        {
            if let Some(number) = number(call)? {
                known.insert(number, Vec::new());
            }
        }
        let permitted = program(permitted, EPERM, architecture)
            .map_err(|source| compiler("permitted", source))?;
        let known =
            program(known, ENOSYS, architecture).map_err(|source| compiler("known", source))?;
        let first = match architecture {
            Architecture::X86_64 => x32_is_killed().into_iter().chain(permitted).collect(),
            Architecture::Aarch64 => permitted,
        };
        Ok(Filters {
            programs: vec![bytes(&first), bytes(&known)],
        })
    }
}

fn compiler(program: &'static str, source: seccompiler::BackendError) -> CompilePolicyError {
    CompilePolicyError::Compiler { program, source }
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: u32,
    architecture: Architecture,
) -> Result<BpfProgram, seccompiler::BackendError> {
    SeccompFilter::new(
        rules,
        SeccompAction::Errno(otherwise),
        SeccompAction::Allow,
        architecture.target(),
    )?
    .try_into()
}

/// A case as rules: one for each choice of values, since a rule is a conjunction.
fn rules(case: &Case) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let mut choices: Vec<Vec<SeccompCondition>> = vec![Vec::new()];
    for argument in &case.arguments {
        let operator = |mask: u32| match mask {
            u32::MAX => SeccompCmpOp::Eq,
            mask => SeccompCmpOp::MaskedEq(u64::from(mask)),
        };
        let conditions = argument
            .is
            .iter()
            .map(|value| {
                SeccompCondition::new(
                    argument.index,
                    SeccompCmpArgLen::Dword,
                    operator(argument.mask),
                    u64::from(*value),
                )
            })
            .collect::<Result<Vec<_>, _>>()?;
        choices = choices
            .iter()
            .flat_map(|choice| {
                conditions
                    .iter()
                    .map(|condition| [choice.as_slice(), std::slice::from_ref(condition)].concat())
            })
            .collect();
    }
    choices.into_iter().map(SeccompRule::new).collect()
}

/// Calls with x32's bit come under the same architecture as those without. Number -1 is not one of them: it is what a tracer leaves
/// of a call that it skips, and is told ENOSYS like any unknown call. seccompiler's program, which follows, begins by loading the
/// architecture, so what is loaded here does not matter to it.
fn x32_is_killed() -> [sock_filter; 4] {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_EQUAL: u16 = 0x15;
    const JUMP_BITS: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const X32_BIT: u32 = 0x4000_0000;
    const KILL_PROCESS: u32 = 0x8000_0000;
    let op = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    [
        op(LOAD_NUMBER, 0, 0, 0),
        op(JUMP_EQUAL, 2, 0, u32::MAX),
        op(JUMP_BITS, 0, 1, X32_BIT),
        op(RETURN, 0, 0, KILL_PROCESS),
    ]
}

fn bytes(program: &[sock_filter]) -> Vec<u8> {
    program
        .iter()
        .flat_map(|it| {
            let [code_low, code_high] = it.code.to_le_bytes();
            let [a, b, c, d] = it.k.to_le_bytes();
            [code_low, code_high, it.jt, it.jf, a, b, c, d]
        })
        .collect()
}
