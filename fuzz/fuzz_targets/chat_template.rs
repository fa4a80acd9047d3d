//! A chat template, rendered on a fixed conversation: it ends, within its limits, with text or with an error.
#![no_main]

use std::sync::OnceLock;

use gradus_tasks::chat::{ChatTemplate, RenderInput, TemplateDate};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

static MESSAGES: OnceLock<Vec<Map<String, Value>>> = OnceLock::new();

fn messages() -> Vec<Map<String, Value>> {
    let turn = |role: &str, content: &str| {
        json!({"role": role, "content": content})
            .as_object()
            .cloned()
    };
    [
        ("system", "Be brief."),
        ("user", "1 < 2?\n"),
        ("assistant", " <b>Yes</b> ü "),
        ("user", ""),
        ("assistant", "ok"),
    ]
    .into_iter()
    .filter_map(|(role, content)| turn(role, content))
    .collect()
}

fuzz_target!(|source: &str| {
    let date = TemplateDate::parse("2026-07-01").expect("a date");
    let Ok(template) = ChatTemplate::new(source, date) else {
        return;
    };
    let mut input = RenderInput::default();
    input.variables.insert("bos_token".to_owned(), json!("<s>"));
    input
        .variables
        .insert("eos_token".to_owned(), json!("</s>"));
    let Ok(text) = template.render(MESSAGES.get_or_init(messages), &input) else {
        return;
    };
    input.add_generation_prompt = true;
    let _ = template.render(MESSAGES.get_or_init(messages), &input);
    let _ = template.render(&[], &input);
    if cfg!(feature = "canary") {
        assert!(!text.contains("</s></s>"), "canary");
    }
});
