//! Parquet tables of scalars, lists and structures.
//!
//! The format's reader is not written for hostile files: footer and page headers are walked before it sees them
//! (`thrift.rs`), what they claim is held against limits, what it panics on is turned into an error here, and rows
//! are charged as they come.

mod footer;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;

use super::DataError;
use super::budget::{Budget, OverBudget, VALUE_BYTES};
use ::parquet::basic::Type;
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::DataType;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Levels of nesting.
const DEPTH_MAX: usize = 32;
/// Records that are decoded at a time to measure them.
const BATCH: usize = 1024;

pub(super) fn read(
    name: &str,
    bytes: &[u8],
    budget: &mut Budget,
) -> Result<Vec<Map<String, Value>>, DataError> {
    let decode = || {
        footer::check(bytes)?;
        decode(bytes, budget)
    };
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("not a readable Parquet file (its decoder gave up)".to_owned()))
        .map_err(|message| DataError::File {
            name: name.to_owned(),
            message,
        })
}

fn decode(file: &[u8], budget: &mut Budget) -> Result<Vec<Map<String, Value>>, String> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(file))
        .map_err(|error| error.to_string())?;
    pages::check(file, reader.metadata(), budget)?;
    measure_lists(&reader, budget)?;
    let mut rows = Vec::new();
    for (i, row) in reader
        .get_row_iter(None)
        .map_err(|error| error.to_string())?
        .enumerate()
    {
        let place = |message| format!("row {}, {message}", i + 1);
        let row = row.map_err(|error| format!("row {}: {error}", i + 1))?;
        let row = object(&row, 0).map_err(place)?;
        budget
            .charge_row(&row)
            .map_err(|error| place(error.to_string()))?;
        rows.push(row);
    }
    Ok(rows)
}

/// Decodes the texts inside lists once without keeping them: one row's list may repeat a long text of the dictionary
/// more often than fits, and the row's reader makes all of it before it can be charged.
fn measure_lists(
    reader: &SerializedFileReader<bytes::Bytes>,
    budget: &Budget,
) -> Result<(), String> {
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(|e| e.to_string())?;
        for column in 0..group.num_columns() {
            let descr = group.metadata().column(column).column_descr();
            let text =
                [Type::BYTE_ARRAY, Type::FIXED_LEN_BYTE_ARRAY].contains(&descr.physical_type());
            if descr.max_rep_level() == 0 || !text {
                continue;
            }
            match group.get_column_reader(column).map_err(|e| e.to_string())? {
                ColumnReader::ByteArrayColumnReader(column) => measure(column, |v| v.len(), budget),
                ColumnReader::FixedLenByteArrayColumnReader(column) => {
                    measure(column, |v| v.len(), budget)
                }
                _ => Ok(()),
            }?;
        }
    }
    Ok(())
}

fn measure<T: DataType>(
    mut column: ColumnReaderImpl<T>,
    len: impl Fn(&T::T) -> usize,
    budget: &Budget,
) -> Result<(), String> {
    let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    let mut total = 0u64;
    loop {
        values.clear();
        definition.clear();
        repetition.clear();
        let (records, _, levels) = column
            .read_records(
                BATCH,
                Some(&mut definition),
                Some(&mut repetition),
                &mut values,
            )
            .map_err(|error| error.to_string())?;
        if records == 0 && levels == 0 {
            return Ok(());
        }
        let texts: u64 = values.iter().map(|v| VALUE_BYTES + len(v) as u64).sum();
        total = total.saturating_add(texts);
        budget
            .covers(total)
            .map_err(|error: OverBudget| error.to_string())?;
    }
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
