//! What a policy says, checked when it is read: a policy that exists names only calls that exist, each once, each with a reason.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::compile::Architecture;
use super::numbers::{Lookup, Numbers};

/// The form of policies that this version reads.
pub const VERSION: u32 = 1;

/// What commands of builds may do besides, as text.
pub const BUILD: &str = include_str!("../../seccomp/build.toml");

/// The policy for training, as text.
pub const TRAINER: &str = include_str!("../../seccomp/trainer.toml");

/// What jobs with GPUs may ask of the driver besides, as text.
pub const GPU: &str = include_str!("../../seccomp/gpu.toml");

/// Which system calls a program may make.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// [`VERSION`]
    pub version: u32,
    /// what plans call it
    pub name: String,
    /// calls that are made, whatever their arguments
    #[serde(default)]
    pub allow: Vec<Allow>,
    /// calls that are made for some arguments, and answer EPERM for all others
    #[serde(default)]
    pub when: Vec<When>,
    /// calls that are never made
    #[serde(default)]
    pub deny: Vec<Deny>,
}

/// Calls that are made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// what they have in common
    pub group: String,
    /// why
    #[serde(default)]
    pub reason: String,
    /// their names
    pub calls: Vec<String>,
}

/// Calls that are not made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// what they have in common
    pub group: String,
    /// why
    #[serde(default)]
    pub reason: String,
    /// what the caller is told
    pub answer: Answer,
    /// their names
    pub calls: Vec<String>,
}

/// What the caller of a denied call is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// that it may not
    #[serde(rename = "EPERM")]
    Eperm,
    /// that there is no such call, so that it tries another
    #[serde(rename = "ENOSYS")]
    Enosys,
}

/// A call that is made for some arguments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// its name
    pub call: String,
    /// why not for all
    #[serde(default)]
    pub reason: String,
    /// it is made where one of these matches
    #[serde(default)]
    pub case: Vec<Case>,
}

/// Arguments for which a call is made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// why
    #[serde(default)]
    pub reason: String,
    /// all of these match
    pub arguments: Vec<Argument>,
}

/// A condition on one argument, of which the lower 32 bits count.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// which, from 0
    pub index: u8,
    /// bits that are compared
    #[serde(default = "all_bits")]
    pub mask: u32,
    /// what they may be
    pub is: Vec<u32>,
}

fn all_bits() -> u32 {
    u32::MAX
}

/// Why a policy cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadPolicyError {
    /// not the form of a policy
    #[error("the policy is not in the form that is read; see seccomp/trainer.toml for one that is")]
    Syntax(#[source] Box<toml::de::Error>),
    /// another form
    #[error("the policy has version {found}, and {VERSION} is what is read; write it in that form")]
    Version {
        /// its version
        found: u32,
    },
    /// a rule without a reason
    #[error("{rule} has no reason; say in `reason` why it is as it is")]
    MissingReason {
        /// which rule
        rule: String,
    },
    /// no such call
    #[error(
        "{rule} names the call {call:?}, which seccomp/syscalls.txt does not have; correct it, or add its numbers there"
    )]
    UnknownCall {
        /// which rule
        rule: String,
        /// the name
        call: String,
    },
    /// two rules for a call
    #[error(
        "the call {call} is in {first} and again in {second}; a call has one rule, so take it out of one"
    )]
    Duplicate {
        /// the call
        call: String,
        /// the rule that comes first
        first: String,
        /// the other
        second: String,
    },
    /// nothing to add to
    #[error(
        "{call} is added to, but the policy has no rule for it that looks at arguments; make it one, or take the addition out"
    )]
    NoRule {
        /// the call
        call: String,
    },
    /// nothing in it
    #[error("{rule} has no {what}, so it would say nothing; add one, or take the rule out")]
    Empty {
        /// which rule
        rule: String,
        /// what it lacks
        what: &'static str,
    },
    /// no such argument
    #[error("{rule} has a condition on argument {index}; calls have arguments 0 to 5")]
    ArgumentIndex {
        /// which rule
        rule: String,
        /// the index
        index: u8,
    },
    /// two conditions on one argument
    #[error(
        "{rule} has two conditions on argument {index} in one case; put the values into one `is`, or make two cases"
    )]
    ArgumentTwice {
        /// which rule
        rule: String,
        /// the index
        index: u8,
    },
    /// never true
    #[error(
        "{rule} wants argument {index} masked with {mask:#x} to be {value:#x}, which it never is; correct the mask or the value"
    )]
    NeverMatches {
        /// which rule
        rule: String,
        /// the argument
        index: u8,
        /// the bits compared
        mask: u32,
        /// the value
        value: u32,
    },
}

