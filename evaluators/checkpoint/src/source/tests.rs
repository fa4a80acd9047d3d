use std::os::unix::fs::symlink;

use super::*;
use crate::testing::write;

fn dir_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), files);
    dir
}

#[test]
fn a_link_out_of_the_directory_is_refused_and_one_inside_is_read() {
    let outside = dir_with(&[("secret", b"x")]);
    let dir = dir_with(&[("real", b"y")]);
    symlink(outside.path().join("secret"), dir.path().join("out")).expect("a link");
    symlink("real", dir.path().join("in")).expect("a link");
    let source = SourceDir::open(dir.path()).expect("a directory");
    assert!(matches!(
        source.file("out"),
        Err(ReadFileError::Escapes { .. })
    ));
    assert_eq!(source.read("in", 9).expect("inside"), b"y");
}

#[test]
fn a_hub_snapshot_reads_its_blobs_and_nothing_else() {
    let cache = tempfile::tempdir().expect("a temporary directory");
    let repo = cache.path().join("models--org--name");
    let snapshot = repo.join("snapshots").join("abc");
    std::fs::create_dir_all(repo.join("blobs")).expect("made");
    std::fs::create_dir_all(&snapshot).expect("made");
    write(&repo, &[("refs", b"z")]);
    write(&repo.join("blobs"), &[("1234", b"blob")]);
    symlink("../../blobs/1234", snapshot.join("config.json")).expect("a link");
    symlink("../../refs", snapshot.join("other")).expect("a link");
    let source = SourceDir::open(&snapshot).expect("a directory");
    assert_eq!(source.read("config.json", 9).expect("a blob"), b"blob");
    assert!(matches!(
        source.file("other"),
        Err(ReadFileError::Escapes { .. })
    ));
}

#[test]
fn names_with_a_path_and_things_that_are_no_files_are_refused() {
    let dir = dir_with(&[]);
    std::fs::create_dir(dir.path().join("sub")).expect("made");
    let source = SourceDir::open(dir.path()).expect("a directory");
    for name in ["../x", "/etc/passwd", "a/b", "", "..", "a\0b", "a\\b"] {
        assert!(
            matches!(source.file(name), Err(ReadFileError::BadName { .. })),
            "{name:?}"
        );
    }
    assert!(matches!(
        source.file("sub"),
        Err(ReadFileError::NotAFile { .. })
    ));
    assert!(matches!(
        source.file("none"),
        Err(ReadFileError::Missing { .. })
    ));
}

#[test]
fn a_file_that_is_too_long_is_refused_by_its_length() {
    let dir = dir_with(&[("f", b"12345")]);
    let source = SourceDir::open(dir.path()).expect("a directory");
    assert!(matches!(
        source.read("f", 4),
        Err(ReadFileError::TooLarge {
            found: 5,
            limit: 4,
            ..
        })
    ));
    assert_eq!(source.read("f", 5).expect("fits"), b"12345");
}

#[test]
fn a_file_that_vanishes_shrinks_or_is_swapped_midway_is_noticed() {
    let dir = dir_with(&[
        ("gone", b"12345678"),
        ("short", b"12345678"),
        ("swapped", b"12345678"),
    ]);
    let source = SourceDir::open(dir.path()).expect("a directory");
    let [gone, short, swapped] =
        ["gone", "short", "swapped"].map(|n| source.file(n).expect("there"));
    let mut out = [0; 4];
    gone.read_at(2, &mut out).expect("still there");
    assert_eq!(&out, b"3456");
    std::fs::remove_file(dir.path().join("gone")).expect("removed");
    write(dir.path(), &[("short", b"1234"), ("other", b"abcdefgh")]);
    std::fs::rename(dir.path().join("other"), dir.path().join("swapped")).expect("renamed");
    assert!(matches!(
        gone.read_at(2, &mut out),
        Err(ReadFileError::Vanished { .. })
    ));
    assert!(matches!(
        short.read_at(2, &mut out),
        Err(ReadFileError::Changed {
            before: 8,
            now: 4,
            ..
        })
    ));
    assert!(matches!(
        swapped.read_at(2, &mut out),
        Err(ReadFileError::Changed { .. })
    ));
    drop(dir);
    assert!(matches!(
        swapped.read_all(99),
        Err(ReadFileError::Vanished { .. })
    ));
}
