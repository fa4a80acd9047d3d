//! Repositories that git made, served by git's own program, compared with what git checks out.

use super::{Place, options};
use crate::server::{Peer, Request, Server};
use gradus_fetch::git::{FetchError, tree_id};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

/// A repository with one commit, and a server for it.
pub(super) struct Repository {
    folder: tempfile::TempDir,
    pub(super) server: Server,
}

impl Repository {
    /// `None` where git is missing, which is said.
    pub(super) fn new(format: &str, fill: impl FnOnce(&Repository)) -> Option<Repository> {
        if Command::new("git").arg("--version").output().is_err() {
            println!("skipped: git is not installed (package git)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let server = Server::start(move |request, peer| backend(&root, request, peer));
        let repository = Repository { folder, server };
        std::fs::create_dir(repository.path()).unwrap();
        repository.git(&[
            "init",
            "-q",
            "-b",
            "main",
            &format!("--object-format={format}"),
        ]);
        fill(&repository);
        repository.git(&["add", "-A"]);
        Some(repository)
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("repo")
    }

    pub(super) fn write(&self, name: &str, content: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.path())
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(["-c", "core.symlinks=true", "-c", "core.quotePath=false"])
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", self.folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits what was added; the commit's id.
    pub(super) fn commit(&self) -> String {
        self.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn tree(&self, commit: &str) -> String {
        self.git(&["rev-parse", &format!("{commit}^{{tree}}")])
    }
}

/// Git's own program for servers, as a web server would start it.
fn backend(root: &Path, request: &Request, peer: &mut Peer) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", root)
        .env("PATH_INFO", path.replace("/repo", "/repo/.git"))
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env(
            "CONTENT_TYPE",
            request.header("content-type").unwrap_or_default(),
        )
        .env(
            "GIT_PROTOCOL",
            request.header("git-protocol").unwrap_or_default(),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&request.body)
        .unwrap();
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    child.wait().unwrap();
    let end = output
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or(output.len());
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: ")?.get(..3)?.parse().ok());
    peer.answer(
        status.unwrap_or(200),
        &[],
        output.get(end + 4..).unwrap_or_default(),
    );
}

/// Names, kinds, executable bits, contents and link targets.
fn listing(dir: &Path) -> Vec<String> {
    let script = "find . -path ./.git -prune -o -mindepth 1 -printf '%P %y %l ' \\( -perm -100 -printf 'x\\n' -o -printf '-\\n' \\) | sort; \
        find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0r sha256sum";
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

fn text(seed: usize) -> Vec<u8> {
    (0..400)
        .flat_map(|line| {
            format!("line {line} of {}\n", if line % 97 == 0 { seed } else { 0 }).into_bytes()
        })
        .collect()
}

fn varied(repository: &Repository) {
    repository.write("README.md", b"hello\n");
    repository.write("empty", b"");
    repository.write("a/b/c/deep.txt", b"deep\n");
    repository.write("run.sh", b"#!/bin/sh\n");
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--chmod=+x", "run.sh"]);
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(
        repository.path().join("run.sh"),
        std::fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    // Alike, so that git packs them as deltas.
    for i in 0..60 {
        repository.write(&format!("alike/{i:02}.txt"), &text(i));
    }
    repository.write(
        "large.bin",
        &super::super::registry::image::noise(3 << 20, 9),
    );
    repository.write("ä ü/\u{1f980}.txt", b"names\n");
    repository.write("a.b", b"sorts beside a\n");
    repository.write("a-b", b"sorts beside a\n");
    symlink("a/b/c/deep.txt", repository.path().join("inside")).unwrap();
    symlink("/etc/passwd", repository.path().join("outside")).unwrap();
    symlink("../../../../etc", repository.path().join("a/up")).unwrap();
    repository.write(
        "model.bin",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    );
    repository.write(
        ".gitattributes",
        b"*.txt filter=evil text eol=crlf\n* export-ignore\n",
    );
}

#[test]
fn what_is_fetched_is_what_git_checks_out() {
    for format in ["sha1", "sha256"] {
        let Some(repository) = Repository::new(format, varied) else {
            return;
        };
        let first = repository.commit();
        repository.git(&["repack", "-adfq", "--depth=50", "--window=50"]);
        repository.write("README.md", b"history\n");
        repository.git(&["add", "-A"]);
        let second = repository.commit();
        for commit in [&first, &second] {
            repository.git(&["-c", "core.autocrlf=false", "checkout", "-q", "-f", commit]);
            std::fs::write(
                repository.path().join(".git/info/attributes"),
                "* -text -filter\n",
            )
            .unwrap();
            repository.git(&["rm", "-rq", "--cached", "."]);
            repository.git(&["reset", "-q", "--hard", commit]);
            let place = Place::new();
            let fetched = place
                .fetch(options(&repository.server), &repository.server, commit)
                .unwrap();
            assert_eq!(fetched.tree.to_string(), repository.tree(commit));
            assert_eq!(listing(&place.dir()), listing(&repository.path()));
            assert_eq!(
                (fetched.links, fetched.links_out, fetched.lfs_pointers),
                (3, 2, 1)
            );
            assert!(!place.dir().join(".git").exists());
            assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 1);
        }
    }
}

#[test]
fn the_tree_is_computed_from_what_lies_there() {
    let Some(repository) = Repository::new("sha1", varied) else {
        return;
    };
    let commit = repository.commit();
    let place = Place::new();
    let fetched = place
        .fetch(options(&repository.server), &repository.server, &commit)
        .unwrap();
    let id = || tree_id(&place.dir(), fetched.tree.algorithm(), &Default::default()).unwrap();
    assert_eq!(id(), fetched.tree);
    use std::os::unix::fs::PermissionsExt as _;
    let file = place.dir().join("README.md");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o744)).unwrap();
    assert_ne!(id(), fetched.tree);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(id(), fetched.tree);
    std::fs::write(&file, b"hellO\n").unwrap();
    assert_ne!(id(), fetched.tree);
}

#[test]
fn a_commit_that_is_not_there_is_nobodys() {
    let Some(repository) = Repository::new("sha1", |r| r.write("a", b"a")) else {
        return;
    };
    repository.commit();
    let place = Place::new();
    let missing = "ce013625030ba8dba906f756967f9e9ca394464a";
    let error = place
        .fetch(options(&repository.server), &repository.server, missing)
        .unwrap_err();
    assert!(matches!(error, FetchError::NoCommit { .. }), "{error:?}");
    // A repository that has ids of another hash.
    let error = place
        .fetch(
            options(&repository.server),
            &repository.server,
            &"0".repeat(64),
        )
        .unwrap_err();
    assert!(matches!(error, FetchError::Format { .. }), "{error:?}");
    // A blob that is there is no commit.
    let blob = repository.git(&["rev-parse", "HEAD:a"]);
    let error = place
        .fetch(options(&repository.server), &repository.server, &blob)
        .unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::Said { .. } | FetchError::Entry { .. } | FetchError::NoCommit { .. }
        ),
        "{error:?}"
    );
    place.is_empty();
}

