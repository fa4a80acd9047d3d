use super::super::golden::plain;
use super::super::*;
use super::{RULES, private};
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn files_that_others_can_read_or_that_are_no_files_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = private(dir.path(), "hotkey", plain().as_bytes());
    let read = |path: &Path, rules: &FileRules| read_private_file(path, KEYFILE_BYTES_MAX, rules);
    for mode in [0o604, 0o644, 0o640, 0o620, 0o602, 0o601, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("own");
        let refused = read(&path, &RULES).expect_err("exposed");
        assert!(
            matches!(refused, ReadFileError::Exposed { found, .. } if found == mode),
            "{refused}"
        );
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).expect("own");
    assert_eq!(
        &read(&path, &RULES).expect("private")[..],
        plain().as_bytes()
    );

    let link = dir.path().join("link");
    symlink(&path, &link).expect("made");
    assert!(matches!(
        read(&link, &RULES).expect_err("a link"),
        ReadFileError::Link { .. }
    ));
    let follow = FileRules {
        links: Links::Follow,
    };
    assert!(read(&link, &follow).is_ok());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("own");
    assert!(matches!(
        read(&link, &follow).expect_err("exposed"),
        ReadFileError::Exposed { .. }
    ));

    assert!(matches!(
        read(dir.path(), &RULES).expect_err("a directory"),
        ReadFileError::NotRegular { .. }
    ));
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .expect("a pipe");
    assert!(matches!(
        read(&pipe, &RULES).expect_err("a pipe"),
        ReadFileError::NotRegular { .. }
    ));
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    assert!(matches!(
        read(&socket, &RULES).expect_err("a socket"),
        ReadFileError::NotRegular { .. }
    ));
    assert!(matches!(
        read(&dir.path().join("none"), &RULES).expect_err("absent"),
        ReadFileError::Io { .. }
    ));

    let long = private(dir.path(), "long", &vec![b' '; KEYFILE_BYTES_MAX + 1]);
    assert!(matches!(
        read(&long, &RULES).expect_err("long"),
        ReadFileError::TooLarge { .. }
    ));
    let longest = private(dir.path(), "longest", &vec![b' '; KEYFILE_BYTES_MAX]);
    assert_eq!(
        read(&longest, &RULES).expect("just").len(),
        KEYFILE_BYTES_MAX
    );
}

#[test]
fn passwords_lose_one_line_end_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let read =
        |bytes: &[u8]| PasswordSource::File(private(dir.path(), "password", bytes)).read(&RULES);
    for (bytes, expected) in [
        (&b"a b \n"[..], &b"a b "[..]),
        (b"a\r\n", b"a"),
        (b"a\n\n", b"a\n"),
        (b"a\r", b"a\r"),
    ] {
        assert_eq!(read(bytes).expect("a password").expose(), expected);
    }
    assert!(matches!(read(b"\n"), Err(PasswordError::Empty { .. })));
    assert!(matches!(
        read(&[b'a'; 4_097]),
        Err(PasswordError::TooLong { found: 4_097, .. })
    ));
    assert!(matches!(
        read(&[b'a'; 5_000]),
        Err(PasswordError::File(ReadFileError::TooLarge { .. }))
    ));
    let env = |name: &str| PasswordSource::Env(name.into()).read(&RULES);
    assert_eq!(
        env("CARGO_PKG_NAME").expect("cargo sets it").expose(),
        b"gradus-chain"
    );
    assert!(matches!(
        env("hunter2 g56"),
        Err(PasswordError::EnvName { .. })
    ));
    assert!(matches!(env(""), Err(PasswordError::EnvName { .. })));
}

#[test]
fn another_key_than_the_one_asked_for_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = private(dir.path(), "hotkey", plain().as_bytes());
    let expected = AccountId([1; 32]);
    let refused = read_keyfile(&path, None, Some(expected), &RULES).expect_err("another");
    assert!(
        matches!(refused, ReadKeyfileError::OtherAccount { expected: asked, .. } if asked == expected)
    );
}
