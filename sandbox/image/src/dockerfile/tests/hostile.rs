use super::*;
use std::time::Instant;

#[test]
fn what_is_no_dockerfile_is_refused_by_name() {
    let refused = |bytes: &[u8]| parse(bytes).expect_err("refused").to_string();
    assert!(refused(b"").contains("found no instruction"));
    assert!(refused(b"# only\n\n").contains("found no instruction"));
    assert!(refused(b"ARG a=1\n").contains("found only ARG"));
    assert!(refused(b"FROM a\nRUN \0x").contains("line 2: the Dockerfile holds a NUL byte"));
    assert!(
        refused(b"FROM a\n\nRUN \x1b[1m")
            .contains("line 3: the Dockerfile holds the control character 0x1b")
    );
    assert!(refused(b"FROM a\nRUN \xff").contains("the byte 0xff"));
    assert!(refused(b"\x7fELF\x02\x01").contains("control character"));
    assert!(refused(&vec![b'#'; 10 << 20]).contains("10485760 bytes long"));
    assert!(refused(&vec![b'#'; TEXT_BYTES_MAX + 1]).contains("the limit is"));
    assert!(parse(b"\xef\xbb\xbfFROM a\r\nRUN x \\\r\n y\r\n").is_ok());
}

#[test]
fn stages_instructions_and_documents_without_end_are_refused_at_once() {
    let start = Instant::now();
    let limits = [
        ("FROM a\n".repeat(STAGES_MAX + 1), "stages"),
        ("FROM a\n".repeat(100_000), "instructions"),
        (
            format!("FROM a\n{}", "ENV a=1\n".repeat(100_000)),
            "instructions",
        ),
        (
            format!(
                "FROM a\nRUN x{}\n{}",
                " <<E".repeat(1000),
                "E\n".repeat(1000)
            ),
            "here-documents in one instruction",
        ),
    ];
    for (text, expected) in limits {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, DockerfileError::TooMany { what, .. } if what == expected),
            "{error}"
        );
    }
    let documents = "RUN cat <<A <<B\nx\nA\ny\nB\n".repeat(1900);
    let build = parse(format!("FROM a\n{documents}").as_bytes()).unwrap();
    assert_eq!(build.stages[0].instructions.len(), 1900);
    for text in [
        format!("FROM a\nRUN {}", "x \\\n".repeat(200_000)),
        format!("FROM a\nRUN x \\\n{}y", "# c\n".repeat(200_000)),
        format!("FROM a\nRUN {}", "\\\n".repeat(400_000)),
        format!("FROM a\nENV {}", "a=b ".repeat(200_000)),
        format!("FROM a\nRUN [{}", "\"a\",".repeat(200_000)),
        format!("FROM a\nCMD {}", "[".repeat(500_000)),
        format!("FROM a\nENTRYPOINT {}", "[".repeat(500_000)),
        format!("FROM a\nCOPY {}", "[".repeat(500_000)),
    ] {
        let _ = resolved(&text);
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn a_chain_of_all_stages_is_planned_and_resolved() {
    let chain: String = (1..STAGES_MAX)
        .map(|i| format!("FROM s{} AS s{i}\nENV a{i}=1\n", i - 1))
        .collect();
    let resolved = resolved(&format!("FROM a AS s0\n{chain}")).unwrap();
    assert_eq!(resolved.config.env.len(), STAGES_MAX - 1);
}

#[test]
fn directives_come_first_once_and_with_a_meaning() {
    let build = parse(b"# syntax=docker/dockerfile:1\n#check=skip=all\nFROM a").unwrap();
    assert_eq!(build.notes.len(), 2, "{:?}", build.notes);
    assert!(
        parse(b"# escape=x\nFROM a")
            .unwrap_err()
            .to_string()
            .contains("use one of the two")
    );
    assert!(
        parse(b"# escape=`\n# escape=`\nFROM a")
            .unwrap_err()
            .to_string()
            .contains("once")
    );
    // Behind a comment it is a comment.
    assert_eq!(parse(b"# words\n# escape=`\nFROM a").unwrap().escape, '\\');
    assert_eq!(parse(b"FROM a\n# escape=x").unwrap().escape, '\\');
}

#[test]
fn what_looks_like_an_array_but_is_none_gets_a_note() {
    let build = parse(b"FROM a\nCMD ['python', 'x']").unwrap();
    assert!(matches!(build.notes.as_slice(), [(2, note)] if note.contains("no JSON")));
    let build = parse(b"FROM a\nRUN a \\\n\n b").unwrap();
    assert!(matches!(build.notes.as_slice(), [(3, note)] if note.contains("empty line")));
}

#[test]
fn messages_show_no_control_characters_and_no_novels() {
    let error = parse(format!("FROM a\nBAD{} {}", "X".repeat(900), "y\t".repeat(9000)).as_bytes());
    let error = error.unwrap_err().to_string();
    assert!(error.len() < 800 && !error.contains('\t'), "{error}");
}
