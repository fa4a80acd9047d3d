//! Messages of the data to turns of the template.

use super::ChatError;
use crate::spec::ChatType;
use serde_json::{Map, Value};

/// Which keys a message has, and what its roles are called.
#[derive(Debug)]
pub(crate) struct MessageFormat {
    role_field: String,
    content_field: String,
    user_reference: String,
    assistant_reference: String,
    /// Further keys that the template reads.
    template_keys: Vec<String>,
}

impl MessageFormat {
    pub(crate) fn new(columns: &ChatType, template_source: &str) -> Self {
        let or = |field: &Option<String>, default: &str| {
            field.clone().unwrap_or_else(|| default.to_owned())
        };
        Self {
            role_field: or(&columns.chat_role_field, "from"),
            content_field: or(&columns.chat_content_field, "value"),
            user_reference: or(&columns.chat_user_reference, "user"),
            assistant_reference: or(&columns.chat_assistant_reference, "assistant"),
            template_keys: accessed_keys(template_source),
        }
    }

    /// The template's name for one of the data's roles; roles that the task does not name keep theirs.
    pub(crate) fn map_role(&self, role: &str) -> String {
        if role == self.user_reference {
            "user"
        } else if role == self.assistant_reference {
            "assistant"
        } else {
            role
        }
        .to_owned()
    }

    /// Turns of a row: its messages, after the row's own system text if it has one and they do not begin with one.
    pub(crate) fn turns(
        &self,
        messages: &[Map<String, Value>],
        system: Option<&Value>,
    ) -> Result<Vec<Map<String, Value>>, ChatError> {
        let mut turns = messages
            .iter()
            .map(|message| self.turn(message))
            .collect::<Result<Vec<_>, _>>()?;
        let begins_with_system = turns
            .first()
            .and_then(|turn| turn.get("role"))
            .and_then(Value::as_str)
            == Some("system");
        if let (Some(system), false) = (system.filter(|s| !s.is_null()), begins_with_system) {
            let mut turn = Map::new();
            turn.insert("role".to_owned(), Value::String("system".to_owned()));
            turn.insert("content".to_owned(), system.clone());
            turns.insert(0, turn);
        }
        Ok(turns)
    }

    fn turn(&self, message: &Map<String, Value>) -> Result<Map<String, Value>, ChatError> {
        let mut turn = Map::new();
        if let Some(role) = message.get(&self.role_field) {
            let role = role
                .as_str()
                .map_or_else(|| role.clone(), |role| Value::String(self.map_role(role)));
            turn.insert("role".to_owned(), role);
        }
        if let Some(content) = message.get(&self.content_field) {
            turn.insert("content".to_owned(), content.clone());
        }
        for key in &self.template_keys {
            if *key != self.role_field
                && *key != self.content_field
                && let Some(value) = message.get(key)
            {
                turn.insert(key.clone(), value.clone());
            }
        }
        if let Some(Value::Array(calls)) = turn.get_mut("tool_calls") {
            for call in calls {
                if let Some(arguments) = call.pointer_mut("/function/arguments") {
                    parse_json_text(arguments)?;
                }
            }
        }
        Ok(turn)
    }
}

/// Replaces JSON text by what it says.
fn parse_json_text(value: &mut Value) -> Result<(), ChatError> {
    if let Value::String(text) = value {
        *value = serde_json::from_str(text).map_err(|error| {
            ChatError::Message(format!("tool call arguments are not JSON: {error}"))
        })?;
    }
    Ok(())
}

/// The row's tool descriptions: a list, or the JSON text of one.
pub(crate) fn tools_of(value: Option<&Value>) -> Result<Option<Value>, ChatError> {
    let mut tools = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => without_nulls(value),
    };
    if let Value::String(text) = &tools {
        tools = serde_json::from_str(text)
            .map_err(|error| ChatError::Message(format!("tools are not JSON: {error}")))?;
    }
    let Value::Array(list) = &mut tools else {
        return Err(ChatError::Message("tools: expected a list".to_owned()));
    };
    for tool in list {
        if let Some(parameters) = tool.pointer_mut("/function/parameters") {
            parse_json_text(parameters)?;
        }
    }
    Ok(Some(tools))
}

/// The value without null members of objects at any depth: tables fill absent members in with null.
pub(crate) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), without_nulls(v)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// Keys that a template reads as `.key`, `['key']` or `["key"]` of anything: a superset of what it reads of
/// messages, and a key that it reads of something else only changes nothing.
fn accessed_keys(source: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut add = |key: &str| {
        if !key.is_empty() && !["role", "content"].contains(&key) && !keys.iter().any(|k| k == key)
        {
            keys.push(key.to_owned());
        }
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in source.match_indices('.') {
        let rest = &source[at + 1..];
        add(&rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]);
    }
    for (at, _) in source.match_indices('[') {
        let rest = source[at + 1..].trim_start();
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))
            && let Some(end) = rest[1..].find(quote)
            && rest[1 + end + 1..].trim_start().starts_with(']')
        {
            add(&rest[1..1 + end]);
        }
    }
    keys
}
