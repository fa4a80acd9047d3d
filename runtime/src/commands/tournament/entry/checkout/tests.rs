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

    /// Its commit, `nowhere`, or why that cannot be said.
    fn commit(&self) -> String {
        let tree = self.open();
        match tree.commit() {
            Ok(commit) => commit.unwrap_or("nowhere").to_owned(),
            Err(error) => {
                let said = error.to_string();
                said.split_once('\n').unwrap().0.to_owned()
            }
        }
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
    assert_eq!(tree.commit(), lower);
    let tree = Tree::new(&[
        (".git/HEAD", b"ref: refs/heads/feature/x\n"),
        (".git/refs/heads/feature/x", detached.as_bytes()),
    ]);
    assert_eq!(tree.commit(), lower);
    let packed = format!(
        "# pack-refs\n{} refs/heads/other\n{commit} refs/heads/main\n",
        "0".repeat(40)
    );
    let tree = Tree::new(&[
        (".git/HEAD", b"ref: refs/heads/main\n"),
        (".git/packed-refs", packed.as_bytes()),
    ]);
    assert_eq!(tree.commit(), lower);
    for head in [
        "ref: refs/heads/../../../x\n",
        "ref: refs/heads/gone\n",
        "abc\n",
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", head.as_bytes()),
            ("../x", detached.as_bytes()),
        ]);
        assert!(tree.commit().ends_with("cannot be read there"), "{head}");
    }
    assert_eq!(Tree::new(&[("a", b"a")]).commit(), "nowhere");
}

#[test]
fn a_worktree_says_its_commit_if_it_and_the_clone_name_each_other() {
    let commit = "abcdef0123456789abcdef0123456789abcdef01";
    let own = "../clone/.git/worktrees/tree";
    let make = |git: &[u8], head: &str, back: &str| {
        Tree::new(&[
            (".git", git),
            (&format!("{own}/HEAD"), head.as_bytes()),
            (&format!("{own}/commondir"), b"../..\n"),
            (&format!("{own}/gitdir"), back.as_bytes()),
            (
                "../clone/.git/refs/heads/side",
                format!("{commit}\n").as_bytes(),
            ),
            ("../clone/.git/HEAD", b"ref: refs/heads/main\n"),
            ("../other/.git", git),
        ])
    };
    let relative = format!("gitdir: {own}\n");
    let back = "../../../../tree/.git\n";
    let detached = format!("{commit}\n");
    for head in [detached.as_str(), "ref: refs/heads/side\n"] {
        assert_eq!(make(relative.as_bytes(), head, back).commit(), commit);
    }
    // As git writes it by default: whole paths both ways.
    let tree = make(b"", &detached, "");
    let place = tree.root().join(own);
    fs::write(
        tree.root().join(".git"),
        format!("gitdir: {}\n", place.display()),
    )
    .unwrap();
    let back_whole = format!("{}\n", tree.root().join(".git").display());
    fs::write(place.join("gitdir"), back_whole).unwrap();
    assert_eq!(tree.commit(), commit);
    for (git, head, back) in [
        ("gitdir: ../nowhere\n", detached.as_str(), back),
        ("nothing\n", &detached, back),
        (relative.as_str(), "ref: refs/heads/gone\n", back),
        (relative.as_str(), &detached, "../../../../other/.git\n"),
        (relative.as_str(), &detached, "/dev/null\n"),
    ] {
        let said = make(git.as_bytes(), head, back).commit();
        assert!(
            said.ends_with("cannot be read there"),
            "{git}{head}{back}: {said}"
        );
    }
}

#[test]
fn a_real_worktree_of_gits_is_at_its_own_commit() {
    let tree = Tree::new(&[("../clone/a", b"a")]);
    let clone = tree.0.path().join("clone");
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args([
            "-C",
            clone.to_str().unwrap(),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
        ]);
        let done = command.args(arguments).output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "a"]);
    git(&["commit", "--quiet", "-m", "1"]);
    let first = git(&["rev-parse", "HEAD"]);
    git(&[
        "worktree",
        "add",
        "--quiet",
        tree.root().to_str().unwrap(),
        "-b",
        "side",
    ]);
    git(&["commit", "--quiet", "--allow-empty", "-m", "2"]);
    assert_eq!(tree.commit(), first);
    git(&["pack-refs", "--all"]);
    assert_eq!(tree.commit(), first);
}

#[test]
fn what_is_no_tree_is_named() {
    let tree = Tree::new(&[("file", b"x")]);
    let said = |path: PathBuf| Checkout::open(path).err().unwrap().to_string();
    assert!(said(tree.root().join("file")).ends_with("file cannot be opened as a tree"));
    assert!(said(tree.root().join("gone")).ends_with("gone cannot be opened as a tree"));
}
