//! Names of system calls and their numbers on each architecture, from a table in text.
//!
//! The table is ours and not a library's constants because a policy must name calls that are newer than the library, and because a
//! filter can be compiled, and tested, for another architecture than the one that compiles.

use std::collections::HashMap;

use super::compile::Architecture;

const TABLE: &str = include_str!("../../seccomp/syscalls.txt");

/// Numbers of the calls of one architecture.
#[derive(Clone, Debug)]
pub struct Numbers {
    by_name: HashMap<&'static str, Option<u32>>,
}

/// What the table says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// the call's number
    Number(u32),
    /// a call of other architectures only
    Elsewhere,
    /// no call of any architecture
    Unknown,
}

impl Numbers {
    /// The numbers of `architecture`.
    ///
    /// # Panics
    /// Never: a test reads every line of the embedded table.
    #[must_use]
    pub fn of(architecture: Architecture) -> Numbers {
        let by_name = TABLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let mut words = line.split(' ');
                let name = words.next().expect("a split has a first part");
                let column = match architecture {
                    Architecture::X86_64 => words.next(),
                    Architecture::Aarch64 => words.nth(1),
                };
                let number = match column.expect("the table has three columns") {
                    "-" => None,
                    digits => Some(digits.parse().expect("the table has numbers")),
                };
                (name, number)
            })
            .collect();
        Numbers { by_name }
    }

    /// What `name` is on this architecture.
    #[must_use]
    pub fn find(&self, name: &str) -> Lookup {
        match self.by_name.get(name) {
            Some(Some(number)) => Lookup::Number(*number),
            Some(None) => Lookup::Elsewhere,
            None => Lookup::Unknown,
        }
    }

    /// The call that has this number here.
    #[must_use]
    pub fn name(&self, number: u32) -> Option<&'static str> {
        let found = self.by_name.iter().find(|(_, its)| **its == Some(number));
        found.map(|(name, _)| *name)
    }

    /// All names, whether this architecture has them or not, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.keys().copied()
    }
}
