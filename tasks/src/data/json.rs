//! JSON arrays and JSON lines. Nesting is bounded by the parser (128 levels).

use super::{DataError, Place, excerpt, kind_of};
use serde_json::{Map, Value};

type Rows = Vec<Map<String, Value>>;

pub(super) fn read_json(name: &str, text: &str) -> Result<Rows, DataError> {
    if text.trim_start().starts_with('{') {
        return read_lines(name, text);
    }
    let values: Value = serde_json::from_str(text).map_err(|error| DataError::Malformed {
        name: name.to_owned(),
        place: Place::Line(error.line()),
        expected: "one JSON array of objects".to_owned(),
        found: error.to_string(),
    })?;
    let Value::Array(values) = values else {
        return Err(DataError::File {
            name: name.to_owned(),
            message: format!(
                "expected one JSON array of objects, found {}",
                kind_of(&values)
            ),
        });
    };
    values
        .into_iter()
        .enumerate()
        .map(|(i, value)| object(name, Place::Row(i + 1), value))
        .collect()
}

pub(super) fn read_lines(name: &str, text: &str) -> Result<Rows, DataError> {
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let place = Place::Line(i + 1);
        let value = serde_json::from_str(line).map_err(|error| DataError::Malformed {
            name: name.to_owned(),
            place,
            expected: "one JSON object".to_owned(),
            found: format!("{} ({error})", excerpt(line)),
        })?;
        rows.push(object(name, place, value)?);
    }
    Ok(rows)
}

fn object(name: &str, place: Place, value: Value) -> Result<Map<String, Value>, DataError> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(DataError::Malformed {
            name: name.to_owned(),
            place,
            expected: "an object".to_owned(),
            found: kind_of(&other).to_owned(),
        }),
    }
}
