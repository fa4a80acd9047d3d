//! Outputs of hostile jobs: made here as files, and made by jobs in the sandbox.

mod busybox;
#[path = "outputs/figure.rs"]
mod figure;
#[path = "outputs/jobs.rs"]
mod jobs;

use std::fs::{self, File, Permissions};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus_sandbox::outputs::{CollectError, CollectLimits, Collected, Links, Owner, collect};
use gradus_sandbox::store::Store;
use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Outputs with one output, `model`, in which there is one good file.
struct Place {
    dir: tempfile::TempDir,
    out: PathBuf,
    store: Store,
}

impl Place {
    fn new() -> Place {
        Place::within(tempfile::tempdir().unwrap())
    }

    fn within(dir: tempfile::TempDir) -> Place {
        let out = dir.path().join("outputs/model");
        fs::create_dir_all(&out).unwrap();
        fs::write(out.join("a-good-one"), b"hello").unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        Place { dir, out, store }
    }

    fn collect(&self, limits: &CollectLimits) -> Result<Collected, CollectError> {
        let outputs = File::open(self.dir.path().join("outputs")).unwrap();
        collect(outputs.as_fd(), limits, &self.store)
    }

    /// Collects what has to be refused for the submission's fault, at once and with nothing stored.
    fn refused(&self, limits: &CollectLimits) -> CollectError {
        let started = Instant::now();
        let error = self.collect(limits).expect_err("it is refused");
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(error.owner(), Owner::Submission, "{error}");
        assert_nothing_is_stored(&self.dir.path().join("store"));
        error
    }
}

fn assert_nothing_is_stored(store: &Path) {
    assert_eq!(fs::read_dir(store.join("objects")).unwrap().count(), 0);
    let mut files = fs::read_dir(store.join("tmp"))
        .unwrap()
        .map(|session| session.unwrap().path());
    assert!(files.all(|session| fs::read_dir(session).unwrap().count() == 0));
}

fn is_root() -> bool {
    let is = rustix::process::geteuid().is_root();
    if !is {
        eprintln!("SKIPPED: only root can make what this test needs");
    }
    is
}

#[test]
fn a_symlink_is_refused_wherever_it_leads() {
    for (name, target) in [
        ("shadow", "/etc/shadow"),
        ("up", "../../../secret"),
        ("sibling", "a-good-one"),
        ("magic", "/proc/self/root"),
        ("dangling", "nothing"),
        ("loop", "loop"),
        ("directory", "."),
    ] {
        let place = Place::new();
        symlink(target, place.out.join(name)).unwrap();
        let error = place.refused(&CollectLimits::default());
        assert!(
            matches!(&error, CollectError::Kind { path, found: "symbolic link" } if *path == format!("model/{name}")),
            "{error}"
        );
    }
}

#[test]
fn symlinks_are_left_out_and_listed_where_the_policy_says_so() {
    let place = Place::new();
    symlink("/etc/shadow", place.out.join("shadow")).unwrap();
    symlink("/etc", place.out.join("etc")).unwrap();
    let limits = CollectLimits {
        links: Links::Skip,
        ..CollectLimits::default()
    };
    let collected = place.collect(&limits).unwrap();
    let tree = &collected.outputs()["model"];
    assert_eq!(tree.skipped, ["etc", "shadow"]);
    assert_eq!(tree.files.len(), 1);
}

#[test]
fn an_output_that_is_itself_a_link_or_a_file_is_refused() {
    let place = Place::new();
    fs::write(place.dir.path().join("outputs/file"), b"x").unwrap();
    let error = place.refused(&CollectLimits::default());
    assert!(
        matches!(&error, CollectError::Kind { path, .. } if path == "file"),
        "{error}"
    );
    fs::remove_file(place.dir.path().join("outputs/file")).unwrap();
    symlink("/etc", place.dir.path().join("outputs/link")).unwrap();
    let limits = CollectLimits {
        links: Links::Skip,
        ..CollectLimits::default()
    };
    let error = place.refused(&limits);
    assert!(
        matches!(&error, CollectError::Kind { path, .. } if path == "link"),
        "{error}"
    );
}

