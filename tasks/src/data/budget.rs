//! Memory that a file's rows may take. Formats repeat themselves: a few bytes of Parquet, or `{}` on every line, become
//! many rows.

use serde_json::{Map, Value};

/// Bytes that the rows of one file may take in memory, allocators' own overhead aside.
pub(super) const ROW_BYTES_MAX: u64 = 8 << 30;
/// A row before its columns.
pub(super) const ROW_BYTES: u64 = size_of::<Map<String, Value>>() as u64;
/// A value without its text.
pub(super) const VALUE_BYTES: u64 = size_of::<Value>() as u64;
/// A member of an object without key and value: its key's header, its hash and its place in the index.
const MEMBER_BYTES: u64 = (size_of::<String>() + 2 * size_of::<u64>()) as u64;

/// What is left of the memory.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    left: u64,
}

/// There is not enough left.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("its rows take more than {limit} bytes in memory")]
pub(super) struct OverBudget {
    limit: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(ROW_BYTES_MAX)
    }
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, left: limit }
    }

    pub(super) fn charge(&mut self, bytes: u64) -> Result<(), OverBudget> {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => return Err(OverBudget { limit: self.limit }),
        }
        Ok(())
    }

    /// Whether so much is left.
    pub(super) fn covers(&self, bytes: u64) -> Result<(), OverBudget> {
        Self { ..*self }.charge(bytes)
    }

    /// A value's own bytes and its text; what it contains is charged by itself.
    pub(super) fn charge_value(&mut self, text: &str) -> Result<(), OverBudget> {
        self.charge(VALUE_BYTES + text.len() as u64)
    }

    pub(super) fn charge_key(&mut self, key: &str) -> Result<(), OverBudget> {
        self.charge(MEMBER_BYTES + key.len() as u64)
    }

    pub(super) fn charge_row(&mut self, row: &Map<String, Value>) -> Result<(), OverBudget> {
        self.charge(ROW_BYTES)?;
        self.charge_members(row)
    }

    fn charge_members(&mut self, members: &Map<String, Value>) -> Result<(), OverBudget> {
        members.iter().try_for_each(|(key, value)| {
            self.charge_key(key)?;
            self.charge_tree(value)
        })
    }

    fn charge_tree(&mut self, value: &Value) -> Result<(), OverBudget> {
        self.charge_value(value.as_str().unwrap_or_default())?;
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.charge_tree(item)),
            Value::Object(members) => self.charge_members(members),
            _ => Ok(()),
        }
    }
}
