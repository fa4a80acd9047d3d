use super::*;

#[test]
fn slashes_and_dots_are_taken_away() {
    for (name, expected) in [
        ("a/b", "a/b"),
        ("./a//b/", "a/b"),
        ("/a/./b", "a/b"),
        ("///", ""),
        (".", ""),
        ("", ""),
        ("..a/b..", "..a/b.."),
    ] {
        let path = InnerPath::new(name.as_bytes()).unwrap();
        assert_eq!(path.as_bytes(), expected.as_bytes(), "{name}");
        assert_eq!(path.split().is_none(), expected.is_empty());
    }
}

#[test]
fn names_that_leave_or_do_not_fit_are_refused() {
    let long = "x".repeat(256);
    let deep = "x/".repeat(2049);
    for name in ["..", "a/..", "a/../b", "/../a", "a\0b", &long, &deep] {
        assert!(InnerPath::new(name.as_bytes()).is_err(), "{name:?}");
    }
    assert!(InnerPath::new("x".repeat(255).as_bytes()).is_ok());
    assert!(InnerPath::new("x/".repeat(2048).as_bytes()).is_ok());
}

#[test]
fn whiteouts_say_what_they_hide() {
    assert_eq!(whiteout(b".wh.a"), Some(Ok(Whiteout::Name(b"a"))));
    assert_eq!(whiteout(b".wh..a"), Some(Ok(Whiteout::Name(b".a"))));
    assert_eq!(whiteout(b".wh..wh..opq"), Some(Ok(Whiteout::Opaque)));
    assert_eq!(whiteout(b".wha"), None);
    for name in [".wh.", ".wh..", ".wh...", ".wh..wh.a", ".wh..wh.plnk"] {
        assert!(matches!(whiteout(name.as_bytes()), Some(Err(_))), "{name}");
    }
    assert_eq!(whiteout(b".wh...."), Some(Ok(Whiteout::Name(b"..."))));
}
