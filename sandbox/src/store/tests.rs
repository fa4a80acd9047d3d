//! What the store promises, also when processes die in it.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::private::PrivateError;

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

/// Takes `contents` in as a tree of the output `out`.
fn put(store: &Store, contents: &[(&str, &[u8])]) -> (Manifest, Lease) {
    let mut batch = store.batch().unwrap();
    let mut files = Vec::new();
    for (path, content) in contents {
        let bytes = content.len() as u64;
        let sha256 = batch.add(&file(content), bytes).unwrap();
        files.push(Entry {
            path: (*path).to_owned(),
            bytes,
            sha256,
        });
    }
    let tree = Tree {
        files,
        skipped: Vec::new(),
    };
    let outputs = BTreeMap::from([("out".to_owned(), tree)]);
    (
        Manifest {
            version: MANIFEST_VERSION,
            outputs,
        },
        batch.publish().unwrap(),
    )
}

fn count(path: &Path) -> usize {
    fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .fold(0, |sum, entry| {
            sum + if entry.file_type().unwrap().is_dir() {
                count(&entry.path())
            } else {
                1
            }
        })
}

#[test]
fn a_digest_has_one_spelling() {
    let digest: Digest = HELLO.parse().unwrap();
    assert_eq!(digest.to_string(), HELLO);
    assert_eq!(
        serde_json::to_string(&digest).unwrap(),
        format!("{HELLO:?}")
    );
    let upper = HELLO.to_uppercase();
    for wrong in [
        "",
        &HELLO[1..],
        &format!("{HELLO}0"),
        &upper,
        &"é".repeat(32),
        "../../../etc/passwd",
    ] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
}

#[test]
fn equal_content_is_there_once_and_read_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let (manifest, _lease) = put(&store, &[("a", b"hello"), ("b", b"hello"), ("c", b"")]);
    put(&store, &[("a", b"hello")]);
    let digest = manifest.outputs["out"].files[0].sha256;
    assert_eq!(digest.to_string(), HELLO);
    assert_eq!(count(&dir.path().join("store/objects")), 2);
    assert_eq!(count(&dir.path().join("store/tmp")), 0);
    let meta = store.open_object(&digest, 5).unwrap().metadata().unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o444);
    assert_eq!(store.verify(&digest).unwrap(), 5);
}

#[test]
fn changed_content_is_named_and_replaced_when_it_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let (manifest, _lease) = put(&store, &[("a", b"hello")]);
    let tree = &manifest.outputs["out"];
    let path = store.object_path(&tree.files[0].sha256);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, b"jello").unwrap();
    assert!(matches!(
        store.verify(&tree.files[0].sha256),
        Err(StoreError::Corrupt { .. })
    ));
    let made = dir.path().join("made");
    assert!(matches!(
        store.materialise(tree, &made),
        Err(StoreError::Corrupt { .. })
    ));
    assert!(!made.exists(), "nothing is left of what went wrong");
    fs::write(&path, b"cut").unwrap();
    assert!(matches!(
        store.open_object(&tree.files[0].sha256, 5),
        Err(StoreError::Size {
            expected: 5,
            found: 3,
            ..
        })
    ));
    put(&store, &[("a", b"hello")]);
    assert_eq!(store.verify(&tree.files[0].sha256).unwrap(), 5);
}

#[test]
fn what_is_laid_out_cannot_change_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let (manifest, _lease) = put(&store, &[("a", b"hello"), ("d/e/f", b"deep")]);
    let tree = &manifest.outputs["out"];
    let made = dir.path().join("made");
    store.materialise(tree, &made).unwrap();
    assert_eq!(fs::read(made.join("d/e/f")).unwrap(), b"deep");
    let path = made.join("a");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o444);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, b"jello").unwrap();
    assert_eq!(store.verify(&tree.files[0].sha256).unwrap(), 5);
}

#[test]
fn a_tree_that_leads_out_is_not_laid_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let (manifest, _lease) = put(&store, &[("a", b"hello")]);
    let entry = &manifest.outputs["out"].files[0];
    for path in ["../x", "/x", "a/../../x", "a//x", "./x", "", "a/", "a\0"] {
        let files = vec![Entry {
            path: path.to_owned(),
            ..entry.clone()
        }];
        let tree = Tree {
            files,
            skipped: Vec::new(),
        };
        let made = store.materialise(&tree, &dir.path().join("made"));
        assert!(
            matches!(made, Err(StoreError::Path { .. })),
            "{path:?}: {made:?}"
        );
    }
    let twice = Tree {
        files: vec![entry.clone(), entry.clone()],
        skipped: Vec::new(),
    };
    let made = store.materialise(&twice, &dir.path().join("made"));
    assert!(matches!(made, Err(StoreError::Path { .. })));
}

