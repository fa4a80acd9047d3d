//! JSON arrays and JSON lines. Nesting is bounded by the parser (128 levels).

use super::budget::{Budget, OverBudget, ROW_BYTES};
use super::{DataError, Place, excerpt, kind_of, over_budget};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

type Rows = Vec<Map<String, Value>>;

pub(super) fn read_json(name: &str, text: &str, budget: &mut Budget) -> Result<Rows, DataError> {
    if text.trim_start().starts_with('{') {
        return read_lines(name, text, budget);
    }
    let values = parse(text, budget).map_err(|error| match error {
        ParseError::Budget(error) => over_budget(name)(error),
        ParseError::Json(error) => DataError::Malformed {
            name: name.to_owned(),
            place: Place::Line(error.line()),
            expected: "one JSON array of objects".to_owned(),
            found: error.to_string(),
        },
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

pub(super) fn read_lines(name: &str, text: &str, budget: &mut Budget) -> Result<Rows, DataError> {
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let place = Place::Line(i + 1);
        let value = parse(line, budget).map_err(|error| match error {
            ParseError::Budget(error) => over_budget(name)(error),
            ParseError::Json(error) => DataError::Malformed {
                name: name.to_owned(),
                place,
                expected: "one JSON object".to_owned(),
                found: format!("{} ({error})", excerpt(line)),
            },
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

enum ParseError {
    Json(serde_json::Error),
    Budget(OverBudget),
}

fn parse(text: &str, budget: &mut Budget) -> Result<Value, ParseError> {
    let mut over = None;
    let mut parser = serde_json::Deserializer::from_str(text);
    let charged = Charged {
        budget,
        over: &mut over,
    };
    let value = charged
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    match over {
        Some(error) => Err(ParseError::Budget(error)),
        None => value.map_err(ParseError::Json),
    }
}

/// Builds a [`Value`] as its own implementation does, and charges every part before it is kept.
struct Charged<'a> {
    budget: &'a mut Budget,
    over: &'a mut Option<OverBudget>,
}

impl Charged<'_> {
    fn again(&mut self) -> Charged<'_> {
        Charged {
            budget: self.budget,
            over: self.over,
        }
    }

    fn settle<E: Error>(&mut self, charged: Result<(), OverBudget>) -> Result<(), E> {
        charged.map_err(|error| {
            let message = E::custom(&error);
            *self.over = Some(error);
            message
        })
    }

    fn one<E: Error>(&mut self, value: Value) -> Result<Value, E> {
        let charged = self.budget.charge_value(value.as_str().unwrap_or_default());
        self.settle(charged)?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Charged<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Charged<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E: Error>(mut self) -> Result<Value, E> {
        self.one(Value::Null)
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<Value, E> {
        self.one(Value::Bool(value))
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<Value, E> {
        self.one(Value::from(value))
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<Value, E> {
        self.one(Value::from(value))
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<Value, E> {
        self.one(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<Value, E> {
        self.one(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.one::<A::Error>(Value::Null)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.again())? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let charged = self.budget.charge(ROW_BYTES);
        self.settle::<A::Error>(charged)?;
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let charged = self.budget.charge_key(&key);
            self.settle::<A::Error>(charged)?;
            let value = members.next_value_seed(self.again())?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
