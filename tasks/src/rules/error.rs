//! Why a rule set could not be loaded.

use crate::Owner;

/// Why a rule set could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RuleSetError {
    /// No embedded set has this name.
    #[error("no rule set is called {name}\nhelp: known are {}", .known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The file does not fit the schema.
    #[error("rule set {name}: {message}")]
    Malformed {
        /// Which set.
        name: String,
        /// Where and why.
        message: String,
    },
    /// A value is out of its range.
    #[error("rule set {name}: {field} is {found}, expected {expected}")]
    OutOfRange {
        /// Which set.
        name: String,
        /// Which field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A value that nobody has for this set.
    #[error(
        "rule set {name} does not say {field}: its value at that time is not known\nhelp: use a set that says it, or add it with its source"
    )]
    NotKnown {
        /// Which set.
        name: String,
        /// Which field.
        field: &'static str,
    },
}

impl RuleSetError {
    /// Whose fault: rule sets come from the operator.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}
