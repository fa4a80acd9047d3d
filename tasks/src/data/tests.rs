use super::*;
use crate::rules::RuleSet;
use crate::spec::DatasetType;
use serde_json::json;

fn rules() -> DataRules {
    RuleSet::newest().data
}

fn read(text: &str, format: DataFormat) -> Result<DataSet, DataError> {
    DataSet::from_bytes("d", text.as_bytes(), format, &rules())
}

fn message(text: &str, format: DataFormat) -> String {
    read(text, format).unwrap_err().to_string()
}

#[test]
fn json_lines_and_csv_of_one_table_read_alike() {
    let json = read(
        r#"[{"a": "x,\"y\"", "b": "1"}, {"b": "two\nlines"}]"#,
        DataFormat::Json,
    )
    .unwrap();
    let lines = read(
        "{\"a\": \"x,\\\"y\\\"\", \"b\": \"1\"}\n\n{\"b\": \"two\\nlines\"}\n",
        DataFormat::Jsonl,
    )
    .unwrap();
    assert_eq!(json.rows, lines.rows);
    assert_eq!(json.columns, ["a", "b"]);
    let csv = read(
        "\u{feff}a,b\r\n\"x,\"\"y\"\"\",1\n\n,\"two\nlines\"",
        DataFormat::Csv,
    )
    .unwrap();
    assert_eq!(csv.rows[0], json.rows[0]);
    assert_eq!(
        csv.rows[1],
        json!({"a": "", "b": "two\nlines"})
            .as_object()
            .unwrap()
            .clone()
    );
}

#[test]
fn broken_csv_quotes_name_the_line() {
    for (text, line) in [
        ("a,b\n1,\"open\n2,3\n", "line 2"),
        ("a,b\n\"x\"y,2\n", "line 2"),
        ("a,b\n\"1\n2\",x\nq\"q,3\n", "line 4"),
        ("a,b\n1\n", "line 2"),
        ("a,b\n1,2,3\n", "line 2"),
        ("a,a\n", "line 1"),
    ] {
        let error = message(text, DataFormat::Csv);
        assert!(error.contains(line), "{text:?}: {error}");
    }
}

