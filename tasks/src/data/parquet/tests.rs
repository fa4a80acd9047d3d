use super::super::budget::ROW_BYTES_MAX;
use super::*;
use ::parquet::data_type::ByteArrayType;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A structure in Thrift's compact encoding.
#[derive(Default, Clone)]
struct Thrift {
    out: Vec<u8>,
    last: u8,
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn text(text: &str) -> Vec<u8> {
    [varint(text.len() as u64), text.as_bytes().to_vec()].concat()
}

impl Thrift {
    fn field(mut self, id: u8, wire: u8, bytes: &[u8]) -> Self {
        self.out.push((id - self.last) << 4 | wire);
        self.out.extend(bytes);
        self.last = id;
        self
    }

    fn int(self, id: u8, wire: u8, value: i64) -> Self {
        self.field(id, wire, &varint((value as u64) << 1))
    }

    fn list(self, id: u8, wire: u8, items: &[Vec<u8>]) -> Self {
        let head = [vec![0xf0 | wire], varint(items.len() as u64)].concat();
        self.field(id, LIST, &[head, items.concat()].concat())
    }

    fn end(mut self) -> Vec<u8> {
        self.out.push(0);
        self.out
    }
}

fn root(num_children: i64) -> Vec<u8> {
    Thrift::default()
        .field(4, BINARY, &text("r"))
        .int(5, I32, num_children)
        .end()
}

fn leaf() -> Vec<u8> {
    Thrift::default()
        .int(1, I32, 1)
        .int(3, I32, 1)
        .field(4, BINARY, &text("a"))
        .end()
}

fn group(num_children: i64) -> Vec<u8> {
    Thrift::default()
        .int(3, I32, 0)
        .field(4, BINARY, &text("g"))
        .int(5, I32, num_children)
        .end()
}

/// A file of one optional column of numbers, `num_rows` rows and one page of `num_values` nulls.
struct Table {
    schema: Vec<Vec<u8>>,
    num_rows: i64,
    num_values: i64,
    page_type: i64,
    header_extra: Vec<u8>,
    codec: i64,
    page_extra: usize,
}

fn table(num: i64) -> Table {
    Table {
        schema: vec![root(1), leaf()],
        num_rows: num,
        num_values: num,
        page_type: 0,
        header_extra: Vec::new(),
        codec: 0,
        page_extra: 0,
    }
}

impl Table {
    fn file(&self) -> Vec<u8> {
        let mut levels = varint((self.num_values as u64) << 1);
        levels.push(0);
        let mut page = [(levels.len() as u32).to_le_bytes().to_vec(), levels].concat();
        page.resize(page.len() + self.page_extra, 0);
        let data = Thrift::default()
            .int(1, I32, self.num_values)
            .int(2, I32, 0)
            .int(3, I32, 3)
            .int(4, I32, 3)
            .end();
        let mut header = Thrift::default()
            .int(1, I32, self.page_type)
            .int(2, I32, page.len() as i64)
            .int(3, I32, page.len() as i64)
            .field(5, STRUCT, &data);
        header.out.extend(&self.header_extra);
        let body = [header.end(), page].concat();
        let size = body.len() as i64;
        let column = Thrift::default()
            .int(1, I32, 1)
            .list(2, I32, &[vec![0], vec![6]])
            .list(3, BINARY, &[text("a")])
            .int(4, I32, self.codec)
            .int(5, I64, self.num_values)
            .int(6, I64, size)
            .int(7, I64, size)
            .int(9, I64, 4)
            .end();
        let chunk = Thrift::default()
            .int(2, I64, 0)
            .field(3, STRUCT, &column)
            .end();
        let rows = Thrift::default()
            .list(1, STRUCT, &[chunk])
            .int(2, I64, size)
            .int(3, I64, self.num_rows)
            .end();
        let footer = Thrift::default()
            .int(1, I32, 1)
            .list(2, STRUCT, &self.schema)
            .int(3, I64, self.num_rows)
            .list(4, STRUCT, &[rows])
            .end();
        let len = (footer.len() as u32).to_le_bytes();
        [&b"PAR1"[..], &body, &footer, &len, b"PAR1"].concat()
    }
}

fn message_within(file: &[u8], bytes: u64) -> String {
    let started = Instant::now();
    let error = read("d", file, &mut Budget::new(bytes)).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(2), "{error}");
    error.to_string()
}

fn message(file: &[u8]) -> String {
    message_within(file, ROW_BYTES_MAX)
}

#[test]
fn a_table_made_by_hand_is_read() {
    let rows = read("d", &table(3).file(), &mut Budget::default()).unwrap();
    assert_eq!(json!(rows), json!([{"a": null}, {"a": null}, {"a": null}]));
}

/// Found by fuzzing: an unknown field is a list of billions of booleans, which the decoder skips one by one.
#[test]
fn a_footer_that_claims_billions_of_booleans_is_refused() {
    const FOUND: &[u8] = b"\xae\xbc\xaf8\x81\xc6\x81\x81\x81\x81\x81om\xf9\xfb\xf9\xf9\xf9\xf9\x06\"\"\xf9\
        \x81\x81\x81\x81\x81\x81\xde\x81\x81\x81\xc6\x81\x81\x81\x81\x81\x81\x81\x81\x81ii\x81\x81\x81\x81\x81\
        \x81\x81\x81\x81\x81?pt0\0\0\0PAR1";
    assert!(message(FOUND).contains("its footer is broken: byte "));
}

