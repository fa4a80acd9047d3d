use super::*;
use serde_json::json;

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

#[test]
fn the_differing_span_never_overlaps_itself() {
    let span = |a: &str, b: &str| differing(&chars(a), &chars(b));
    assert_eq!(span("<a>xy</a>", "<a>[[d]]</a>"), (3, 5));
    assert_eq!(span("aaaa", "aa"), (2, 4));
    assert_eq!(span("aa", "aaaa"), (2, 2));
    assert_eq!(span("same", "same"), (4, 4));
}

#[test]
fn the_search_for_an_eos_without_a_turn_starts_before_the_first_token() {
    assert_eq!(first_from(&[9, 1, 9], Some(1), 9), Some(2));
    assert_eq!(first_from(&[1, 9, 1], None, 9), Some(1));
    assert_eq!(first_from(&[1, 9], None, 9), None);
    assert_eq!(first_from(&[1], Some(5), 1), None);
}

#[test]
fn messages_are_mapped_and_keep_only_what_the_template_reads() {
    let columns = |v: Value| match crate::spec::DatasetType::from_value(v).unwrap() {
        crate::spec::DatasetType::Chat(columns) => columns,
        other => panic!("{other:?}"),
    };
    let format = MessageFormat::new(
        &columns(json!({"chat_user_reference": "human", "chat_assistant_reference": "gpt"})),
        "{{ m.name }} {{ m['tool_calls'] }} {{ m[\"x y\"] }}",
    );
    let message = json!({"from": "human", "value": "v", "name": "n", "weight": 1, "tool_calls": [
        {"function": {"arguments": "{\"a\": 1}"}}]});
    let turns = format
        .turns(&[message.as_object().unwrap().clone()], Some(&json!("sys")))
        .unwrap();
    assert_eq!(
        Value::Array(turns.into_iter().map(Value::Object).collect()),
        json!([{"role": "system", "content": "sys"},
               {"role": "user", "content": "v", "name": "n", "tool_calls": [{"function": {"arguments": {"a": 1}}}]}])
    );
    assert_eq!(
        (format.map_role("gpt"), format.map_role("tool")),
        ("assistant".to_owned(), "tool".to_owned())
    );
    let bad =
        json!({"from": "gpt", "value": "v", "tool_calls": [{"function": {"arguments": "{"}}]});
    assert!(
        format
            .turns(&[bad.as_object().unwrap().clone()], None)
            .is_err()
    );
}
