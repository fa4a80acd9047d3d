//! Which rows of a data file are worth scoring, and what their texts are.
//!
//! * Text columns are stringified as Python's `str()` writes them, null as the empty text; a file in which too
//!   many rows have nothing at all is refused.
//! * Preference rows with an empty field are dropped.
//! * Conversations keep their valid messages (an object whose role and content are text); those with too few
//!   are dropped.

use super::{DataError, DataSet};
use crate::python::python_str;
use crate::rules::DataRules;
use crate::spec::{ChatType, DpoType};
use serde::Serialize;
use serde_json::{Map, Value};

/// Rows that were dropped before tokenising, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DataDrops {
    /// Preference rows with an empty prompt, chosen or rejected text.
    pub empty_field: usize,
    /// Rows whose conversation is not a list of objects.
    pub not_a_conversation: usize,
    /// Conversations with too few valid messages.
    pub too_few_messages: usize,
    /// Messages (not rows) without text for role and content, removed from conversations that were kept.
    pub invalid_messages: usize,
}

/// A preference row: its index in the file; prompt, chosen, rejected.
pub type PreferenceRow = (usize, [String; 3]);

/// A conversation: its index in the file, and its valid messages.
pub type ChatRow = (usize, Vec<Map<String, Value>>);

/// Texts of the wanted columns, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextColumns {
    /// `texts[row][column]`, columns in the order they were asked for; `None` where the file has no such column.
    pub texts: Vec<Vec<Option<String>>>,
}

/// Reads text columns. Each wanted column is its name and, if it has to be there, the field that names it.
///
/// # Errors
/// `NoRows`, `NoColumn` or `MostlyEmpty`.
pub fn text_rows(
    data: &DataSet,
    wanted: &[(&str, Option<&'static str>)],
    rules: &DataRules,
) -> Result<TextColumns, DataError> {
    if data.rows.is_empty() {
        return Err(DataError::NoRows {
            name: data.name.clone(),
        });
    }
    for (column, role) in wanted {
        if let Some(role) = role {
            data.need_column(column, role)?;
        }
    }
    let present: Vec<bool> = wanted
        .iter()
        .map(|(column, _)| data.has_column(column))
        .collect();
    let texts: Vec<Vec<Option<String>>> = data
        .rows
        .iter()
        .map(|row| {
            let text = |column: &str| match row.get(column) {
                None | Some(Value::Null) => String::new(),
                Some(value) => python_str(value),
            };
            wanted
                .iter()
                .zip(&present)
                .map(|((column, _), present)| present.then(|| text(column)))
                .collect()
        })
        .collect();
    let empty = texts
        .iter()
        .filter(|row| row.iter().flatten().all(String::is_empty))
        .count();
    if empty as f64 > rules.empty_row_fraction_max * data.rows.len() as f64 {
        return Err(DataError::MostlyEmpty {
            name: data.name.clone(),
            empty,
            rows: data.rows.len(),
            columns: wanted
                .iter()
                .map(|(column, _)| (*column).to_owned())
                .collect(),
            limit: rules.empty_row_fraction_max,
        });
    }
    Ok(TextColumns { texts })
}

/// Preference rows: (row in the file, prompt, chosen, rejected).
///
/// # Errors
/// As [`text_rows`].
pub fn preference_rows(
    data: &DataSet,
    columns: &DpoType,
    rules: &DataRules,
) -> Result<(Vec<PreferenceRow>, DataDrops), DataError> {
    let name = |field: &Option<String>, default: &'static str| {
        field.clone().unwrap_or_else(|| default.to_owned())
    };
    let prompt = name(&columns.field_prompt, "prompt");
    let chosen = name(&columns.field_chosen, "chosen");
    let rejected = name(&columns.field_rejected, "rejected");
    let wanted = [
        (prompt.as_str(), Some("dataset_type.field_prompt")),
        (chosen.as_str(), Some("dataset_type.field_chosen")),
        (rejected.as_str(), Some("dataset_type.field_rejected")),
    ];
    let mut drops = DataDrops::default();
    let mut rows = Vec::new();
    for (i, texts) in text_rows(data, &wanted, rules)?
        .texts
        .into_iter()
        .enumerate()
    {
        let mut texts = texts.into_iter().flatten();
        let (Some(p), Some(c), Some(r)) = (texts.next(), texts.next(), texts.next()) else {
            drops.empty_field += 1;
            continue;
        };
        if p.is_empty() || c.is_empty() || r.is_empty() {
            drops.empty_field += 1;
            continue;
        }
        rows.push((i, [p, c, r]));
    }
    Ok((rows, drops))
}

/// Conversations: (row in the file, valid messages).
///
/// # Errors
/// `NoRows` or `NoColumn`.
pub fn chat_rows(
    data: &DataSet,
    columns: &ChatType,
    rules: &DataRules,
) -> Result<(Vec<ChatRow>, DataDrops), DataError> {
    if data.rows.is_empty() {
        return Err(DataError::NoRows {
            name: data.name.clone(),
        });
    }
    let name = |field: &Option<String>, default: &'static str| {
        field.clone().unwrap_or_else(|| default.to_owned())
    };
    let column = name(&columns.chat_column, "conversations");
    let role = name(&columns.chat_role_field, "from");
    let content = name(&columns.chat_content_field, "value");
    data.need_column(&column, "dataset_type.chat_column")?;
    let mut drops = DataDrops::default();
    let mut rows = Vec::new();
    for (i, row) in data.rows.iter().enumerate() {
        let decoded;
        let list = match row.get(&column) {
            Some(Value::Array(list)) => list,
            // A conversation may be written as the JSON text of a list.
            Some(Value::String(text)) => match serde_json::from_str::<Vec<Value>>(text) {
                Ok(list) => {
                    decoded = list;
                    &decoded
                }
                Err(_) => {
                    drops.not_a_conversation += 1;
                    continue;
                }
            },
            _ => {
                drops.not_a_conversation += 1;
                continue;
            }
        };
        let valid: Vec<Map<String, Value>> = list
            .iter()
            .filter_map(Value::as_object)
            .filter(|m| {
                m.get(&role).is_some_and(Value::is_string)
                    && m.get(&content).is_some_and(Value::is_string)
            })
            .cloned()
            .collect();
        if valid.len() < rules.chat_messages_min {
            drops.too_few_messages += 1;
            continue;
        }
        drops.invalid_messages += list.len() - valid.len();
        rows.push((i, valid));
    }
    Ok((rows, drops))
}
