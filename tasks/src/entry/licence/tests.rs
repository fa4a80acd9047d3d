use super::*;
use crate::rules::RuleSet;

const LICENCE: &str = "Be kind.\n\nAnd so on.\n";
const NOTICE: &str = "Ours.\n";

fn check(files: &[(&str, &[u8])]) -> Result<(), LicenceRefusal> {
    let files = files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
        .collect();
    check_licence(&RuleSet::newest().entry.licence, &files, LICENCE, NOTICE)
}

#[test]
fn spaces_at_the_ends_of_lines_and_line_ends_do_not_count() {
    let licence = b"Be kind. \t\r\n\x0b\nAnd so on.\xe2\x80\x83";
    // A vertical tab ends a line too, so that one is one too many.
    assert!(matches!(
        check(&[("LICENSE", licence), ("NOTICE", b"Ours.")]),
        Err(LicenceRefusal::Differs { line: 3, .. })
    ));
    let licence = b"Be kind. \t\r\n \x1f\r\nAnd so on.\xe2\x80\x83";
    assert_eq!(check(&[("LICENSE", licence), ("NOTICE", b"Ours.")]), Ok(()));
}

#[test]
fn anything_else_counts() {
    for (licence, line) in [
        (" Be kind.\n\nAnd so on.\n", 1),
        ("Be kind.\nAnd so on.\n", 2),
        ("Be kind.\n\nAnd so on.\n\n", 4),
        ("Be kind.\n\nand so on.\n", 3),
        ("", 1),
    ] {
        let refusal = check(&[("LICENSE", licence.as_bytes()), ("NOTICE", b"Ours.")]).unwrap_err();
        let name = "LICENSE".to_owned();
        assert_eq!(
            refusal,
            LicenceRefusal::Differs { name, line },
            "{licence:?}"
        );
        assert_eq!(refusal.owner(), Owner::Submission);
    }
    let refusal = check(&[("LICENSE", LICENCE.as_bytes()), ("NOTICE", b"Mine.")]).unwrap_err();
    assert!(refusal.to_string().contains("NOTICE differs"), "{refusal}");
}

#[test]
fn the_first_name_that_exists_is_read() {
    let right = LICENCE.as_bytes();
    let files: [(&str, &[u8]); 3] = [("License", b"no"), ("LICENSE", right), ("Notice", b"Ours.")];
    assert_eq!(check(&files), Ok(()));
    let files: [(&str, &[u8]); 3] = [
        ("LICENSE.md", b"no"),
        ("LICENSE", right),
        ("NOTICE", b"Ours."),
    ];
    let refusal = check(&files).unwrap_err();
    assert!(matches!(refusal, LicenceRefusal::Differs { name, .. } if name == "LICENSE.md"));
    let refusal = check(&[("COPYING", right), ("NOTICE", b"Ours.")]).unwrap_err();
    assert!(
        refusal
            .to_string()
            .contains("LICENSE.md, LICENSE, license.md"),
        "{refusal}"
    );
    let refusal = check(&[("LICENSE", right)]).unwrap_err();
    assert!(matches!(refusal, LicenceRefusal::Missing { what, .. } if what == "notice"));
}

#[test]
fn what_is_no_text_or_too_large_is_refused() {
    let refusal = check(&[("LICENSE", b"\xff"), ("NOTICE", b"Ours.")]).unwrap_err();
    assert!(matches!(refusal, LicenceRefusal::NotText { .. }));
    let large = vec![b' '; LICENCE_BYTES_MAX + 1];
    let refusal = check(&[("LICENSE", &large), ("NOTICE", b"Ours.")]).unwrap_err();
    assert!(matches!(refusal, LicenceRefusal::TooLarge { .. }));
}

#[test]
fn an_empty_text_is_an_empty_line() {
    assert_eq!(first_difference("", "\n"), None);
    assert_eq!(first_difference(" \n", ""), None);
    assert_eq!(first_difference("", "\n\n"), Some(1));
    assert_eq!(first_difference("a", "a\n"), None);
    assert_eq!(first_difference("a\n\n", "a\n"), Some(2));
}
