//! Which device nodes a group may open.
//!
//! A list of what is allowed, which becomes an eBPF program for a group of version 2, or lines for `devices.allow` of version 1. The
//! kernel asks at every open and every mknod, so a node that appears later, or through a mount, is covered too.

mod program;

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::syscalls::bpf::{attach_device_filter, load_device_filter};

pub use program::program;

/// The most rules of one filter: far more than a machine has devices to give, and 8 instructions each are far below what a kernel takes.
pub const RULES_MAX: usize = 256;

/// Numbers past this do not exist: the kernel has 12 bits for a major number.
const MAJOR_MAX: u32 = 0xFFF;

/// Numbers past this do not exist: the kernel has 20 bits for a minor number.
const MINOR_MAX: u32 = 0xF_FFFF;

/// Device nodes that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// character or block
    pub kind: Kind,
    /// major number
    pub major: u32,
    /// minor number; absent for all
    pub minor: Option<u32>,
    /// what may be done; a use is allowed where one rule allows all of it
    pub access: Access,
}

/// Kinds of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// block devices
    Block,
    /// character devices
    Char,
}

/// What is done with a device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// opened for reading
    pub read: bool,
    /// opened for writing
    pub write: bool,
    /// made
    pub mknod: bool,
}

impl Access {
    /// Opened in any way, not made.
    pub const OPEN: Access = Access {
        read: true,
        write: true,
        mknod: false,
    };
}

/// Why devices are not filtered.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFilterError {
    /// too many
    #[error(
        "{found} device rules; a filter has at most {RULES_MAX}: use a rule without a minor number for many nodes of one driver"
    )]
    TooMany {
        /// how many
        found: usize,
    },
    /// allows nothing
    #[error("the device rule {rule} allows no access; give it r, w or m, or take it out")]
    NoAccess {
        /// the rule
        rule: Rule,
    },
    /// no such device
    #[error(
        "the device rule {rule} has a number that no device has; major numbers end at {MAJOR_MAX}, minor numbers at {MINOR_MAX}: read them from the node"
    )]
    Number {
        /// the rule
        rule: Rule,
    },
    /// the program is refused
    #[error(
        "the kernel does not load the device filter of {rules} rules; EPERM: it takes CAP_BPF and CAP_NET_ADMIN of the host, EINVAL: it was built without CONFIG_CGROUP_BPF"
    )]
    Load {
        /// how many rules
        rules: usize,
        /// its answer
        #[source]
        source: std::io::Error,
    },
    /// the group is refused
    #[error(
        "the kernel does not attach the device filter; EBADF: the descriptor is no directory of cgroup2, EPERM: it takes CAP_NET_ADMIN of the host, or a group above has a filter without ALLOW_MULTI"
    )]
    Attach {
        /// its answer
        #[source]
        source: std::io::Error,
    },
}

impl Rule {
    /// Opening one device node, or all nodes of a major number.
    #[must_use]
    pub const fn open(kind: Kind, major: u32, minor: Option<u32>) -> Rule {
        Rule {
            kind,
            major,
            minor,
            access: Access::OPEN,
        }
    }

    /// Whether this rule alone allows a use.
    #[must_use]
    pub fn allows(&self, kind: Kind, major: u32, minor: u32, access: Access) -> bool {
        let within = |asked: bool, given: bool| !asked || given;
        self.kind == kind
            && self.major == major
            && self.minor.is_none_or(|it| it == minor)
            && within(access.read, self.access.read)
            && within(access.write, self.access.write)
            && within(access.mknod, self.access.mknod)
    }

    fn check(&self) -> Result<(), DeviceFilterError> {
        if self.major > MAJOR_MAX || self.minor.is_some_and(|minor| minor > MINOR_MAX) {
            return Err(DeviceFilterError::Number { rule: *self });
        }
        if !(self.access.read || self.access.write || self.access.mknod) {
            return Err(DeviceFilterError::NoAccess { rule: *self });
        }
        Ok(())
    }
}

/// As in a line of `devices.allow`: `c 1:3 rw`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Block => 'b',
            Kind::Char => 'c',
        };
        write!(f, "{kind} {}:", self.major)?;
        match self.minor {
            Some(minor) => write!(f, "{minor} ")?,
            None => f.write_str("* ")?,
        }
        let letters = [
            (self.access.read, 'r'),
            (self.access.write, 'w'),
            (self.access.mknod, 'm'),
        ];
        letters
            .into_iter()
            .filter(|(given, _)| *given)
            .try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

/// What every job has: `null`, `zero`, `full`, `random`, `urandom`, `ptmx` and the pseudo terminals. GPUs are added by who grants them.
#[must_use]
pub fn base() -> Vec<Rule> {
    let one = |major, minor| Rule::open(Kind::Char, major, Some(minor));
    vec![
        one(1, 3),
        one(1, 5),
        one(1, 7),
        one(1, 8),
        one(1, 9),
        one(5, 2),
        Rule::open(Kind::Char, 136, None),
    ]
}

/// The rules as lines for `devices.allow` of a version 1 group, one write each, after `a` was written to its `devices.deny`.
///
/// # Errors
/// As [`program`].
pub fn v1_lines(rules: &[Rule]) -> Result<Vec<String>, DeviceFilterError> {
    check(rules)?;
    Ok(rules.iter().map(Rule::to_string).collect())
}

/// Gives the kernel a filter that lets nothing through but `rules`. It is there for as long as the descriptor or a group has it.
///
/// # Errors
/// As [`program`]; `Load` with the kernel's answer.
pub fn load(rules: &[Rule]) -> Result<OwnedFd, DeviceFilterError> {
    let program = program(rules)?;
    load_device_filter(&program).map_err(|source| DeviceFilterError::Load {
        rules: rules.len(),
        source,
    })
}

/// Lets the group `group`, a directory of cgroup2, and all groups below it use nothing but what `filter` allows ([`load`]).
///
/// Filters add up: a use must be allowed by those of the groups above and by all that are attached here. The filter stays when the
/// descriptor is closed, and goes with the group.
///
/// # Errors
/// `Attach` with the kernel's answer.
pub fn attach(group: BorrowedFd<'_>, filter: BorrowedFd<'_>) -> Result<(), DeviceFilterError> {
    attach_device_filter(group, filter).map_err(|source| DeviceFilterError::Attach { source })
}

fn check(rules: &[Rule]) -> Result<(), DeviceFilterError> {
    if rules.len() > RULES_MAX {
        return Err(DeviceFilterError::TooMany { found: rules.len() });
    }
    rules.iter().try_for_each(Rule::check)
}

#[cfg(test)]
mod tests;
