//! Parquet tables of scalars, lists and structures.
//!
//! The format's reader is not written for hostile files: what it panics on is turned into an error here, and the
//! uncompressed size that the file claims is held against a limit before anything is decoded.

use super::DataError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Uncompressed bytes that a file may claim.
const UNCOMPRESSED_MAX: i64 = 8 << 30;
/// Levels of nesting.
const DEPTH_MAX: usize = 32;

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Vec<Map<String, Value>>, DataError> {
    let owned = bytes::Bytes::copy_from_slice(bytes);
    catch_unwind(AssertUnwindSafe(|| decode(owned)))
        .unwrap_or_else(|_| Err("not a readable Parquet file (its decoder gave up)".to_owned()))
        .map_err(|message| DataError::File {
            name: name.to_owned(),
            message,
        })
}

fn decode(bytes: bytes::Bytes) -> Result<Vec<Map<String, Value>>, String> {
    let reader = SerializedFileReader::new(bytes).map_err(|error| error.to_string())?;
    let claimed = reader
        .metadata()
        .row_groups()
        .iter()
        .try_fold(0i64, |sum, group| sum.checked_add(group.total_byte_size()))
        .filter(|sum| (0..=UNCOMPRESSED_MAX).contains(sum));
    if claimed.is_none() {
        return Err(format!(
            "claims more than {UNCOMPRESSED_MAX} bytes uncompressed"
        ));
    }
    let mut rows = Vec::new();
    for (i, row) in reader
        .get_row_iter(None)
        .map_err(|error| error.to_string())?
        .enumerate()
    {
        let row = row.map_err(|error| format!("row {}: {error}", i + 1))?;
        rows.push(object(&row, 0).map_err(|message| format!("row {}, {message}", i + 1))?);
    }
    Ok(rows)
}

fn object(row: &Row, depth: usize) -> Result<Map<String, Value>, String> {
    row.get_column_iter()
        .map(|(key, field)| match value(field, depth) {
            Ok(value) => Ok((key.clone(), value)),
            Err(message) => Err(format!("column {key}: {message}")),
        })
        .collect()
}

fn value(field: &Field, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("nested deeper than {DEPTH_MAX} levels"));
    }
    let float = |x: f64| {
        Number::from_f64(x)
            .map(Value::Number)
            .ok_or_else(|| format!("{x} is not a finite number"))
    };
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(b) => Value::Bool(*b),
        Field::Byte(n) => Value::from(*n),
        Field::Short(n) => Value::from(*n),
        Field::Int(n) => Value::from(*n),
        Field::Long(n) => Value::from(*n),
        Field::UByte(n) => Value::from(*n),
        Field::UShort(n) => Value::from(*n),
        Field::UInt(n) => Value::from(*n),
        Field::ULong(n) => Value::from(*n),
        Field::Float16(x) => float(f64::from(x.to_f32()))?,
        Field::Float(x) => float(f64::from(*x))?,
        Field::Double(x) => float(*x)?,
        Field::Str(s) => Value::String(s.clone()),
        Field::Bytes(b) => match std::str::from_utf8(b.data()) {
            Ok(s) => Value::String(s.to_owned()),
            Err(_) => return Err("expected text, found bytes that are not UTF-8".to_owned()),
        },
        Field::Group(row) => Value::Object(object(row, depth + 1)?),
        Field::ListInternal(list) => Value::Array(
            list.elements()
                .iter()
                .map(|item| value(item, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        other => {
            return Err(format!(
                "expected text, numbers, lists or structures, found {other}"
            ));
        }
    })
}
