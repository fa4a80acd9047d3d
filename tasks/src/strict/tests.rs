use super::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    winner: String,
    before: String,
    pairs: Vec<(u16, u16)>,
    words: Vec<Word>,
    losses: Vec<Option<f64>>,
    ends: Vec<End>,
    scores: BTreeMap<String, Point>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Point>,
    #[serde(default)]
    names: Vec<String>,
    free: Vec<serde_json::Map<String, Value>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Missing,
    Late,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
enum End {
    Scored { at: Point, why: Word },
    Lost {},
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    x: f64,
    y: f64,
}

fn file() -> Value {
    json!({
        "version": 1, "winner": "a", "before": "b", "pairs": [[0, 65535], [7, 1]], "words": ["missing", "late"],
        "losses": [1.5, null, 2, 1e300],
        "ends": [{"state": "scored", "at": {"x": 1, "y": 2.0}, "why": "late"}, {"state": "lost"}],
        "scores": {"s\u{e9}": {"x": 0, "y": -1}}, "at": {"x": 1.0, "y": 1.0}, "names": [],
        "free": [{"any": [1, "two", {"three": [[]]}, null], "more": {}}],
    })
}

fn refused(pointer: &str, value: Value) -> String {
    let mut file = file();
    *file.pointer_mut(pointer).unwrap() = value;
    json::<File>(file.to_string().as_bytes())
        .unwrap_err()
        .to_string()
}

#[test]
fn what_is_written_is_read() {
    let text = file().to_string();
    let read: File = json(text.as_bytes()).unwrap();
    assert_eq!(read.pairs, [(0, 65535), (7, 1)]);
    let again = serde_json::to_string_pretty(&read).unwrap();
    assert_eq!(json::<File>(again.as_bytes()).unwrap(), read);
    let escaped = text.replace("\"winner\"", "\"w\\u0069nner\"");
    assert_eq!(json::<File>(escaped.as_bytes()).unwrap(), read);
    let mut short = file();
    short["at"] = Value::Null;
    short.as_object_mut().unwrap().remove("names");
    assert_eq!(json::<File>(short.to_string().as_bytes()).unwrap().at, None);
}

#[test]
fn lists_are_no_objects_wherever_they_are() {
    let all = json!(["a", "b"]);
    assert!(serde_json::from_value::<(String, String)>(all).is_ok());
    for (pointer, value, says) in [
        (
            "/at",
            json!([1.0, 2.0]),
            "at: invalid type: sequence, expected an object with names",
        ),
        ("/scores/s\u{e9}", json!([1.0, 2.0]), "scores.s\u{e9}: "),
        (
            "/ends/0",
            json!(["scored", [1.0, 2.0], "late"]),
            "ends[0]: ",
        ),
        (
            "/ends/0",
            json!(["scored", {"x": 1.0, "y": 2.0}, "late"]),
            "ends[0]: ",
        ),
        ("/ends/0/at", json!([1.0, 2.0]), "ends[0].at: "),
        ("/ends/1", json!(["lost"]), "ends[1]: "),
        (
            "/words/1",
            json!({"missing": null}),
            "words[1]: invalid type: map, expected a string",
        ),
        ("/ends/0/why", json!({"late": null}), "ends[0].why: "),
    ] {
        let error = refused(pointer, value);
        assert!(error.starts_with(says), "{pointer}: {error}");
    }
    let mut whole = file();
    let list: Vec<Value> = whole.as_object_mut().unwrap().values().cloned().collect();
    let text = Value::from(list).to_string();
    assert!(
        serde_json::from_str::<File>(&text).is_ok(),
        "what is refused here, serde takes"
    );
    let error = json::<File>(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("expected an object"), "{error}");
}

#[test]
fn a_name_that_is_there_twice_hides_no_list() {
    let text = file().to_string();
    let twice = |first: &str| {
        text.replace(
            "\"scores\":{",
            &format!("\"scores\":{{\"s\u{e9}\":{first},"),
        )
    };
    assert!(json::<File>(twice("{\"x\":9,\"y\":9}").as_bytes()).is_ok());
    let error = json::<File>(twice("[9,9]").as_bytes()).unwrap_err();
    assert!(error.message.starts_with("scores.s\u{e9}"), "{error}");
    let error = json::<File>(
        text.replacen('{', "{\"at\":{\"x\":1,\"y\":1},", 1)
            .as_bytes(),
    );
    assert!(error.unwrap_err().message.contains("duplicate field `at`"));
}

#[test]
fn every_misfit_says_where_it_is() {
    for (pointer, value, says) in [
        (
            "/version",
            json!("1"),
            "version: invalid type: string \"1\", expected u32 at line 1 column ",
        ),
        ("/pairs/1/1", json!(70_000), "pairs[1][1]: invalid value"),
        ("/losses/1", json!("x"), "losses[1]: invalid type"),
        ("/at", json!({"x": 1.0}), "at: missing field `y`"),
        (
            "/at",
            json!({"x": 1.0, "y": 1.0, "z": 1}),
            "at.z: unknown field `z`",
        ),
        ("/at/x", json!({}), "at.x: invalid type: map"),
        ("/names", json!("a"), "names: invalid type"),
    ] {
        let error = refused(pointer, value);
        assert!(error.starts_with(says), "{pointer}: {error}");
        assert_eq!(error.matches(" at line ").count(), 1, "{error}");
    }
    let cut = json::<File>(&file().to_string().as_bytes()[..40]).unwrap_err();
    assert!(cut.message.contains("EOF"), "{cut}");
    let more = json::<Point>(b"{\"x\":1,\n\"y\":2} 1").unwrap_err();
    assert_eq!(
        (more.line, more.message.as_str()),
        (2, "trailing characters")
    );
}

#[test]
fn toml_is_held_to_the_same() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Points {
        points: Vec<Point>,
    }
    let good = "[[points]]\nx = 1.0\ny = 2.0\n";
    assert_eq!(toml::<Points>(good).unwrap().points[0].y, 2.0);
    let list = toml::<Points>("\npoints = [[1.0, 2.0]]\n").unwrap_err();
    assert!(list.message.starts_with("points[0]: "), "{list}");
    assert_eq!(list.line, 2);
    let typed = toml::<Points>("[[points]]\nx = 1.0\ny = \"SECRET\"\n").unwrap_err();
    assert!(typed.message.starts_with("points[0].y: "), "{typed}");
    assert_eq!((typed.line, typed.column), (3, 5));
    assert_eq!(toml_version("version = 7\nnew = []\n").unwrap(), 7);
}

#[test]
fn versions_are_read_before_anything_else() {
    assert_eq!(json_version(b"{\"new\":[{}],\"version\":2}").unwrap(), 2);
    let error = json_version(b"{\"version\":\"2\"}").unwrap_err();
    assert!(error.message.starts_with("version: "), "{error}");
    let error = json_version(b"{}").unwrap_err();
    assert!(error.message.contains("missing field `version`"));
}

/// No list of numbers, however long, is kept again.
#[test]
fn shapes_are_small() {
    assert_eq!(Shape::of(&vec![1.0; 9]).unwrap(), Shape::Numbers);
    assert_eq!(Shape::of(&["a", "b"]).unwrap(), Shape::Words);
    let mixed = Shape::of(&(1, 2, "a")).unwrap();
    let expected = [Shape::Number, Shape::Number, Shape::Word];
    assert_eq!(mixed, Shape::List(expected.into()));
}

mod files;
