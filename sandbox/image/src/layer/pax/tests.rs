use super::*;

#[test]
fn records_read_back_whatever_they_hold() {
    for len in [0, 1, 2, 5, 90, 91, 92, 93, 94, 985, 990, 995, 9_980, 9_990] {
        let value: Vec<u8> = (0..len).map(|i| b"\n=\0x"[i % 4]).collect();
        let mut data = record(b"path", &value);
        data.extend(record(b"SCHILY.xattr.user.a", b"b"));
        let read = records(&data).unwrap();
        assert_eq!(
            read,
            [
                (&b"path"[..], &value[..]),
                (&b"SCHILY.xattr.user.a"[..], &b"b"[..])
            ]
        );
    }
}

#[test]
fn broken_records_are_refused() {
    for data in [
        "x",
        "5 a=b",
        "6 a=b",
        "0 a=b\n",
        "2 a=b\n",
        "7 a=b\n",
        "-6 a=b\n",
        "5 ab\n",
        "99999999999999999999 a=b\n",
        "18446744073709551615 a=b\n",
    ] {
        assert!(records(data.as_bytes()).is_err(), "{data:?}");
    }
}

#[test]
fn times_are_read_to_the_nanosecond_and_brought_into_range() {
    assert_eq!(time(b"12"), Some((12, 0)));
    assert_eq!(time(b"12.5"), Some((12, 500_000_000)));
    assert_eq!(time(b"12.1234567899"), Some((12, 123_456_789)));
    assert_eq!(time(b"-1.5"), Some((0, 0)));
    assert_eq!(time(b"99999999999999"), Some((16_725_225_600, 0)));
    for text in ["", "x", "1.x", "--1", "1e9"] {
        assert_eq!(time(text.as_bytes()), None, "{text}");
    }
}