#[test]
fn a_repository_that_is_not_there_and_a_directory_that_is_are_said() {
    let Some(repository) = Repository::new("sha1", |r| r.write("a", b"a")) else {
        return;
    };
    let commit = repository.commit();
    let place = Place::new();
    std::fs::create_dir(place.dir()).unwrap();
    let error = place
        .fetch(options(&repository.server), &repository.server, &commit)
        .unwrap_err();
    assert!(matches!(error, FetchError::Exists { .. }), "{error:?}");
    std::fs::remove_dir(place.dir()).unwrap();
    std::fs::rename(repository.path(), repository.folder.path().join("gone")).unwrap();
    let error = place
        .fetch(options(&repository.server), &repository.server, &commit)
        .unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::NotFound {
                with_token: false,
                ..
            }
        ),
        "{error:?}"
    );
    place.is_empty();
}

#[test]
fn a_submodule_is_an_empty_directory_and_told() {
    let Some(repository) = Repository::new("sha1", |r| r.write("a", b"a")) else {
        return;
    };
    let id = "ce013625030ba8dba906f756967f9e9ca394464a";
    repository.write(
        ".gitmodules",
        b"[submodule \"x\"]\n\tpath = dir/x\n\turl = --upload-pack=touch /tmp/owned\n",
    );
    repository.git(&["add", ".gitmodules"]);
    repository.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{id},dir/x"),
    ]);
    let commit = repository.commit();
    let place = Place::new();
    let fetched = place
        .fetch(options(&repository.server), &repository.server, &commit)
        .unwrap();
    assert_eq!(fetched.submodules, ["dir/x"]);
    assert_eq!(fetched.tree.to_string(), repository.tree(&commit));
    assert_eq!(
        std::fs::read_dir(place.dir().join("dir/x"))
            .unwrap()
            .count(),
        0
    );
    assert!(!Path::new("/tmp/owned").exists());
}

#[test]
fn history_is_not_fetched() {
    let Some(repository) = Repository::new("sha1", |r| {
        r.write("old", &super::super::registry::image::noise(1 << 20, 3))
    }) else {
        return;
    };
    repository.commit();
    repository.git(&["rm", "-q", "old"]);
    repository.write("new", b"new");
    repository.git(&["add", "-A"]);
    let commit = repository.commit();
    let place = Place::new();
    let fetched = place
        .fetch(options(&repository.server), &repository.server, &commit)
        .unwrap();
    assert_eq!((fetched.files, fetched.objects), (1, 3));
    assert!(fetched.pack_bytes < 1000);
}
