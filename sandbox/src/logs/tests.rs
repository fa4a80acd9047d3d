//! What a person sees of what a job prints, and what is no record.

use super::*;
use std::time::Duration;

fn record(stream: Stream, bytes: &[u8]) -> Record {
    Record {
        stream,
        at: Duration::from_millis(1234),
        before: 0,
        missing: 0,
        bytes: bytes.to_vec(),
    }
}

fn shown(bytes: &[u8]) -> String {
    let (mut lines, mut text) = (Lines::new(), String::new());
    lines.push(&record(Stream::Output, bytes), &mut text);
    lines.finish(&mut text);
    text
}

#[test]
fn nothing_that_a_job_prints_reaches_the_terminal_as_more_than_text() {
    let cases: [(&[u8], &str); 12] = [
        (b"\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        (b"progress\rError: done", r"progress\rError: done"),
        (b"nul\0", r"nul\x00"),
        (b"\x08\x08\x7f", r"\x08\x08\x7f"),
        ("c1 \u{9b}2J".as_bytes(), r"c1 \u{9b}2J"),
        (
            "\u{202e}gnp.exe\u{2066}".as_bytes(),
            r"\u{202e}gnp.exe\u{2066}",
        ),
        (
            "a\u{200b}b\u{feff}\u{ad}".as_bytes(),
            r"a\u{200b}b\u{feff}\u{ad}",
        ),
        ("one\u{2028}two\u{85}".as_bytes(), r"one\u{2028}two\u{85}"),
        ("\u{e0041}".as_bytes(), r"\u{e0041}"),
        (b"\xff\xfe half \xe2\x82", r"\xff\xfe half \xe2\x82"),
        (b"tab\tbed", r"tab\tbed"),
        ("größe → ok 漢字".as_bytes(), "größe → ok 漢字"),
    ];
    for (printed, expected) in cases {
        assert_eq!(shown(printed), format!("     1.234 out | {expected}\n"));
    }
}

#[test]
fn a_job_cannot_print_a_frame() {
    let text = shown(b"one\n     0.001 err | Error: gradus failed\n\r     0.001 --- | gone");
    assert!(
        text.lines()
            .all(|line| line.starts_with("     1.234 out | ")),
        "{text}"
    );
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn a_line_of_a_hundred_megabytes_is_cut_and_its_length_said() {
    let (mut lines, mut text) = (Lines::new(), String::new());
    let part = record(Stream::Output, &[b'x'; 64 << 10]);
    for _ in 0..1600 {
        lines.push(&part, &mut text);
        assert!(text.is_empty());
    }
    lines.push(&record(Stream::Output, b"\nnext\n"), &mut text);
    let (first, rest) = text.split_once('\n').unwrap();
    let more = 1600 * (64 << 10) - LINE_BYTES;
    assert!(first.ends_with(&format!("xxx … [{more} more bytes in this line]")));
    assert!(first.len() < LINE_BYTES + 100);
    assert!(rest.ends_with("| next\n"));
}

#[test]
fn streams_do_not_mix_within_a_line_and_a_gap_ends_lines() {
    let (mut lines, mut text) = (Lines::new(), String::new());
    lines.push(&record(Stream::Output, b"hel"), &mut text);
    lines.push(&record(Stream::Errors, b"oops\n"), &mut text);
    lines.push(&record(Stream::Output, b"lo\nhalf a \xe2"), &mut text);
    lines.push(&record(Stream::Output, b"\x82\xac"), &mut text);
    lines.push(
        &Record {
            missing: 4096,
            ..record(Stream::Output, b"later\n")
        },
        &mut text,
    );
    let expected = "     1.234 err | oops\n     1.234 out | hello\n     1.234 out | half a €\n     \
        1.234 --- | 4096 bytes were not kept\n     1.234 out | later\n";
    assert_eq!(text, expected);
}

#[test]
fn what_no_watcher_writes_is_no_header() {
    let header = |length: u32, stream: u8, padding: u8, before: u64| {
        let mut bytes = [0; 24];
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4] = stream;
        bytes[6] = padding;
        bytes[16..].copy_from_slice(&before.to_le_bytes());
        Header::parse(&bytes, 10)
    };
    assert!(matches!(
        header(65_536, 2, 0, 10),
        Ok(Some(Header { length: 65_536, .. }))
    ));
    assert_eq!(header(0, 1, 0, 10), Err(WrongHeader::Length(0)));
    assert_eq!(header(65_537, 1, 0, 10), Err(WrongHeader::Length(65_537)));
    assert_eq!(
        header(u32::MAX, 1, 0, 10),
        Err(WrongHeader::Length(u32::MAX))
    );
    assert_eq!(header(1, 3, 0, 10), Err(WrongHeader::Stream(3)));
    assert_eq!(header(1, 1, 9, 10), Err(WrongHeader::Padding([0, 9, 0])));
    assert!(matches!(
        header(1, 1, 0, 9),
        Err(WrongHeader::Position {
            before: 9,
            expected: 10
        })
    ));
    assert!(matches!(
        header(1, 1, 0, u64::MAX),
        Err(WrongHeader::Position { .. })
    ));
    assert_eq!(Header::parse(&[0; 23], 0), Ok(None));
}
