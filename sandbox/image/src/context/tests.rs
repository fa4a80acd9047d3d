//! `.dockerignore` against buildah, patterns, and hostile directories.

use super::glob::{Glob, PatternError};
use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Instant;

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below the root")).unwrap();
    fs::write(path, content).unwrap();
}

fn open(root: &Path) -> Context {
    Context::open(root, Limits::default()).unwrap()
}

fn paths(selected: &Selected) -> Vec<&str> {
    selected.entries.iter().map(|e| e.path.as_str()).collect()
}

fn context(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    files.iter().for_each(|f| write(root.path(), f, f));
    root
}

/// Where buildah means something else than BuildKit.
const DIFFERS: [(&str, &str); 1] = [(
    "suffix",
    "buildah takes ** before a name for whole components; Docker's matcher takes it for any text",
)];

#[test]
fn what_dockerignore_leaves_is_what_buildah_copies() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dockerfile");
    let text = fs::read_to_string(golden.join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let files: Vec<String> = serde_json::from_value(expected["files"].clone()).unwrap();
    let ignores = expected["ignores"].as_object().unwrap();
    assert!(ignores.len() >= 14);
    for (name, expected) in ignores {
        let root = tempfile::tempdir().unwrap();
        files.iter().for_each(|f| write(root.path(), f, f));
        let ignore = golden.join(format!("ignores/{name}.dockerignore"));
        fs::copy(ignore, root.path().join(".dockerignore")).unwrap();
        let selected = open(root.path()).select(".").unwrap();
        let is_file = |e: &&Entry| matches!(e.kind, EntryKind::File { .. });
        let found = selected
            .entries
            .iter()
            .filter(is_file)
            .map(|e| e.path.as_str());
        let found: Vec<&str> = found.filter(|p| *p != ".dockerignore").collect();
        let expected: Vec<&str> = expected["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        let known = DIFFERS.iter().any(|(n, _)| n == name);
        assert_eq!(
            found != expected,
            known,
            "{name}: {found:?}, buildah {expected:?}"
        );
    }
}

#[test]
fn ignored_paths_follow_from_the_last_pattern_that_matches() {
    for (patterns, ignored, kept) in [
        (
            "**.log",
            vec!["a.log", "x/a.log", "x/blog/.log", "a.log/x"],
            vec!["log", "a.logs"],
        ),
        ("**/*.log", vec!["a.log", "x/y/a.log"], vec!["a.logs"]),
        (
            "a/**/b",
            vec!["a/b", "a/x/b", "a/x/y/b"],
            vec!["ab", "a/xb", "b"],
        ),
        ("a/**", vec!["a/b", "a/b/c"], vec!["a", "ab"]),
        ("*\n!keep", vec!["a", "a/keep"], vec!["keep", "keep/x"]),
        ("!a\na", vec!["a"], vec!["b"]),
        (
            "a\n!a/b\na/b/c",
            vec!["a", "a/x", "a/b/c"],
            vec!["a/b", "a/b/d"],
        ),
        ("../x", vec![], vec!["x"]),
        (".", vec![], vec!["x"]),
        ("/", vec![], vec!["x"]),
        ("\u{feff}x", vec!["x"], vec![]),
        ("x\r\ny\r\n", vec!["x", "y"], vec![]),
        ("\\#x\n\\!y", vec!["#x", "!y"], vec![]),
    ] {
        let ignore = Ignore::parse(patterns.as_bytes()).unwrap();
        for path in ignored {
            assert!(ignore.ignores(path), "{patterns:?} leaves out {path}");
        }
        for path in kept {
            assert!(!ignore.ignores(path), "{patterns:?} keeps {path}");
        }
    }
}

#[test]
fn a_dockerignore_that_is_none_is_refused_by_line() {
    let refused = |bytes: &[u8]| Ignore::parse(bytes).expect_err("refused").to_string();
    assert!(refused(b"a\n!\n").contains("line 2"));
    assert!(refused(b"a\n\xff").contains("line 2"));
    assert!(refused(b"[a").contains("line 1"));
    assert!(refused(&[b'\n'; 1 << 20]).contains("1048576 bytes"));
    assert!(refused("a\n".repeat(3000).as_bytes()).contains("more than 2000"));
}

#[test]
fn globs_match_as_gos_do() {
    for (pattern, path, matches) in [
        ("abc", "abc", true),
        ("*", "abc", true),
        ("*c", "abc", true),
        ("a*", "a", true),
        ("a*", "ab/c", false),
        ("a*/b", "abc/b", true),
        ("a*/b", "a/c/b", false),
        ("a*x*y*/f", "axxzy/f", true),
        ("a*x*y*/f", "axx/zy/f", false),
        ("a?x*c", "abxqqc", true),
        ("ab[c]", "abc", true),
        ("ab[b-d]", "abc", true),
        ("ab[e-g]", "abc", false),
        ("ab[^c]", "abc", false),
        ("ab[^e-g]", "abc", true),
        ("a\\*b", "a*b", true),
        ("a\\*b", "ab", false),
        ("a?b", "aäb", true),
        ("a[^a]b", "aäb", true),
        ("a???b", "aäb", false),
        ("[a-ζ]*", "α", true),
        ("a?b", "a/b", false),
        ("a*b", "a/b", false),
        ("[\\]a]", "]", true),
        ("[\\-]", "-", true),
        ("[x\\-]", "-", true),
        ("[^x]", "/", false),
    ] {
        assert_eq!(
            Glob::new(pattern).unwrap().matches(path),
            matches,
            "{pattern} {path}"
        );
    }
    for pattern in [
        "[]a]", "[-]", "[x-]", "[-x]", "[", "[^", "[^bc", "a[", "[a-b-c]", "[z-a]",
    ] {
        assert_eq!(Glob::new(pattern), Err(PatternError::Brackets), "{pattern}");
    }
    assert_eq!(Glob::new("a\\"), Err(PatternError::Escape));
}

#[test]
fn patterns_of_stars_take_no_longer_than_others() {
    let start = Instant::now();
    assert!(
        !Glob::deep(&format!("{}x", "*a**/".repeat(600)))
            .unwrap()
            .matches(&"a/".repeat(2000))
    );
    assert!(
        !Glob::new(&format!("{}b", "*a".repeat(1000)))
            .unwrap()
            .matches(&"a".repeat(2000))
    );
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn sources_select_by_path_and_wildcard() {
    let root = context(&["a.py", "b.py", "src/c.py", "src/d/e.py", "x y"]);
    let context = open(root.path());
    let roots = |source: &str| context.select(source).unwrap().roots;
    assert_eq!(roots("*.py"), ["a.py", "b.py"]);
    assert_eq!(roots("*/*.py"), ["src/c.py"]);
    assert_eq!(roots("./src/../a.py"), ["a.py"]);
    assert_eq!(roots("/src/"), ["src"]);
    assert_eq!(roots("x\\ y"), ["x y"]);
    assert_eq!(
        paths(&context.select("src").unwrap()),
        ["src", "src/c.py", "src/d", "src/d/e.py"]
    );
    assert_eq!(context.select("").unwrap().entries.len(), 7);
}

#[test]
fn sources_that_select_nothing_or_lead_out_are_refused() {
    let root = context(&["a", "b/c", ".git/config", "sub/.git/config"]);
    write(root.path(), ".dockerignore", "b\n!.git\n");
    let context = open(root.path());
    for source in ["none", "a/x", "none/*"] {
        let error = context.select(source);
        assert!(
            matches!(error, Err(ContextError::NoMatch { ignored: false, .. })),
            "{source}"
        );
    }
    assert!(matches!(
        context.select("b/c"),
        Err(ContextError::NoMatch { ignored: true, .. })
    ));
    for source in ["..", "../a", "b/../../a", "/../a"] {
        assert!(
            matches!(context.select(source), Err(ContextError::Escapes { .. })),
            "{source}"
        );
    }
    for source in [".git", ".git/config", "sub/.git", ".gi\\t"] {
        assert!(
            matches!(context.select(source), Err(ContextError::Git { .. })),
            "{source}"
        );
    }
    assert!(matches!(
        context.select("[a"),
        Err(ContextError::Pattern { .. })
    ));
    assert_eq!(
        paths(&context.select(".").unwrap()),
        [".dockerignore", "a", "sub"]
    );
    assert!(context.select(".g*").is_err());
}

#[test]
fn links_are_copied_as_links_and_never_followed() {
    let root = context(&["d/f"]);
    let outside = context(&["secret"]);
    symlink("/etc/passwd", root.path().join("d/out")).unwrap();
    symlink("..", root.path().join("d/loop")).unwrap();
    symlink("d", root.path().join("inside")).unwrap();
    symlink(outside.path(), root.path().join("away")).unwrap();
    let context = open(root.path());
    let selected = context.select("d").unwrap();
    assert_eq!(paths(&selected), ["d", "d/f", "d/loop", "d/out"]);
    let target = EntryKind::Link {
        target: b"/etc/passwd".to_vec(),
    };
    assert_eq!(selected.entries[3].kind, target);
    for source in [
        "away",
        "away/secret",
        "away/*",
        "d/out",
        "d/loop/d",
        "inside/f",
        "inside/*",
    ] {
        assert!(
            matches!(context.select(source), Err(ContextError::Link { .. })),
            "{source}"
        );
    }
}

#[test]
fn sockets_and_pipes_are_refused_by_name_unless_ignored() {
    let root = context(&["a"]);
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("s")).unwrap();
    let error = open(root.path()).select(".").unwrap_err();
    assert!(
        matches!(&error, ContextError::Special { path, kind: "socket" } if path == "s"),
        "{error}"
    );
    write(root.path(), ".dockerignore", "s\n");
    assert!(open(root.path()).select(".").is_ok());
    fs::remove_file(root.path().join(".dockerignore")).unwrap();
    fs::rename(root.path().join("s"), root.path().join(".dockerignore")).unwrap();
    let error = Context::open(root.path(), Limits::default()).unwrap_err();
    assert!(
        matches!(error, ContextError::Special { kind: "socket", .. }),
        "{error}"
    );
    let pipe = context(&["a"]);
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, pipe.path().join("p"), kind, mode, 0).unwrap();
    let error = open(pipe.path()).select("p").unwrap_err();
    assert!(
        matches!(error, ContextError::Special { kind: "pipe", .. }),
        "{error}"
    );
    fs::rename(pipe.path().join("p"), pipe.path().join(".dockerignore")).unwrap();
    let error = Context::open(pipe.path(), Limits::default()).unwrap_err();
    assert!(
        matches!(error, ContextError::Special { kind: "pipe", .. }),
        "{error}"
    );
}