#[test]
fn bad_json_names_the_place_and_what_was_found() {
    assert!(
        message("[{\"a\": 1},\n 3]", DataFormat::Json)
            .contains("row 2: expected an object, found a number")
    );
    assert!(message("\"x\"", DataFormat::Json).contains("found a string"));
    assert!(message("[{\"a\": 1},\n {", DataFormat::Json).contains("line 2"));
    assert!(
        message("{\"a\": 1}\n[]", DataFormat::Jsonl)
            .contains("line 2: expected an object, found a list")
    );
    let deep = format!(
        "[{{\"a\": {}1{}}}]",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(message(&deep, DataFormat::Json).contains("recursion limit"));
}

#[test]
fn bad_utf8_names_the_line_and_the_byte() {
    let error = DataSet::from_bytes(
        "d",
        b"{\"a\": 1}\n{\"a\": \"\xff\"}",
        DataFormat::Jsonl,
        &rules(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "d, line 2: expected UTF-8, found byte 0xff at offset 16"
    );
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let small = DataRules {
        file_bytes_max: 3,
        ..rules()
    };
    let error = DataSet::from_bytes("d", b"[{}]", DataFormat::Json, &small).unwrap_err();
    assert_eq!(error.to_string(), "d has 4 bytes, the rules allow 3");
}

#[test]
fn rows_that_take_more_memory_than_their_limit_are_refused_in_every_text_format() {
    type Read = fn(&str, &str, &mut Budget) -> Result<Vec<Map<String, Value>>, DataError>;
    let wide = "c".repeat(5_000);
    let cases: [(Read, String); 4] = [
        (json::read_lines, "{}\n".repeat(1000)),
        (json::read_json, format!("[{}{{}}]", "{},".repeat(1000))),
        (
            json::read_json,
            format!("[{{\"a\": [{}0]}}]", "0,".repeat(2000)),
        ),
        (csv::read, format!("{wide}\n{}", "1\n".repeat(20))),
    ];
    for (read, text) in cases {
        assert!(text.len() < 10_000);
        assert!(read("d", &text, &mut Budget::new(1 << 20)).is_ok());
        let error = read("d", &text, &mut Budget::new(50_000)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "d: its rows take more than 50000 bytes in memory"
        );
    }
}

#[test]
fn values_become_the_texts_that_python_writes() {
    let data = read(
        r#"[{"a": true, "b": 1.0, "c": null, "d": [1, "x"]}, {"a": 3}]"#,
        DataFormat::Json,
    )
    .unwrap();
    let wanted = [
        ("a", Some("t")),
        ("b", None),
        ("c", None),
        ("d", None),
        ("e", None),
    ];
    let texts = text_rows(&data, &wanted, &rules()).unwrap().texts;
    let some = |s: &str| Some(s.to_owned());
    assert_eq!(
        texts[0],
        [some("True"), some("1.0"), some(""), some("[1, 'x']"), None]
    );
    assert_eq!(texts[1], [some("3"), some(""), some(""), some(""), None]);
    let error = text_rows(&data, &[("z", Some("field_z"))], &rules())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no column z, which field_z names") && error.contains("a, b, c, d"),
        "{error}"
    );
}

#[test]
fn more_empty_rows_than_the_rules_allow_are_an_error() {
    let file = |empty: usize, full: usize| {
        let rows: Vec<Value> = (0..empty + full)
            .map(|i| json!({"a": if i < empty { "" } else { "x" }, "b": null}))
            .collect();
        read(&json!(rows).to_string(), DataFormat::Json).unwrap()
    };
    let wanted = [("a", Some("a")), ("b", Some("b"))];
    assert!(text_rows(&file(4, 1), &wanted, &rules()).is_ok());
    let error = text_rows(&file(9, 2), &wanted, &rules()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("d: 9 of 11 rows have nothing in a, b"),
        "{error}"
    );
    assert!(matches!(
        text_rows(&file(0, 0), &wanted, &rules()),
        Err(DataError::NoRows { .. })
    ));
}

#[test]
fn preference_rows_with_an_empty_field_drop() {
    let data = read(
        r#"[{"p": "a", "chosen": "b", "r": "c"}, {"p": "a", "chosen": "", "r": "c"}, {"p": "a", "r": "c"}]"#,
        DataFormat::Json,
    )
    .unwrap();
    let DatasetType::Dpo(columns) = DatasetType::from_value(
        json!({"field_prompt": "p", "field_chosen": null, "field_rejected": "r"}),
    )
    .unwrap() else {
        panic!("not a preference type")
    };
    let (rows, drops) = preference_rows(&data, &columns, &rules()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(drops.empty_field, 2);
}

#[test]
fn conversations_keep_valid_messages_and_drop_when_too_few_are_left() {
    let ok = json!([{"from": "user", "value": "a"}, {"from": "x"}, 3, {"from": "assistant", "value": "b"}]);
    let data = DataSet::from_rows(
        "d",
        [
            ok.clone(),
            json!(ok.to_string()),
            json!([{"from": "user", "value": "a"}]),
            json!("[1"),
            json!(null),
        ]
        .into_iter()
        .map(|v| json!({"conversations": v}).as_object().unwrap().clone())
        .collect(),
    );
    let DatasetType::Chat(columns) =
        DatasetType::from_value(json!({"chat_column": "conversations"})).unwrap()
    else {
        panic!("not a chat type")
    };
    let (rows, drops) = chat_rows(&data, &columns, &rules()).unwrap();
    assert_eq!(
        rows.iter().map(|(i, m)| (*i, m.len())).collect::<Vec<_>>(),
        [(0, 2), (1, 2)]
    );
    let expected = DataDrops {
        not_a_conversation: 2,
        too_few_messages: 1,
        invalid_messages: 4,
        ..Default::default()
    };
    assert_eq!(drops, expected);
}

#[test]
fn bytes_that_are_not_parquet_are_an_error() {
    for bytes in [&b""[..], b"PAR1", b"PAR1\xff\xff\xff\x7fPAR1", &[0x50; 64]] {
        assert!(matches!(
            DataSet::from_bytes("d", bytes, DataFormat::Parquet, &rules()),
            Err(DataError::File { .. })
        ));
    }
}

#[test]
fn parquet_reads_as_the_same_rows_in_json_do() {
    let dir =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/prompts/parquet");
    let read = |name: &str, format| {
        DataSet::from_bytes(
            "d",
            &std::fs::read(dir.join(name)).unwrap(),
            format,
            &rules(),
        )
        .unwrap()
    };
    let expected = read("rows.json", DataFormat::Json);
    assert_eq!(expected.rows.len(), 7);
    for codec in ["none", "snappy", "zstd", "gzip"] {
        let found = read(&format!("rows-{codec}.parquet"), DataFormat::Parquet);
        assert_eq!(found, expected, "{codec}");
    }
}

#[test]
fn damaged_parquet_never_panics() {
    let dir =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/prompts/parquet");
    let whole = std::fs::read(dir.join("rows-snappy.parquet")).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let _ = DataSet::from_bytes("d", &bytes, DataFormat::Parquet, &rules());
        if at % 7 == 0 {
            assert!(DataSet::from_bytes("d", &whole[..at], DataFormat::Parquet, &rules()).is_err());
        }
    }
}