impl Policy {
    /// The policy for training, which is part of this program.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn trainer() -> Policy {
        Policy::parse(TRAINER).expect("a test reads the embedded policy")
    }

    /// The same for jobs with GPUs: with the commands of the driver that computing needs.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn trainer_with_gpu() -> Policy {
        let more = Policy::parse(GPU).expect("a test reads the embedded policy");
        Policy::trainer()
            .with(more)
            .expect("a test adds the embedded policies")
    }

    /// This policy, with the cases of another one's rules added to those for the same calls, and under its name.
    ///
    /// # Errors
    /// [`LoadPolicyError::NoRule`] if this policy has no rule for one of the calls that looks at arguments.
    pub fn with(mut self, more: Policy) -> Result<Policy, LoadPolicyError> {
        for added in more.when {
            let rule = self.when.iter_mut().find(|when| when.call == added.call);
            let rule = rule.ok_or(LoadPolicyError::NoRule {
                call: added.call.clone(),
            })?;
            rule.case.extend(added.case);
        }
        self.name = more.name;
        Ok(self)
    }

    /// The policy for commands of builds: that for training, and further cases of calls that it has.
    ///
    /// # Panics
    /// Never: a test makes it.
    #[must_use]
    pub fn build() -> Policy {
        let more = Policy::parse(BUILD).expect("a test reads the embedded policy");
        Policy::trainer()
            .with(more)
            .expect("a test adds the embedded policies")
    }

    /// Reads a policy.
    ///
    /// # Errors
    /// For each thing that would make it say something else than its author meant, as [`LoadPolicyError`] lists.
    pub fn parse(text: &str) -> Result<Policy, LoadPolicyError> {
        let policy: Policy =
            toml::from_str(text).map_err(|error| LoadPolicyError::Syntax(Box::new(error)))?;
        if policy.version != VERSION {
            return Err(LoadPolicyError::Version {
                found: policy.version,
            });
        }
        policy.check_calls()?;
        for when in &policy.when {
            when.check()?;
        }
        Ok(policy)
    }

    fn check_calls(&self) -> Result<(), LoadPolicyError> {
        let numbers = Numbers::of(Architecture::X86_64);
        let mut seen: HashMap<&str, String> = HashMap::new();
        let allow = self.allow.iter().map(|it| {
            (
                format!("allow group {:?}", it.group),
                &it.reason,
                &it.calls[..],
            )
        });
        let deny = self.deny.iter().map(|it| {
            (
                format!("deny group {:?}", it.group),
                &it.reason,
                &it.calls[..],
            )
        });
        let when = self
            .when
            .iter()
            .map(|it| (it.label(), &it.reason, std::slice::from_ref(&it.call)));
        for (rule, reason, calls) in allow.chain(deny).chain(when) {
            if reason.trim().is_empty() {
                return Err(LoadPolicyError::MissingReason { rule });
            }
            if calls.is_empty() {
                return Err(LoadPolicyError::Empty {
                    rule,
                    what: "calls",
                });
            }
            for call in calls {
                if numbers.find(call) == Lookup::Unknown {
                    return Err(LoadPolicyError::UnknownCall {
                        rule,
                        call: call.clone(),
                    });
                }
                if let Some(first) = seen.insert(call, rule.clone()) {
                    return Err(LoadPolicyError::Duplicate {
                        call: call.clone(),
                        first,
                        second: rule,
                    });
                }
            }
        }
        Ok(())
    }
}

impl When {
    fn label(&self) -> String {
        format!("the rule for {}", self.call)
    }

    fn check(&self) -> Result<(), LoadPolicyError> {
        let rule = self.label();
        if self.case.is_empty() {
            return Err(LoadPolicyError::Empty {
                rule,
                what: "cases",
            });
        }
        for case in &self.case {
            if case.reason.trim().is_empty() {
                return Err(LoadPolicyError::MissingReason {
                    rule: format!("a case of {rule}"),
                });
            }
            if case.arguments.is_empty() {
                return Err(LoadPolicyError::Empty {
                    rule,
                    what: "arguments in a case",
                });
            }
            let mut indices = Vec::new();
            for argument in &case.arguments {
                let index = argument.index;
                if index > 5 {
                    return Err(LoadPolicyError::ArgumentIndex { rule, index });
                }
                if indices.contains(&index) {
                    return Err(LoadPolicyError::ArgumentTwice { rule, index });
                }
                indices.push(index);
                if argument.is.is_empty() {
                    return Err(LoadPolicyError::Empty {
                        rule,
                        what: "values in `is`",
                    });
                }
                if let Some(value) = argument
                    .is
                    .iter()
                    .copied()
                    .find(|value| value & !argument.mask != 0)
                {
                    return Err(LoadPolicyError::NeverMatches {
                        rule,
                        index,
                        mask: argument.mask,
                        value,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Argument {
    /// Whether a call's argument meets this condition.
    #[must_use]
    pub fn matches(&self, argument: u64) -> bool {
        self.is.contains(&(argument as u32 & self.mask))
    }
}

impl Case {
    /// Whether a call's arguments meet all conditions.
    #[must_use]
    pub fn matches(&self, arguments: &[u64; 6]) -> bool {
        self.arguments.iter().all(|it| {
            arguments
                .get(usize::from(it.index))
                .is_some_and(|value| it.matches(*value))
        })
    }
}
