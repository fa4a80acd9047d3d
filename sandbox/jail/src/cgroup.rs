//! Control groups of a job: limits, kill, events.

use serde::{Deserialize, Serialize};

/// A job's groups and what is written into them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// the group's name, below this process's own groups
    pub name: String,
}
