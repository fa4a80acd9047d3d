use super::*;
use crate::testing::{chain, file_bytes, safetensors};

fn parse(file: &[u8]) -> Result<Vec<HeaderEntry>, ParseHeaderError> {
    let mut prefix = [0; 8];
    let n = file.len().min(8);
    prefix[..n].copy_from_slice(&file[..n]);
    let len = header_len(prefix, file.len() as u64)? as usize;
    parse_header(&file[8..8 + len], file.len() as u64)
}

fn refused(header: &str, data: usize) -> String {
    let file = file_bytes(header, &vec![0; data]);
    chain(&parse(&file).expect_err(header))
}

#[test]
fn tensors_come_back_in_file_order_with_absolute_ranges() {
    let file = file_bytes(
        r#"{"b":{"dtype":"F32","shape":[2],"data_offsets":[6,14]},"a":{"dtype":"BF16","shape":[3,1],"data_offsets":[0,6]},
            "__metadata__":{"format":"pt"}, "z":{"dtype":"F16","shape":[0,5],"data_offsets":[6,6]}}"#,
        &[0; 14],
    );
    let begin = file.len() as u64 - 14;
    let found: Vec<_> = parse(&file)
        .expect("valid")
        .into_iter()
        .map(|e| (e.name, e.begin - begin, e.end - begin))
        .collect();
    assert_eq!(
        found,
        [("a".into(), 0, 6), ("z".into(), 6, 6), ("b".into(), 6, 14)]
    );
}

#[test]
fn what_the_reference_reader_refuses_is_refused() {
    let entry = |shape: &str, begin: u64, end: u64| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}}}"#)
    };
    for (header, data, reason) in [
        (entry("[2]", 0, 8), 7, "cut off or has bytes behind"),
        (entry("[2]", 0, 8), 9, "cut off or has bytes behind"),
        (entry("[3]", 0, 8), 8, "12 bytes, but its range holds 8"),
        (entry("[1]", 4, 8), 8, "neither overlap nor leave a gap"),
        (entry("[1]", 4, 0), 4, "neither overlap nor leave a gap"),
        (entry("[4611686018427387904, 4]", 0, 0), 0, "does not fit the address space"),
        (entry("[4611686018427387904, 8, 0]", 0, 0), 0, "does not fit the address space"),
        (entry("[-1]", 0, 4), 4, "not a JSON object"),
        (entry("[1.0]", 0, 4), 4, "not a JSON object"),
        (entry("[0]", 0, u64::MAX), 4, "its range holds"),
        (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#.into(), 6, "neither overlap nor leave a gap"),
        (r#"{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}"#.into(), 4, "unknown dtype"),
        (r#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}"#.into(), 1, "does not fit"),
        (r#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#.into(), 4, "missing field"),
        ("[]".into(), 0, "expected an object"),
        ("{}x".into(), 0, "trailing characters"),
        ("{ ".into(), 0, "EOF"),
    ] {
        let found = refused(&header, data);
        assert!(found.contains(reason), "{header}: {found}");
        let file = file_bytes(&header, &vec![0; data]);
        assert!(safetensors::SafeTensors::deserialize(&file).is_err(), "{header}: the reference reader takes it");
    }
}

#[test]
fn what_only_this_reader_refuses_is_refused() {
    let twice = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    assert!(refused(twice, 4).contains("appears twice"));
    let deep = r#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#;
    assert!(refused(deep, 4).contains("more than 8 dimensions"));
    let twice = r#"{"a":{"dtype":"F32","shape":[9],"shape":[1],"data_offsets":[0,4]}}"#;
    assert!(refused(twice, 4).contains("appears twice"));
    let control = "{\"a\\u0007\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    assert!(refused(control, 4).contains("control characters"));
    let extra = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}}"#;
    assert!(refused(extra, 4).contains("unknown field"));
}

#[test]
fn a_length_that_lies_is_refused_before_anything_is_allocated() {
    let file = safetensors(&[("a", &[3])]);
    let with = |len: u64| parse(&[&len.to_le_bytes()[..], &file[8..]].concat()).expect_err("a lie");
    assert!(matches!(with(u64::MAX), ParseHeaderError::TooLong { .. }));
    assert!(matches!(
        with(HEADER_BYTES_MAX),
        ParseHeaderError::PastEnd { .. }
    ));
    assert!(matches!(
        with(file.len() as u64 - 7),
        ParseHeaderError::PastEnd { .. }
    ));
    for cut in 0..file.len() {
        assert!(parse(&file[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn every_dtype_of_the_format_is_known_by_its_name_and_size() {
    use safetensors::Dtype as Theirs;
    for name in [
        "BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "I16",
        "U16", "F16", "BF16", "I32", "U32", "F32", "C64", "F64", "I64", "U64",
    ] {
        let theirs: Theirs = serde_json::from_value(name.into()).expect(name);
        let ours = Dtype::from_name(name).expect(name);
        assert_eq!((ours.bits(), ours.name()), (theirs.bitsize(), name));
    }
}