#[test]
fn fifos_sockets_and_devices_are_refused_without_being_opened() {
    if !is_root() {
        return;
    }
    let node = |kind, device| {
        move |path: &Path| mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), device).unwrap()
    };
    let null = rustix::fs::makedev(1, 3);
    type Maker = (&'static str, Box<dyn Fn(&Path)>);
    let makers: [Maker; 4] = [
        ("fifo", Box::new(node(FileType::Fifo, 0))),
        (
            "socket",
            Box::new(|path| drop(UnixListener::bind(path).unwrap())),
        ),
        (
            "character device",
            Box::new(node(FileType::CharacterDevice, null)),
        ),
        (
            "block device",
            Box::new(node(FileType::BlockDevice, rustix::fs::makedev(7, 0))),
        ),
    ];
    for (what, make) in makers {
        let place = Place::new();
        make(&place.out.join("it"));
        let error = place.refused(&CollectLimits::default());
        assert!(
            matches!(&error, CollectError::Kind { path, found } if path == "model/it" && *found == what),
            "{error}"
        );
    }
}

#[test]
fn a_hard_link_is_refused_also_to_a_file_of_somebody_else() {
    let place = Place::new();
    let secret = place.dir.path().join("secret");
    fs::write(&secret, b"key").unwrap();
    fs::hard_link(&secret, place.out.join("weights")).unwrap();
    let error = place.refused(&CollectLimits::default());
    assert!(
        matches!(&error, CollectError::HardLink { path, links: 2 } if path == "model/weights"),
        "{error}"
    );
}

#[test]
fn sizes_are_refused_by_what_they_seem_before_a_byte_is_read() {
    let limits = CollectLimits {
        bytes: 3 << 30,
        file_bytes: 2 << 30,
        ..CollectLimits::default()
    };
    let sparse = |path: PathBuf, bytes| File::create(path).unwrap().set_len(bytes).unwrap();
    let place = Place::new();
    sparse(place.out.join("weights"), 8 << 40);
    let error = place.refused(&limits);
    let expected = (8 << 40, 2 << 30);
    assert!(
        matches!(error, CollectError::FileBytes { bytes, limit, .. } if (bytes, limit) == expected)
    );
    fs::remove_file(place.out.join("weights")).unwrap();
    for name in ["one", "two"] {
        sparse(place.out.join(name), 2 << 30);
    }
    let error = place.refused(&limits);
    assert!(
        matches!(&error, CollectError::Bytes { path, .. } if path == "model/two"),
        "{error}"
    );
}

#[test]
fn a_hole_within_the_limit_stays_a_hole() {
    let place = Place::new();
    let file = File::create(place.out.join("weights")).unwrap();
    file.set_len(256 << 20).unwrap();
    file.write_all_at(b"end", (256 << 20) - 3).unwrap();
    let collected = place.collect(&CollectLimits::default()).unwrap();
    let entry = collected.outputs()["model"].get("weights").unwrap().clone();
    // head -c 268435453 /dev/zero | cat - <(printf end) | sha256sum
    assert_eq!(
        entry.sha256.to_string(),
        "616b7da9750b6901d2d13894731126c807386f52abe93373a76034e484499c97"
    );
    let object = place.store.open_object(&entry.sha256, 256 << 20).unwrap();
    assert!(object.metadata().unwrap().blocks() * 512 < 1 << 20);
}

#[test]
fn names_that_cannot_be_shown_are_refused_and_shown_escaped() {
    for (name, shown) in [
        (&b"a\xff"[..], r"model/a\xff"),
        (b"two\nlines", r"model/two\nlines"),
        (b"\x1b[2J", r"model/\x1b[2J"),
        ("\u{202e}fdp.exe".as_bytes(), r"model/\u{202e}fdp.exe"),
    ] {
        let place = Place::new();
        fs::write(place.out.join(std::ffi::OsStr::from_bytes(name)), b"x").unwrap();
        let error = place.refused(&CollectLimits::default());
        assert!(
            matches!(&error, CollectError::Name { path, .. } if path == shown),
            "{error}"
        );
        assert!(!error.to_string().contains('\x1b'));
    }
    let place = Place::new();
    fs::write(place.out.join("x".repeat(101)), b"x").unwrap();
    let limits = CollectLimits {
        name_bytes: 100,
        ..CollectLimits::default()
    };
    assert!(matches!(
        place.refused(&limits),
        CollectError::NameBytes {
            bytes: 101,
            limit: 100,
            ..
        }
    ));
}

