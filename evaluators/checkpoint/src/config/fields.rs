//! Typed access to the fields of a JSON object, each failure naming the field.

use serde_json::{Map, Value};

use super::ParseConfigError;

/// One JSON object and where it lies, for messages.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: &'a str,
}

/// Above this nothing in a configuration makes sense, and products of three such numbers stay far from overflow.
const COUNT_MAX: u64 = 1 << 40;

impl<'a> Fields<'a> {
    pub(crate) fn new(map: &'a Map<String, Value>, place: &'a str) -> Fields<'a> {
        Fields { map, place }
    }

    /// The value of a key; `null` counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// Whether the key is there, `null` or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    pub(crate) fn bad(&self, key: &str, expected: &'static str) -> ParseConfigError {
        let found = self.map.get(key).map_or_else(|| "absent".to_owned(), brief);
        ParseConfigError::Field {
            field: format!("{}{key}", self.place),
            expected,
            found,
        }
    }

    pub(crate) fn count(&self, key: &str) -> Result<Option<usize>, ParseConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(v) => match v.as_u64().filter(|n| *n <= COUNT_MAX) {
                Some(n) => Ok(Some(n as usize)),
                None => Err(self.bad(key, "a whole number from 0 to 2^40")),
            },
        }
    }

    /// A count that may not be zero.
    pub(crate) fn positive(&self, key: &str) -> Result<Option<usize>, ParseConfigError> {
        match self.count(key)? {
            Some(0) => Err(self.bad(key, "a whole number above 0")),
            other => Ok(other),
        }
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, ParseConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(v) => match v.as_f64().filter(|x| x.is_finite()) {
                Some(x) => Ok(Some(x)),
                None => Err(self.bad(key, "a finite number")),
            },
        }
    }

    /// A number above zero, and not so far from one that f32 arithmetic on it loses its meaning.
    pub(crate) fn positive_number(&self, key: &str) -> Result<Option<f64>, ParseConfigError> {
        match self.number(key)? {
            Some(x) if !(1e-30..=1e30).contains(&x) => Err(self.bad(key, "a number above 0")),
            other => Ok(other),
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, ParseConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(v) => v
                .as_bool()
                .map(Some)
                .ok_or_else(|| self.bad(key, "true or false")),
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, ParseConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(v) => v
                .as_str()
                .map(Some)
                .ok_or_else(|| self.bad(key, "a string")),
        }
    }

    pub(crate) fn object(
        &self,
        key: &str,
    ) -> Result<Option<&'a Map<String, Value>>, ParseConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(v) => v
                .as_object()
                .map(Some)
                .ok_or_else(|| self.bad(key, "an object")),
        }
    }

    pub(crate) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, ParseConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(v) => v
                .as_array()
                .map(|a| Some(a.as_slice()))
                .ok_or_else(|| self.bad(key, "a list")),
        }
    }

    pub(crate) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, ParseConfigError> {
        let Some(list) = self.list(key)? else {
            return Ok(None);
        };
        let numbers: Option<Vec<f64>> = list
            .iter()
            .map(|v| v.as_f64().filter(|x| x.is_finite()))
            .collect();
        numbers
            .map(Some)
            .ok_or_else(|| self.bad(key, "a list of finite numbers"))
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, ParseConfigError> {
        let Some(list) = self.list(key)? else {
            return Ok(None);
        };
        let texts: Option<Vec<String>> =
            list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
        texts
            .map(Some)
            .ok_or_else(|| self.bad(key, "a list of strings"))
    }
}

/// A hostile value in a few characters.
pub(crate) fn brief(value: &Value) -> String {
    let kind = match value {
        Value::Array(a) => return format!("a list of {}", a.len()),
        Value::Object(o) => return format!("an object of {} keys", o.len()),
        other => other.to_string(),
    };
    match kind.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &kind[..at]),
        None => kind,
    }
}
