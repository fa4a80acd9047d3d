//! What comes in and how it is divided: the sections `[data]` and `[split]` of a rule set.

use serde::{Deserialize, Serialize};

/// Limits of data files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRules {
    /// Largest accepted file, bytes.
    pub file_bytes_max: u64,
    /// Largest accepted fraction of rows whose every field is empty.
    pub empty_row_fraction_max: f64,
    /// Conversations with fewer valid messages are dropped.
    pub chat_messages_min: usize,
}

/// Train/test split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRules {
    /// Fraction of rows that are held out.
    pub test_fraction: f64,
    /// At most this many rows are held out.
    pub test_rows_max: usize,
    /// Seed of the shuffle.
    pub seed: u64,
}
