//! A chat template on a conversation: it ends, within its limits, with text or with an error.
//!
//! Input: the template, and after the first 0x1e byte the messages, one after each further 0x1e: a letter for the
//! role, then the content. Without any, a fixed conversation stands in.
#![no_main]

use std::sync::OnceLock;

use gradus_tasks::chat::{ChatTemplate, RenderInput, TemplateDate};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const SEPARATOR: char = '\u{1e}';
const MESSAGES_MAX: usize = 64;

static USUAL: OnceLock<Vec<Map<String, Value>>> = OnceLock::new();

fn message(text: &str) -> Map<String, Value> {
    let mut rest = text.chars();
    let role = match rest.next() {
        Some('s') => json!("system"),
        Some('u') => json!("user"),
        Some('a') => json!("assistant"),
        Some('t') => json!("tool"),
        Some('0') => Value::Null,
        Some(other) => json!(other.to_string()),
        None => return Map::new(),
    };
    let content = match rest.as_str() {
        // JSON lets content be lists, numbers or null.
        json if json.starts_with(['[', '{', 'n']) => {
            serde_json::from_str(json).unwrap_or_else(|_| json!(json))
        }
        text => json!(text),
    };
    Map::from_iter([("role".to_owned(), role), ("content".to_owned(), content)])
}

fn usual() -> Vec<Map<String, Value>> {
    ["sBe brief.", "u1 < 2?\n", "a <b>Yes</b> ü ", "u", "aok"]
        .into_iter()
        .map(message)
        .collect()
}

fuzz_target!(|input: &str| {
    let mut parts = input.split(SEPARATOR);
    let source = parts.next().unwrap_or_default();
    let own: Vec<Map<String, Value>> = parts.take(MESSAGES_MAX).map(message).collect();
    let messages = if own.is_empty() {
        USUAL.get_or_init(usual)
    } else {
        &own
    };
    let date = TemplateDate::parse("2026-07-01").expect("a date");
    let Ok(template) = ChatTemplate::new(source, date) else {
        return;
    };
    let mut input = RenderInput::default();
    input.variables.insert("bos_token".to_owned(), json!("<s>"));
    input
        .variables
        .insert("eos_token".to_owned(), json!("</s>"));
    let Ok(text) = template.render(messages, &input) else {
        return;
    };
    input.add_generation_prompt = true;
    let _ = template.render(messages, &input);
    let _ = template.render(&[], &input);
    if cfg!(feature = "canary") {
        assert!(!text.contains("</s></s>"), "canary");
    }
});
