use super::*;
use std::fs;
use std::os::unix::fs::symlink;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("->") {
            Some(target) => symlink(target, path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    root
}

fn union(layers: &[&tempfile::TempDir]) -> Union {
    let paths: Vec<PathBuf> = layers.iter().map(|dir| dir.path().to_owned()).collect();
    Union::open(&paths).unwrap()
}

fn read(union: &Union, path: &str) -> Option<String> {
    let bytes = union.read(path, 100).unwrap();
    bytes.map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn an_upper_layer_hides_what_lies_beneath_and_merges_directories() {
    let lower = tree(&[
        ("d/a", "low"),
        ("d/b", "low"),
        ("f/x", "hidden"),
        ("g", "file"),
    ]);
    let upper = tree(&[("d/b", "up"), ("f", "file"), ("g/y", "up")]);
    let union = union(&[&upper, &lower]);
    let all = ["d/a", "d/b", "f", "f/x", "g/y", "g"].map(|path| read(&union, path));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        all,
        [
            some("low"),
            some("up"),
            some("file"),
            None,
            some("up"),
            None
        ]
    );
    assert_eq!(union.root().names().unwrap(), [b"d", b"f", b"g"]);
}

#[test]
fn opaque_directories_and_whiteouts_hide() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: whiteouts are made as root");
        return;
    }
    let lower = tree(&[("d/a", "low"), ("e/a", "low")]);
    let upper = tree(&[("d/b", "up"), ("e/b", "up")]);
    let dir = open_layer(&upper.path().join("d")).unwrap();
    rustix::fs::fsetxattr(&dir, OPAQUE[0], b"y", rustix::fs::XattrFlags::empty()).unwrap();
    let whiteout = upper.path().join("e/a");
    rustix::fs::mknodat(CWD, whiteout, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    let union = union(&[&upper, &lower]);
    assert_eq!(["d/a", "e/a"].map(|path| read(&union, path)), [None, None]);
    assert_eq!(
        ["d/b", "e/b"].map(|path| read(&union, path).is_some()),
        [true, true]
    );
    let Found::There {
        entry: Entry::Directory(e),
        ..
    } = union.resolve("e", true).unwrap()
    else {
        panic!("no directory")
    };
    assert_eq!(e.names().unwrap(), [b"b"]);
}

#[test]
fn links_stay_inside_and_end() {
    let root = tree(&[
        ("etc/passwd", "inside"),
        ("out", "->/../../../etc/passwd"),
        ("up", "->../../etc"),
        ("loop", "->loop"),
        ("gone", "->etc/none/deeper"),
    ]);
    let union = union(&[&root]);
    for path in ["out", "up/passwd", "/up/../etc/passwd", "../../etc/passwd"] {
        assert_eq!(read(&union, path).as_deref(), Some("inside"), "{path}");
    }
    assert!(matches!(
        union.resolve("loop", true),
        Err(UnionError::Links { .. })
    ));
    let found = union.resolve("gone", true).unwrap();
    assert!(
        matches!(&found, Found::Missing { path, rest, by_link: true }
            if *path == [b"etc"] && *rest == [b"none".to_vec(), b"deeper".to_vec()]),
        "{found:?}"
    );
    assert!(matches!(
        union.resolve("etc/passwd/x", true).unwrap(),
        Found::Blocked { .. }
    ));
}
