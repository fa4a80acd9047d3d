//! Chat templates rendered as transformers renders them, over hashes written by
//! `tests/golden/prompts/make_template_golden.py`.
//!
//! `GRADUS_REAL_TEMPLATES` may name a directory of further `*.jinja` files with the `golden.json` that the same
//! script wrote for them.

use gradus_tasks::chat::named_template;
use gradus_tasks::{ChatTemplate, RenderInput, TemplateDate, TemplateError, sha256_hex};
use serde_json::{Map, Value};
use std::path::Path;

/// Renderings of the named templates that the reference refuses and we do not: message content that is null,
/// which no data set row has.
const NAMED_LENIENT: usize = 20;

#[derive(Default)]
struct Tally {
    equal: usize,
    raise_alike: usize,
    /// The reference refuses and we render: it will not iterate over None, or write a generator as JSON.
    lenient: Vec<String>,
    /// The template as a whole is refused here, by name.
    unsupported: usize,
    differ: Vec<String>,
}

fn check(golden: &Value, source: &dyn Fn(&str) -> String) -> Tally {
    let date = TemplateDate::parse("2026-09-30").unwrap();
    let conversations = golden["conversations"].as_array().unwrap();
    let variants = golden["variants"].as_array().unwrap();
    let mut tally = Tally::default();
    for (name, expected) in golden["templates"].as_object().unwrap() {
        let template = ChatTemplate::new(&source(name), date);
        let cases = conversations
            .iter()
            .flat_map(|c| variants.iter().map(move |v| (c, v)));
        for (at, ((conversation, variant), want)) in
            cases.zip(expected.as_array().unwrap()).enumerate()
        {
            let got = render(&template, conversation, variant, &golden["tokens"]);
            let want = want.as_str().unwrap();
            match &got {
                Ok(text) if sha256_hex(text.as_bytes())[..16] == *want => tally.equal += 1,
                Err(_) if want == "raises" => tally.raise_alike += 1,
                Ok(text) if want == "raises" => {
                    tally.lenient.push(format!("{name} {at}: {text:?}"))
                }
                Err(error) if error.contains("`|safe`") => tally.unsupported += 1,
                Ok(text) => tally
                    .differ
                    .push(format!("{name} {at}, expected {want}: {text:?}")),
                Err(error) => tally
                    .differ
                    .push(format!("{name} {at}, expected {want}: {error}")),
            }
        }
    }
    tally
}

fn render(
    template: &Result<ChatTemplate, TemplateError>,
    conversation: &Value,
    variant: &Value,
    tokens: &Value,
) -> Result<String, String> {
    let template = template.as_ref().map_err(|error| error.to_string())?;
    let messages: Vec<Map<String, Value>> = conversation
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m.as_object().unwrap().clone())
        .collect();
    let mut variables = tokens.as_object().unwrap().clone();
    variables.extend(variant.as_object().unwrap().clone());
    let tools = variables.remove("tools");
    let add_generation_prompt = variables
        .remove("add_generation_prompt")
        .is_some_and(|v| v == Value::Bool(true));
    template
        .render(
            &messages,
            &RenderInput {
                tools: tools.as_ref(),
                add_generation_prompt,
                variables,
            },
        )
        .map_err(|error| error.to_string())
}

fn report(tally: &Tally) {
    println!(
        "{} renderings equal, {} refused alike, {} refused by the reference only, {} of refused templates, {} differ",
        tally.equal,
        tally.raise_alike,
        tally.lenient.len(),
        tally.unsupported,
        tally.differ.len()
    );
    if let Ok(path) = std::env::var("GRADUS_TEMPLATE_DIFFERENCES") {
        std::fs::write(
            path,
            [&tally.differ[..], &tally.lenient[..]].concat().join("\n"),
        )
        .unwrap();
    }
    let shown = &tally.differ[..tally.differ.len().min(10)];
    assert!(
        tally.differ.is_empty(),
        "{} differ, the first:\n{}",
        tally.differ.len(),
        shown.join("\n")
    );
}

#[test]
fn named_templates_render_as_transformers_renders_them() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/prompts/named_templates.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let tally = check(&golden, &|name| {
        named_template(name)
            .expect("every golden name is known")
            .to_owned()
    });
    report(&tally);
    assert_eq!((tally.lenient.len(), tally.unsupported), (NAMED_LENIENT, 0));
    assert!(tally.equal > 2500);
}

#[test]
fn templates_of_released_models_render_as_transformers_renders_them() {
    let Ok(root) = std::env::var("GRADUS_REAL_TEMPLATES") else {
        println!("SKIPPED: GRADUS_REAL_TEMPLATES does not name a directory of chat templates");
        return;
    };
    let root = Path::new(&root);
    let golden: Value =
        serde_json::from_slice(&std::fs::read(root.join("golden.json")).unwrap()).unwrap();
    report(&check(&golden, &|name| {
        std::fs::read_to_string(root.join(name)).unwrap()
    }));
}
