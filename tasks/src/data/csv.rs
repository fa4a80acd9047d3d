//! Comma-separated values after RFC 4180, read strictly: a quote opens a field only at its start, closes it only
//! before a comma or a line's end, and every record has as many fields as the header. Lenient readers guess at
//! broken quotes and shift columns; a shifted column would be scored.

use super::budget::Budget;
use super::{DataError, Place, excerpt, over_budget};
use serde_json::{Map, Value};
use std::collections::HashSet;

pub(super) fn read(
    name: &str,
    text: &str,
    budget: &mut Budget,
) -> Result<Vec<Map<String, Value>>, DataError> {
    let mut records = Records {
        name,
        rest: text,
        line: 1,
    };
    let Some((_, header)) = records.next_record()? else {
        return Ok(Vec::new());
    };
    let mut seen = HashSet::new();
    for column in &header {
        if column.is_empty() || !seen.insert(column.as_str()) {
            return Err(DataError::Malformed {
                name: name.to_owned(),
                place: Place::Line(1),
                expected: "a header of distinct column names".to_owned(),
                found: if column.is_empty() {
                    "an empty name".to_owned()
                } else {
                    format!("{column} twice")
                },
            });
        }
    }
    let mut rows = Vec::new();
    while let Some((line, fields)) = records.next_record()? {
        if fields.len() != header.len() {
            return Err(DataError::Malformed {
                name: name.to_owned(),
                place: Place::Line(line),
                expected: format!("{} fields, as in the header", header.len()),
                found: fields.len().to_string(),
            });
        }
        let row = header
            .iter()
            .cloned()
            .zip(fields.into_iter().map(Value::String))
            .collect();
        budget.charge_row(&row).map_err(over_budget(name))?;
        rows.push(row);
    }
    Ok(rows)
}

struct Records<'a> {
    name: &'a str,
    rest: &'a str,
    line: usize,
}

impl Records<'_> {
    /// The next record and the line it starts on; blank lines between records are skipped.
    fn next_record(&mut self) -> Result<Option<(usize, Vec<String>)>, DataError> {
        loop {
            if let Some(rest) = self
                .rest
                .strip_prefix('\n')
                .or_else(|| self.rest.strip_prefix("\r\n"))
            {
                self.rest = rest;
                self.line += 1;
            } else if self.rest.is_empty() {
                return Ok(None);
            } else {
                break;
            }
        }
        let start = self.line;
        let mut fields = Vec::new();
        loop {
            fields.push(self.next_field()?);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            if let Some(rest) = self
                .rest
                .strip_prefix("\r\n")
                .or_else(|| self.rest.strip_prefix('\n'))
            {
                self.rest = rest;
                self.line += 1;
            }
            return Ok(Some((start, fields)));
        }
    }

    /// One field; what follows it is a comma, a line's end or the end of the text.
    fn next_field(&mut self) -> Result<String, DataError> {
        let Some(mut body) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
            let (mut field, mut rest) = self.rest.split_at(end);
            if rest.starts_with('\n') && field.ends_with('\r') {
                rest = &self.rest[end - 1..];
                field = &field[..field.len() - 1];
            }
            if field.contains('"') {
                return Err(self.broken("no quote inside an unquoted field", field));
            }
            self.rest = rest;
            return Ok(field.to_owned());
        };
        let opened = self.line;
        let mut field = String::new();
        loop {
            let Some(end) = body.find('"') else {
                self.line = opened;
                return Err(self.broken("a closing quote", self.rest));
            };
            field.push_str(&body[..end]);
            self.line += body[..end].bytes().filter(|b| *b == b'\n').count();
            body = &body[end + 1..];
            if let Some(rest) = body.strip_prefix('"') {
                field.push('"');
                body = rest;
                continue;
            }
            if !(body.is_empty() || body.starts_with([',', '\n']) || body.starts_with("\r\n")) {
                return Err(
                    self.broken("a comma or the end of the line after a closing quote", body)
                );
            }
            self.rest = body;
            return Ok(field);
        }
    }

    fn broken(&self, expected: &str, found: &str) -> DataError {
        DataError::Malformed {
            name: self.name.to_owned(),
            place: Place::Line(self.line),
            expected: expected.to_owned(),
            found: excerpt(found),
        }
    }
}