#[test]
fn names_that_are_not_utf8_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let root = context(&["a"]);
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"x\xff")), "").unwrap();
    let error = open(root.path()).select(".").unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");
}

#[test]
fn the_digest_is_of_what_is_copied_and_of_nothing_else() {
    let digest = |change: &dyn Fn(&Path)| {
        let root = context(&["d/a", "d/b", "e"]);
        symlink("a", root.path().join("d/l")).unwrap();
        fs::set_permissions(root.path().join("d/a"), fs::Permissions::from_mode(0o644)).unwrap();
        change(root.path());
        open(root.path()).select("d").unwrap().digest
    };
    let same = digest(&|_| {});
    assert_eq!(digest(&|r| write(r, "e", "other")), same);
    let touch = |r: &Path| {
        let file = fs::File::options().write(true).open(r.join("d/a")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    };
    assert_eq!(digest(&touch), same);
    assert_eq!(digest(&|r| write(r, ".dockerignore", "none")), same);
    let changes: [&dyn Fn(&Path); 8] = [
        &|r| write(r, "d/a", "A"),
        &|r| write(r, "d/c", ""),
        &|r| fs::remove_file(r.join("d/b")).unwrap(),
        &|r| fs::rename(r.join("d/b"), r.join("d/c")).unwrap(),
        &|r| fs::set_permissions(r.join("d/a"), fs::Permissions::from_mode(0o755)).unwrap(),
        &|r| fs::create_dir(r.join("d/c")).unwrap(),
        &|r| {
            fs::remove_file(r.join("d/l")).unwrap();
            symlink("b", r.join("d/l")).unwrap();
        },
        &|r| write(r, ".dockerignore", "d/b\n!none"),
    ];
    let mut all: std::collections::BTreeSet<_> = changes.iter().map(|c| digest(c)).collect();
    all.insert(same);
    // What is ignored is as if it were not there.
    assert_eq!(digest(changes[2]), digest(changes[7]));
    assert_eq!(all.len(), 8);
}

#[test]
fn trees_of_other_shapes_have_other_digests() {
    let digest = |files: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        files.iter().for_each(|f| write(root.path(), f, ""));
        open(root.path()).select(".").unwrap().digest
    };
    let shapes: [&[&str]; 7] = [
        &["a/b"],
        &["a", "b"],
        &["ab"],
        &["b/a"],
        &["a/b/c"],
        &["a-b", "a/b"],
        &["a/b", "a/c"],
    ];
    let all: std::collections::BTreeSet<_> = shapes.iter().map(|s| digest(s)).collect();
    assert_eq!(all.len(), shapes.len());
}