#[test]
fn deep_trees_are_refused_by_depth_or_by_the_length_of_a_path() {
    // Step by step: no path is long enough for the system, but the tree is.
    let nest = |place: &Place, name: &str, times: usize| {
        let mut at = File::open(&place.out).unwrap();
        for _ in 0..times {
            mkdirat(&at, name, Mode::RWXU).unwrap();
            at = openat(&at, name, OFlags::DIRECTORY, Mode::empty())
                .unwrap()
                .into();
        }
    };
    let place = Place::new();
    nest(&place, "d", 40);
    let error = place.refused(&CollectLimits::default());
    assert!(
        matches!(error, CollectError::Depth { limit: 32, .. }),
        "{error}"
    );
    let place = Place::new();
    nest(&place, &"d".repeat(200), 30);
    let error = place.refused(&CollectLimits::default());
    assert!(
        matches!(&error, CollectError::PathBytes { path, bytes: 4226, .. } if path.len() < 300),
        "{error}"
    );
    let place = Place::new();
    let exactly = place.out.join("d/".repeat(31));
    fs::create_dir_all(&exactly).unwrap();
    fs::write(exactly.join("f"), b"hello").unwrap();
    let collected = place.collect(&CollectLimits::default()).unwrap();
    let files = &collected.outputs()["model"].files;
    assert_eq!(files[1].path, format!("{}f", "d/".repeat(31)));
}

fn refuse_many(count: u32) {
    let place = Place::within(tempfile::tempdir_in("/dev/shm").unwrap());
    for number in 0..count {
        File::create(place.out.join(number.to_string())).unwrap();
    }
    let started = Instant::now();
    let error = place.refused(&CollectLimits::default());
    eprintln!("{count} files: refused after {:?}", started.elapsed());
    assert!(
        matches!(error, CollectError::Files { limit: 100_000, .. }),
        "{error}"
    );
}

#[test]
fn too_many_files_are_refused_within_a_second() {
    refuse_many(120_000);
}

#[test]
#[ignore = "makes a million files, which takes memory and time"]
fn a_million_files_are_refused_within_a_second() {
    refuse_many(1_000_000);
}

#[test]
fn directories_count_as_files_do() {
    let place = Place::new();
    fs::create_dir_all(place.out.join("a/b/c")).unwrap();
    let limits = CollectLimits {
        files: 5,
        ..CollectLimits::default()
    };
    assert!(
        place.collect(&limits).is_ok(),
        "the output, a file, and three directories"
    );
    let fresh = Place::new();
    fs::create_dir_all(fresh.out.join("a/b/c/d")).unwrap();
    let error = fresh.refused(&limits);
    assert!(
        matches!(&error, CollectError::Files { path, .. } if path == "model/a/b/c"),
        "{error}"
    );
}

#[test]
fn good_outputs_come_back_with_their_digests_and_nothing_else() {
    let place = Place::new();
    fs::create_dir_all(place.out.join("sub/empty")).unwrap();
    fs::write(place.out.join("sub/weights"), b"hello").unwrap();
    fs::write(place.out.join("sub.json"), b"{}").unwrap();
    fs::set_permissions(
        place.out.join("sub/weights"),
        Permissions::from_mode(0o6755),
    )
    .unwrap();
    fs::create_dir(place.dir.path().join("outputs/logs")).unwrap();
    let collected = place.collect(&CollectLimits::default()).unwrap();
    let tree = &collected.outputs()["model"];
    let paths: Vec<&str> = tree.files.iter().map(|file| &*file.path).collect();
    assert_eq!(paths, ["a-good-one", "sub.json", "sub/weights"]);
    assert_eq!(tree.get("sub/weights").unwrap().sha256.to_string(), HELLO);
    assert_eq!(tree.bytes(), 12);
    assert!(collected.outputs()["logs"].files.is_empty());
    let object = place.store.open_object(&tree.files[0].sha256, 5).unwrap();
    assert_eq!(object.metadata().unwrap().mode() & 0o7777, 0o444);
    let digest = tree.digest();
    let manifest = collected.keep(&place.store, "job-1").unwrap();
    assert_eq!(place.store.kept("job-1").unwrap(), Some(manifest.clone()));
    assert_eq!(manifest.outputs["model"].digest(), digest);
    assert_eq!(place.store.gc().unwrap().objects, 0);
}
