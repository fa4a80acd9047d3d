use super::*;
use gradus_tasks::rules::RuleSet;
use std::os::unix::fs::symlink;

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, bytes) in files {
            let path = tree.root().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        tree
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("tree")
    }

    fn open(&self) -> Checkout {
        Checkout::open(self.root()).unwrap()
    }

    fn paths(&self) -> Vec<String> {
        let rules = RuleSet::newest().entry.duplicates;
        self.open().sources(&rules).unwrap().into_keys().collect()
    }
}

#[test]
fn text_inside_the_tree_counts_and_nothing_else() {
    let tree = Tree::new(&[
        ("a.py", b"a"),
        ("sub/deep/b.py", b"b"),
        ("model.bin", b"\0\0"),
        (".git/HEAD", b"ref: refs/heads/main\n"),
        ("sub/node_modules/c.js", b"c"),
        ("../outside/secret", b"s"),
    ]);
    let root = tree.root();
    symlink("a.py", root.join("link.py")).unwrap();
    symlink("../outside/secret", root.join("out")).unwrap();
    symlink("sub", root.join("directory")).unwrap();
    symlink("nowhere", root.join("broken")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    assert_eq!(tree.paths(), ["a.py", "link.py", "sub/deep/b.py"]);
}

#[test]
fn a_pipe_in_the_tree_is_not_opened() {
    let tree = Tree::new(&[("a.py", b"a")]);
    let pipe = tree.root().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    assert_eq!(tree.paths(), ["a.py"]);
    let rules = RuleSet::newest().entry.licence;
    fs::rename(&pipe, tree.root().join("LICENSE")).unwrap();
    assert!(tree.open().licences(&rules).unwrap().is_empty());
}

#[test]
fn text_behind_the_probe_is_read_whole() {
    let long = vec![b'x'; 100_000];
    let tree = Tree::new(&[("long.txt", &long)]);
    let rules = RuleSet::newest().entry.duplicates;
    let files = tree.open().sources(&rules).unwrap();
    assert_eq!(files["long.txt"], long);
}

#[test]
fn a_clone_says_its_commit_detached_on_a_branch_and_packed() {
    let commit = "ABCDEF0123456789abcdef0123456789abcdef01";
    let lower = commit.to_ascii_lowercase();
    let detached = format!("{commit}\n");
    let tree = Tree::new(&[(".git/HEAD", detached.as_bytes())]);
    assert_eq!(tree.open().commit(), Some(lower.as_str()));
    let tree = Tree::new(&[
        (".git/HEAD", b"ref: refs/heads/feature/x\n"),
        (".git/refs/heads/feature/x", detached.as_bytes()),
    ]);
    assert_eq!(tree.open().commit(), Some(lower.as_str()));
    let packed = format!(
        "# pack-refs\n{} refs/heads/other\n{commit} refs/heads/main\n",
        "0".repeat(40)
    );
    let tree = Tree::new(&[
        (".git/HEAD", b"ref: refs/heads/main\n"),
        (".git/packed-refs", packed.as_bytes()),
    ]);
    assert_eq!(tree.open().commit(), Some(lower.as_str()));
    for head in [
        "ref: refs/heads/../../../x\n",
        "ref: refs/heads/gone\n",
        "abc\n",
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", head.as_bytes()),
            ("../x", detached.as_bytes()),
        ]);
        assert_eq!(tree.open().commit(), None, "{head}");
    }
    assert_eq!(Tree::new(&[("a", b"a")]).open().commit(), None);
}

#[test]
fn what_is_no_tree_is_named() {
    let tree = Tree::new(&[("file", b"x")]);
    let said = |path: PathBuf| Checkout::open(path).err().unwrap().to_string();
    assert!(said(tree.root().join("file")).ends_with("file cannot be opened as a tree"));
    assert!(said(tree.root().join("gone")).ends_with("gone cannot be opened as a tree"));
}