#[test]
fn lists_that_claim_more_than_is_there_are_refused_in_footer_and_page_header() {
    let bomb = [vec![0xf2], varint((1 << 31) - 1)].concat();
    // One list after the other: each alone takes the decoder a second.
    let mut root = Thrift::default()
        .field(4, BINARY, &text("r"))
        .int(5, I32, 1);
    for id in 11..26 {
        root = root.field(id, LIST, &bomb);
    }
    let file = Table {
        schema: vec![root.end(), leaf()],
        ..table(3)
    }
    .file();
    assert!(
        message(&file).contains("its footer is broken"),
        "{}",
        message(&file)
    );
    let mut header = Thrift {
        last: 5,
        ..Thrift::default()
    };
    for id in 9..20 {
        header = header.field(id, LIST, &bomb);
    }
    let file = Table {
        header_extra: header.out,
        ..table(3)
    }
    .file();
    let found = message(&file);
    assert!(
        found.contains("column a: a page header is broken"),
        "{found}"
    );
    assert!(found.contains("a list of 2147483647 elements"), "{found}");
}

#[test]
fn a_list_of_booleans_that_are_there_is_refused_too() {
    let extra = Thrift {
        last: 5,
        ..Thrift::default()
    }
    .field(9, LIST, &[0x22, 1, 1])
    .out;
    let found = message(
        &Table {
            header_extra: extra,
            ..table(3)
        }
        .file(),
    );
    assert!(found.contains("a list of booleans"), "{found}");
}

#[test]
fn a_known_field_of_another_type_is_refused() {
    let leaf = Thrift::default()
        .field(1, 1, &[])
        .field(4, BINARY, &text("a"))
        .end();
    let found = message(
        &Table {
            schema: vec![root(1), leaf],
            ..table(3)
        }
        .file(),
    );
    assert!(found.contains("field 1 is of another type"), "{found}");
}

#[test]
fn nesting_has_a_limit_in_unknown_fields_and_in_the_schema() {
    let mut extra = vec![0x4c];
    extra.extend(vec![0x1c; 100_000]);
    let found = message(
        &Table {
            header_extra: extra,
            ..table(3)
        }
        .file(),
    );
    assert!(found.contains("nested deeper than 32 levels"), "{found}");
    let mut schema = vec![root(1)];
    schema.extend(vec![group(1); 100_000]);
    schema.push(leaf());
    let found = message(&Table { schema, ..table(3) }.file());
    assert!(found.contains("a schema deeper than 100 levels"), "{found}");
}

#[test]
fn a_schema_that_promises_more_than_it_has_is_refused() {
    let schema = vec![root((1 << 31) - 1), leaf()];
    let found = message(&Table { schema, ..table(3) }.file());
    assert!(
        found.contains("a schema of 2 elements promises 2147483647"),
        "{found}"
    );
    let schema = [vec![root(5000)], vec![leaf(); 5000]].concat();
    let found = message(&Table { schema, ..table(3) }.file());
    assert!(found.contains("more than 4096 columns"), "{found}");
}

/// A run of equal values has a few bytes however long it is.
#[test]
fn billions_of_null_rows_in_a_few_bytes_are_refused() {
    let file = table((1 << 31) - 1).file();
    assert!(file.len() < 300);
    assert_eq!(
        message(&file),
        format!("d: its rows take more than {ROW_BYTES_MAX} bytes in memory")
    );
    let file = Table {
        num_rows: 3,
        ..table((1 << 31) - 1)
    }
    .file();
    assert!(
        message(&file).contains("column a: its rows take more than"),
        "{}",
        message(&file)
    );
}

#[test]
fn rows_are_charged_as_they_come() {
    let file = table(1000).file();
    assert!(read("d", &file, &mut Budget::new(1 << 20)).is_ok());
    let found = message_within(&file, 100_000);
    assert!(
        found.contains("row ") && found.contains("more than 100000 bytes"),
        "{found}"
    );
}

#[test]
fn one_row_whose_list_repeats_a_long_text_is_refused_before_it_is_made() {
    let schema = parse_message_type("message m { repeated binary a (UTF8); }").unwrap();
    let mut file = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(&mut file, Arc::new(schema), properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let long = "x".repeat(10_000).into_bytes().into();
    let levels: Vec<i16> = (0..1000).map(|i| i16::from(i > 0)).collect();
    column
        .typed::<ByteArrayType>()
        .write_batch(&vec![long; 1000], Some(&[1; 1000]), Some(&levels))
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    assert!(file.len() < 30_000, "{}", file.len());
    assert_eq!(read("d", &file, &mut Budget::default()).unwrap().len(), 1);
    let found = message_within(&file, 1 << 20);
    assert_eq!(found, "d: its rows take more than 1048576 bytes in memory");
}

#[test]
fn pages_of_no_known_type_and_long_ones_in_gzip_are_refused() {
    let found = message(
        &Table {
            page_type: 1,
            ..table(3)
        }
        .file(),
    );
    assert!(found.contains("neither data nor a dictionary"), "{found}");
    let gzip = Table {
        codec: 2,
        page_extra: 9 << 20,
        ..table(3)
    };
    assert!(
        message(&gzip.file()).contains("a gzip page of 943"),
        "{}",
        message(&gzip.file())
    );
}
