//! Held-out rows: bytes of a data file in, rows out.
//!
//! Readers accept a JSON array of objects, JSON lines, CSV and Parquet. They are strict: the first thing that does
//! not fit ends the reading with the file, the place, what was expected and what was found. Which rows are then
//! worth scoring is decided in `checks.rs`.

mod budget;
mod checks;
mod csv;
mod json;
mod parquet;

pub use checks::{
    ChatRow, DataDrops, PreferenceRow, TextColumns, chat_rows, preference_rows, text_rows,
};

use crate::Owner;
use crate::rules::DataRules;
use budget::{Budget, OverBudget};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// How a data file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// One JSON array of objects (one object per line is accepted too).
    Json,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated values with a header. Every value is text: no types are guessed.
    Csv,
    /// Apache Parquet: scalars, and lists of structures for conversations.
    Parquet,
}

/// Rows of a data file, in file order.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSet {
    /// What the file is called in messages.
    pub name: String,
    /// Every column of any row, in the order of first appearance.
    pub columns: Vec<String>,
    /// The rows. A column that a row lacks is null there.
    pub rows: Vec<Map<String, Value>>,
}

/// Why a data file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Larger than the rules allow.
    #[error("{name} has {found} bytes, the rules allow {limit}")]
    TooLarge {
        /// File.
        name: String,
        /// Its size.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Something at one place does not fit.
    #[error("{name}, {place}: expected {expected}, found {found}")]
    Malformed {
        /// File.
        name: String,
        /// Line or row.
        place: Place,
        /// What fits there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file as a whole does not fit.
    #[error("{name}: {message}")]
    File {
        /// File.
        name: String,
        /// What does not fit.
        message: String,
    },
    /// A column that the task names is not there.
    #[error("{name} has no column {column}, which {role} names\nhelp: columns are {}", .columns.join(", "))]
    NoColumn {
        /// File.
        name: String,
        /// The column.
        column: String,
        /// The field of the task that names it.
        role: &'static str,
        /// What there is.
        columns: Vec<String>,
    },
    /// No rows at all.
    #[error("{name} has no rows")]
    NoRows {
        /// File.
        name: String,
    },
    /// Too many rows whose every field is empty.
    #[error("{name}: {empty} of {rows} rows have nothing in {}, the rules allow {:.0} %", .columns.join(", "), .limit * 100.0)]
    MostlyEmpty {
        /// File.
        name: String,
        /// Rows with every field empty.
        empty: usize,
        /// All rows.
        rows: usize,
        /// The fields.
        columns: Vec<String>,
        /// The limit, a fraction.
        limit: f64,
    },
}

impl DataError {
    /// Whose fault: data files come with the task.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Where in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line of text.
    Line(usize),
    /// A row of the table.
    Row(usize),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Line(n) => write!(f, "line {n}"),
            Place::Row(n) => write!(f, "row {n}"),
        }
    }
}

impl DataSet {
    /// Reads a data file. `name` is what messages call it.
    ///
    /// # Errors
    /// See [`DataError`]; an empty table is not an error here.
    pub fn from_bytes(
        name: &str,
        bytes: &[u8],
        format: DataFormat,
        rules: &DataRules,
    ) -> Result<Self, DataError> {
        if bytes.len() as u64 > rules.file_bytes_max {
            return Err(DataError::TooLarge {
                name: name.to_owned(),
                found: bytes.len() as u64,
                limit: rules.file_bytes_max,
            });
        }
        let budget = &mut Budget::default();
        let rows = match format {
            DataFormat::Json => json::read_json(name, text_of(name, bytes)?, budget)?,
            DataFormat::Jsonl => json::read_lines(name, text_of(name, bytes)?, budget)?,
            DataFormat::Csv => csv::read(name, text_of(name, bytes)?, budget)?,
            DataFormat::Parquet => parquet::read(name, bytes, budget)?,
        };
        Ok(Self::from_rows(name, rows))
    }

    /// A data set of rows that are already here.
    pub fn from_rows(name: &str, rows: Vec<Map<String, Value>>) -> Self {
        let mut seen = HashSet::new();
        let mut columns = Vec::new();
        for key in rows.iter().flat_map(|row| row.keys()) {
            if !seen.contains(key.as_str()) {
                seen.insert(key.clone());
                columns.push(key.clone());
            }
        }
        Self {
            name: name.to_owned(),
            columns,
            rows,
        }
    }

    /// Whether any row has this column.
    pub fn has_column(&self, column: &str) -> bool {
        self.columns.iter().any(|c| c == column)
    }

    fn need_column(&self, column: &str, role: &'static str) -> Result<(), DataError> {
        if self.has_column(column) {
            return Ok(());
        }
        Err(DataError::NoColumn {
            name: self.name.clone(),
            column: column.to_owned(),
            role,
            columns: self.columns.clone(),
        })
    }
}

fn text_of<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line = 1 + bytes[..at].iter().filter(|b| **b == b'\n').count();
        DataError::Malformed {
            name: name.to_owned(),
            place: Place::Line(line),
            expected: "UTF-8".to_owned(),
            found: format!("byte 0x{:02x} at offset {at}", bytes[at]),
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn over_budget(name: &str) -> impl Fn(OverBudget) -> DataError {
    move |error| DataError::File {
        name: name.to_owned(),
        message: error.to_string(),
    }
}

/// The first characters of a value, for messages.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
