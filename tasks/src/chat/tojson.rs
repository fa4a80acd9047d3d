//! `tojson` as transformers replaces it: Python's `json.dumps` with `ensure_ascii`, `indent`, `separators` and
//! `sort_keys`.

use crate::python::python_float;
use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value as Jinja};
use serde_json::Value;
use std::fmt::Write;

struct Style {
    ensure_ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

pub(super) fn tojson(
    value: &Jinja,
    ensure_ascii: Option<Jinja>,
    kwargs: &Kwargs,
) -> Result<Jinja, Error> {
    let refuse = |message: String| Error::new(ErrorKind::InvalidOperation, message);
    let json = serde_json::to_value(value).map_err(|error| refuse(format!("tojson: {error}")))?;
    if value.is_undefined() {
        return Err(refuse("tojson: the value is undefined".to_owned()));
    }
    let flag = |value: Option<Jinja>| value.is_some_and(|v| v.is_true());
    let indent = match kwargs.get::<Option<Jinja>>("indent")? {
        None => None,
        Some(width) if width.is_none() => None,
        Some(width) => Some(match (width.as_str(), width.as_i64()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(n)) => " ".repeat(n.clamp(0, 64) as usize),
            (None, None) => {
                return Err(refuse(
                    "tojson: indent is neither a number nor text".to_owned(),
                ));
            }
        }),
    };
    let (mut item_separator, mut key_separator) = (
        if indent.is_some() { "," } else { ", " }.to_owned(),
        ": ".to_owned(),
    );
    if let Some(separators) = kwargs.get::<Option<Jinja>>("separators")?
        && !separators.is_none()
    {
        item_separator = separators.get_item_by_index(0)?.to_string();
        key_separator = separators.get_item_by_index(1)?.to_string();
    }
    let style = Style {
        ensure_ascii: flag(ensure_ascii.or(kwargs.get("ensure_ascii")?)),
        indent,
        item_separator,
        key_separator,
        sort_keys: flag(kwargs.get("sort_keys")?),
    };
    kwargs.assert_all_used()?;
    let mut out = String::new();
    style.value(&json, 0, &mut out);
    Ok(Jinja::from(out))
}

impl Style {
    fn value(&self, value: &Value, depth: usize, out: &mut String) {
        match value {
            Value::Number(n) => match n.as_f64() {
                Some(x) if n.is_f64() => out.push_str(&python_float(x)),
                _ => out.push_str(&n.to_string()),
            },
            Value::String(s) => self.string(s, out),
            Value::Array(items) => {
                self.container('[', ']', items.iter(), depth, out, |item, out| {
                    self.value(item, depth + 1, out)
                });
            }
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                if self.sort_keys {
                    entries.sort_by_key(|(key, _)| key.as_str());
                }
                self.container(
                    '{',
                    '}',
                    entries.into_iter(),
                    depth,
                    out,
                    |(key, item), out| {
                        self.string(key, out);
                        out.push_str(&self.key_separator);
                        self.value(item, depth + 1, out);
                    },
                );
            }
            other => out.push_str(&other.to_string()),
        }
    }

    fn container<T>(
        &self,
        open: char,
        close: char,
        items: impl ExactSizeIterator<Item = T>,
        depth: usize,
        out: &mut String,
        mut write: impl FnMut(T, &mut String),
    ) {
        let empty = items.len() == 0;
        let line = |depth: usize, out: &mut String| {
            if let Some(indent) = &self.indent {
                out.push('\n');
                (0..depth).for_each(|_| out.push_str(indent));
            }
        };
        out.push(open);
        for (i, item) in items.enumerate() {
            if i > 0 {
                out.push_str(&self.item_separator);
            }
            line(depth + 1, out);
            write(item, out);
        }
        if !empty {
            line(depth, out);
        }
        out.push(close);
    }

    fn string(&self, s: &str, out: &mut String) {
        out.push('"');
        for c in s.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if (c as u32) < 0x20 || (self.ensure_ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}").expect("writing to a String does not fail");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}
