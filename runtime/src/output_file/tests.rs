use super::*;

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_and_nothing_else_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.json");
    let file = OutputFile::checked(&path).unwrap();
    assert!(
        names(directory.path()).is_empty(),
        "checking leaves nothing"
    );
    file.write(b"first, and longer").unwrap();
    file.write(b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(names(directory.path()), ["r.json"]);
}

#[test]
fn a_missing_directory_is_found_before_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let missing = OutputFile::checked(&directory.path().join("no/r.json")).unwrap_err();
    assert!(
        matches!(missing, OutputFileError::Directory { .. }),
        "{missing}"
    );
    let itself = OutputFile::checked(directory.path()).unwrap_err();
    assert!(
        matches!(itself, OutputFileError::IsDirectory(_)),
        "{itself}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_to_and_stays_a_device() {
    use std::os::unix::fs::FileTypeExt;
    OutputFile::checked(Path::new("/dev/null"))
        .unwrap()
        .write(b"x")
        .unwrap();
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    let full = OutputFile::checked(Path::new("/dev/full"))
        .unwrap()
        .write(b"x")
        .unwrap_err();
    assert!(matches!(full, OutputFileError::Write { .. }), "{full}");
}

fn output(path: &Path) -> OutputFile {
    OutputFile::checked(path).unwrap()
}

#[test]
fn an_output_is_no_input_and_no_other_output_by_whatever_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let input = path("in");
    fs::write(&input, "precious").unwrap();
    fs::hard_link(&input, path("hard")).unwrap();
    std::os::unix::fs::symlink(&input, path("soft")).unwrap();
    fs::create_dir(path("sub")).unwrap();
    for name in ["in", "hard", "soft", "sub/../in", "./in"] {
        let refused = apart(&[&output(&path(name))], &[Path::new("-"), &input]).unwrap_err();
        assert!(
            refused.is_usage() && matches!(refused, OutputFileError::IsInput { .. }),
            "{name}: {refused}"
        );
    }
    // Outputs that are not there yet.
    for (one, two) in [("a", "a"), ("a", "sub/../a"), ("hard", "soft")] {
        let refused = apart(&[&output(&path(one)), &output(&path(two))], &[]).unwrap_err();
        assert!(matches!(refused, OutputFileError::Twice(_)), "{refused}");
    }
    apart(&[&output(&path("a")), &output(&path("b"))], &[&input]).unwrap();
    let null = output(Path::new("/dev/null"));
    apart(&[&null, &null], &[Path::new("/dev/null")]).unwrap();
}

#[test]
fn what_a_kill_left_is_removed_and_what_somebody_writes_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.json");
    let other = [".r.json.tmp", ".r.jsonabcdef.tmp2", ".x.jsonabcdef.tmp"];
    for name in other.into_iter().chain([".r.jsonabcdef.tmp"]) {
        fs::write(directory.path().join(name), "part").unwrap();
    }
    let written = aside::make(&path, directory.path()).unwrap();
    output(&path).write(b"whole").unwrap();
    let left = names(directory.path());
    assert!(written.path().exists(), "{left:?}");
    assert_eq!(left.len(), other.len() + 2, "{left:?}");
    assert!(!left.contains(&".r.jsonabcdef.tmp".into()), "{left:?}");
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode_and_one_that_is_there_is_not_created() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("r.json");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    output(&path).create(b"first").unwrap();
    for kept in [0o600, 0o640, 0o664] {
        fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
        output(&path).write(b"second").unwrap();
        assert_eq!(mode(), kept);
    }
    let refused = output(&path).create(b"third").unwrap_err();
    assert!(matches!(refused, OutputFileError::Exists(_)), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(names(directory.path()), ["r.json"]);
}