#[test]
fn a_trees_digest_tells_paths_from_contents() {
    let entry = |path: &str, content: u8| Entry {
        path: path.to_owned(),
        bytes: 1,
        sha256: Digest::new([content; 32]),
    };
    let digest = |files: Vec<Entry>| {
        Tree {
            files,
            skipped: Vec::new(),
        }
        .digest()
    };
    let all = [
        digest(vec![]),
        digest(vec![entry("a", 1)]),
        digest(vec![entry("a", 2)]),
        digest(vec![entry("b", 1)]),
        digest(vec![entry("a", 1), entry("b", 1)]),
        digest(vec![entry("ab", 1)]),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn holes_stay_holes_and_hash_as_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let holed = tempfile::tempfile().unwrap();
    let bytes = 5 * (1 << 20) + 37;
    holed.set_len(bytes).unwrap();
    holed.write_all_at(b"data", (1 << 20) + 1003).unwrap();
    let mut plain = vec![0; bytes as usize];
    plain[(1 << 20) + 1003..][..4].copy_from_slice(b"data");
    let mut batch = store.batch().unwrap();
    let sha256 = batch.add(&holed, bytes).unwrap();
    assert_eq!(batch.add(&file(&plain), bytes).unwrap(), sha256);
    let _lease = batch.publish().unwrap();
    let files = vec![Entry {
        path: "holed".to_owned(),
        bytes,
        sha256,
    }];
    store
        .materialise(
            &Tree {
                files,
                skipped: Vec::new(),
            },
            &dir.path().join("made"),
        )
        .unwrap();
    for path in [store.object_path(&sha256), dir.path().join("made/holed")] {
        assert!(
            fs::metadata(&path).unwrap().blocks() * 512 < 1 << 20,
            "{path:?}"
        );
        assert!(fs::read(&path).unwrap() == plain);
    }
}

#[test]
fn garbage_is_what_no_manifest_names_and_nobody_takes_in() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let (ours, theirs) = (Store::open(&root).unwrap(), Store::open(&root).unwrap());
    let (one, lease) = put(&ours, &[("a", b"hello"), ("b", b"other")]);
    ours.keep("one", &one, &lease).unwrap();
    assert!(matches!(
        ours.keep("one", &one, &lease),
        Err(StoreError::Exists(_))
    ));
    assert!(matches!(
        ours.keep("../one", &one, &lease),
        Err(StoreError::Name(_))
    ));
    let (_, second) = put(&ours, &[("a", b"hello"), ("c", b"third")]);
    assert!(matches!(theirs.gc(), Err(StoreError::Busy { .. })));
    drop((lease, second));
    assert_eq!(
        theirs.gc().unwrap(),
        Freed {
            objects: 1,
            bytes: 5
        }
    );
    assert_eq!(theirs.kept("one").unwrap(), Some(one.clone()));
    assert!(
        one.outputs["out"]
            .files
            .iter()
            .all(|file| theirs.has(&file.sha256))
    );
    fs::write(root.join("roots/two.json"), b"{").unwrap();
    assert!(theirs.forget("one").unwrap());
    assert!(
        matches!(theirs.gc(), Err(StoreError::Manifest { .. })),
        "nobody knows what it keeps"
    );
    assert!(theirs.forget("two").unwrap());
    assert_eq!(theirs.gc().unwrap().objects, 2);
    assert_eq!(count(&root.join("objects")), 0);
}

#[test]
fn a_store_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(
        Store::open(dir.path()),
        Err(StoreError::Private(PrivateError::Foreign {
            mode: 0o750,
            ..
        }))
    ));
}

#[test]
fn opening_removes_what_the_dead_left_and_nothing_of_the_living() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let living = Store::open(&root).unwrap();
    let mut batch = living.batch().unwrap();
    let digest = batch.add(&file(b"hello"), 5).unwrap();
    fs::create_dir(root.join("tmp/0-0")).unwrap();
    fs::write(root.join("tmp/0-0/7"), b"left").unwrap();
    let other = Store::open(&root).unwrap();
    assert!(!root.join("tmp/0-0").exists());
    let _lease = batch.publish().unwrap();
    assert_eq!(other.verify(&digest).unwrap(), 5);
}

const CHILD: &str = "GRADUS_TEST_STORE";

/// Not a test: what the next one kills. It takes files in and keeps them, over and over.
#[test]
fn child_that_takes_in() {
    let Some(root) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Store::open(Path::new(&root)).unwrap();
    println!("open");
    for round in 0_u32.. {
        let content: Vec<u8> = round.to_le_bytes().repeat(50_000);
        let (manifest, lease) = put(&store, &[("a", &content), ("b", &round.to_le_bytes())]);
        store
            .keep(&format!("round-{round}"), &manifest, &lease)
            .unwrap();
        println!("kept");
    }
}

#[test]
fn a_process_killed_at_any_point_leaves_whole_objects_and_no_garbage() {
    use std::io::{BufRead, BufReader};
    let mut kept_rounds = 0;
    for delay in [0, 1, 2, 5, 11, 17, 23, 31, 47, 80] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::child_that_takes_in",
                "--nocapture",
            ])
            .env(CHILD, &root)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        while said.next().unwrap().unwrap() != "open" {}
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(&root).unwrap();
        assert_eq!(count(&root.join("tmp")), 0, "killed after {delay} ms");
        for folder in fs::read_dir(root.join("objects")).unwrap() {
            let folder = folder.unwrap();
            for object in fs::read_dir(folder.path()).unwrap() {
                let name = format!(
                    "{}{}",
                    folder.file_name().display(),
                    object.unwrap().file_name().display()
                );
                store.verify(&name.parse().unwrap()).unwrap();
            }
        }
        let names = store.names().unwrap();
        for name in &names {
            let tree = store
                .kept(name)
                .unwrap()
                .unwrap()
                .outputs
                .remove("out")
                .unwrap();
            assert!(
                tree.files
                    .iter()
                    .all(|file| store.verify(&file.sha256).unwrap() == file.bytes)
            );
        }
        kept_rounds += names.len();
        store.gc().unwrap();
        assert_eq!(count(&root.join("objects")), 2 * names.len());
    }
    assert!(
        kept_rounds > 0,
        "all were killed before they had kept anything"
    );
}
