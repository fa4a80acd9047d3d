use super::*;
use serde_json::json;

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, TemplateDate::parse("2024-07-26").unwrap()).unwrap()
}

fn render_with(source: &str, variables: Value) -> Result<String, TemplateError> {
    let message = json!({"role": "user", "content": "hi"})
        .as_object()
        .unwrap()
        .clone();
    let variables = variables.as_object().unwrap().clone();
    template(source).render(
        &[message],
        &RenderInput {
            variables,
            ..Default::default()
        },
    )
}

fn render(source: &str) -> Result<String, TemplateError> {
    render_with(source, json!({}))
}

#[test]
fn a_template_that_raises_says_what_it_said() {
    for source in [
        "{{ raise_exception('no system role') }}",
        "{% macro m() %}{{ raise_exception('no system role') }}{% endmacro %}{% for x in [1] %}{{ m() }}{% endfor %}",
    ] {
        match render(source) {
            Err(TemplateError::Raised { message }) => assert_eq!(message, "no system role"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_template_that_loops_or_grows_without_end_stops() {
    let mut nested = "x".to_owned();
    for _ in 0..6 {
        nested = format!("{{% for i in range(1000) %}}{nested}{{% endfor %}}");
    }
    assert!(matches!(
        render(&nested),
        Err(TemplateError::OutOfFuel | TemplateError::OutputTooLarge)
    ));
    let doubling = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}";
    assert!(matches!(render(doubling), Err(TemplateError::OutOfFuel)));
    let macros = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
    assert!(matches!(render(macros), Err(TemplateError::Failed { .. })));
    let long = "{% for i in range(2000) %}{{ 'x' * 10000 }}{% endfor %}";
    assert!(matches!(render(long), Err(TemplateError::OutputTooLarge)));
}

#[test]
fn a_template_of_ten_megabytes_or_of_endless_nesting_is_refused() {
    let date = TemplateDate::parse("2024-07-26").unwrap();
    let error = ChatTemplate::new(&"x".repeat(10 << 20), date).unwrap_err();
    assert_eq!(
        error.to_string(),
        "chat template has 10485760 bytes, at most 1048576 are accepted"
    );
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(matches!(
        ChatTemplate::new(&deep, date),
        Err(TemplateError::Syntax { .. })
    ));
    assert!(matches!(
        ChatTemplate::new("{% for %}", date),
        Err(TemplateError::Syntax { .. })
    ));
}

/// Expected texts are Jinja2's, through transformers.
#[test]
fn values_and_scopes_are_jinja2s() {
    let variables =
        json!({"none": null, "list": ["a", 1, true, null], "map": {"b": 1.0, "a": "é\u{1}"}});
    for (source, expected) in [
        (
            "{{ none }}|{{ true }}|{{ 1.0 }}|{{ undefined_name }}",
            "None|True|1.0|",
        ),
        ("{{ list }}", "['a', 1, True, None]"),
        ("{{ 'x' ~ none ~ true }}", "xNoneTrue"),
        ("{{ map | tojson }}", "{\"b\": 1.0, \"a\": \"é\\u0001\"}"),
        (
            "{{ map | tojson(indent=2, ensure_ascii=true) }}",
            "{\n  \"b\": 1.0,\n  \"a\": \"\\u00e9\\u0001\"\n}",
        ),
        (
            "{{ map | tojson(separators=(',', ':'), sort_keys=true) }}",
            "{\"a\":\"é\\u0001\",\"b\":1.0}",
        ),
        ("{{ [] | tojson(indent=4) }}", "[]"),
        (
            "{{ none is iterable }}|{{ 'x' is sequence }}|{{ map is sequence }}|{{ true is number }}",
            "False|True|True|True",
        ),
        (
            "{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x is defined }}",
            "1False",
        ),
        ("{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"),
        (
            "{% for m in messages %}{% break %}{% endfor %}{{ messages[-1].content.title() }}",
            "Hi",
        ),
        ("a\n{% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc"),
    ] {
        assert_eq!(
            render_with(source, variables.clone()).unwrap(),
            expected,
            "{source}"
        );
    }
}
