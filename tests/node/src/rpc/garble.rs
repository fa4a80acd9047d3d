//! Answers that are none.

use super::response;
use crate::fault::{Garbage, RpcError};
use serde_json::{Value as Json, json};
use tungstenite::Message;

/// What is sent instead of an answer.
pub(super) fn message(garbage: Garbage, id: &Json, result: Result<Json, RpcError>) -> Message {
    match garbage {
        Garbage::InvalidJson => Message::text("{\"jsonrpc\":\"2.0\",\"id\":"),
        Garbage::Binary => Message::binary(vec![0xff, 0x00, 0xfe]),
        Garbage::WrongId => {
            let other = json!(id.as_u64().unwrap_or(0) + 1_000_000);
            Message::text(response(&other, result).to_string())
        }
        Garbage::Oversized(bytes) => {
            let result = Ok(json!("0".repeat(bytes)));
            Message::text(response(id, result).to_string())
        }
        Garbage::ShortScale => {
            let result =
                result.map(|value| texts(value, &|text| text[..text.len() / 4 * 2].into()));
            Message::text(response(id, result).to_string())
        }
        Garbage::WrongScale => {
            let result = result.map(|value| texts(value, &inverted));
            Message::text(response(id, result).to_string())
        }
    }
}

/// Changes every hexadecimal text of a value.
fn texts(value: Json, change: &impl Fn(&str) -> String) -> Json {
    match value {
        Json::String(text) if text.starts_with("0x") => Json::String(change(&text)),
        Json::Array(values) => values.into_iter().map(|v| texts(v, change)).collect(),
        Json::Object(fields) => {
            let fields = fields.into_iter().map(|(name, v)| (name, texts(v, change)));
            Json::Object(fields.collect())
        }
        other => other,
    }
}

/// As many bytes, all bits of them turned.
fn inverted(text: &str) -> String {
    match crate::hex::decode(text) {
        Some(bytes) => crate::hex::encode(&bytes.iter().map(|byte| !byte).collect::<Vec<_>>()),
        None => "0xzz".into(),
    }
}
