//! One text of JSON-RPC 2.0 to what it is.

use serde::Deserialize;
use serde_json::Value as Json;

/// What a node sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// To a call.
    Answer {
        /// The call's number.
        id: u64,
        /// Its result, or why there is none.
        result: Result<Json, Refusal>,
    },
    /// Of a subscription.
    Notification {
        /// Its name; a number as a text.
        subscription: String,
        /// What is new.
        result: Json,
    },
}

/// An error object.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Refusal {
    /// Its code.
    pub code: i64,
    /// Its message.
    pub message: String,
    /// What it adds; a text, or JSON as text.
    #[serde(default, deserialize_with = "as_text")]
    pub data: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    id: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Json>,
    error: Option<Refusal>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    subscription: Json,
    result: Json,
}

/// `null` is a result.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

fn as_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Json>::deserialize(deserializer)? {
        None => None,
        Some(Json::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    })
}

/// Reads one text; `None` if it is neither an answer nor a notification.
pub fn parse_message(text: &str) -> Option<Incoming> {
    let wire: Wire = serde_json::from_str(text).ok()?;
    match wire {
        Wire {
            id: Some(id),
            error: Some(refusal),
            ..
        } => Some(Incoming::Answer {
            id,
            result: Err(refusal),
        }),
        Wire {
            id: Some(id),
            result: Some(result),
            ..
        } => Some(Incoming::Answer {
            id,
            result: Ok(result),
        }),
        Wire {
            id: None,
            params: Some(params),
            ..
        } => Some(Incoming::Notification {
            subscription: subscription_name(&params.subscription)?,
            result: params.result,
        }),
        _ => None,
    }
}

/// Nodes name subscriptions by texts or numbers.
pub(crate) fn subscription_name(json: &Json) -> Option<String> {
    match json {
        Json::String(text) if text.len() <= 128 => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