#[test]
fn limits_name_what_is_too_much() {
    let root = context(&["a/b/c/d", "a/x", "y"]);
    write(root.path(), "big", &"x".repeat(5000));
    let select = |limits: Limits| Context::open(root.path(), limits).unwrap().select(".");
    let base = Limits::default();
    let what = |limits: Limits| match select(limits) {
        Err(ContextError::TooMuch { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(Limits { entries: 6, ..base }), "entries");
    assert_eq!(
        what(Limits {
            bytes: 5000,
            ..base
        }),
        "bytes"
    );
    assert_eq!(
        what(Limits { depth: 2, ..base }),
        "directories above one another"
    );
    assert!(
        select(Limits {
            entries: 7,
            bytes: 5100,
            depth: 4
        })
        .is_ok()
    );
    // Apparent bytes count: a sparse file is as long as it says.
    fs::File::create(root.path().join("sparse"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    assert_eq!(what(base), "bytes");
}

#[test]
fn a_file_that_changed_since_is_refused_when_it_is_read() {
    let root = context(&["a", "b", "c"]);
    let context = open(root.path());
    let entries = context.select(".").unwrap().entries;
    let mut out = Vec::new();
    context.read(&entries[0], &mut out).unwrap();
    assert_eq!(out, b"a");
    write(root.path(), "a", "longer");
    write(root.path(), "b", "B");
    fs::set_permissions(root.path().join("c"), fs::Permissions::from_mode(0o700)).unwrap();
    for entry in &entries {
        assert!(
            matches!(
                context.read(entry, &mut out),
                Err(ContextError::Changed { .. })
            ),
            "{entry:?}"
        );
    }
    fs::remove_file(root.path().join("a")).unwrap();
    symlink("b", root.path().join("a")).unwrap();
    assert!(matches!(
        context.read(&entries[0], &mut out),
        Err(ContextError::Link { .. })
    ));
}

/// Changes a file once its first bytes were read.
struct Meddles<F>(F);

impl<F: FnMut()> std::io::Write for Meddles<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        (self.0)();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    use std::io::Write;
    let read = |meddle: &dyn Fn(&Path)| {
        let root = context(&["a"]);
        let path = root.path().join("a");
        let context = open(root.path());
        let file = context.below("a", rustix::fs::OFlags::NONBLOCK).unwrap();
        let before = context.regular("a", &file).unwrap();
        super::below::copy("a", file, &before, &mut Meddles(|| meddle(&path)))
    };
    assert!(read(&|_| {}).is_ok());
    let grows = |path: &Path| {
        let mut file = fs::File::options().append(true).open(path).unwrap();
        file.write_all(b"more").unwrap();
    };
    // A clock that ticks more coarsely than this test would hide a change of content alone.
    let pause = || std::thread::sleep(std::time::Duration::from_millis(20));
    let changes: [&dyn Fn(&Path); 3] = [
        &grows,
        &|path| {
            pause();
            fs::write(path, "b").unwrap();
        },
        &|path| fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap(),
    ];
    for change in changes {
        assert!(matches!(read(change), Err(ContextError::Changed { .. })));
    }
}
