//! Repositories that git made, served by git's own program, compared with what git checks out.

use super::{Place, options};
use gradus_fetch::git::{FetchError, tree_id};
use gradus_servers::git::Repository;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

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
    repository.write("large.bin", &gradus_servers::registry::noise(3 << 20, 9));
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
    std::fs::rename(repository.path(), repository.path().with_file_name("gone")).unwrap();
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
        r.write("old", &gradus_servers::registry::noise(1 << 20, 3))
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
