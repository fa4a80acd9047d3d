//! What happens between the look at a file and the end of reading it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use super::walk::walk;
use super::*;

struct Place {
    _dir: tempfile::TempDir,
    outputs: File,
    store: Store,
    out: std::path::PathBuf,
    root: std::path::PathBuf,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let outputs = dir.path().join("outputs");
    let out = outputs.join("model");
    fs::create_dir_all(&out).unwrap();
    let root = dir.path().join("store");
    let store = Store::open(&root).unwrap();
    Place {
        outputs: File::open(&outputs).unwrap(),
        store,
        out,
        root,
        _dir: dir,
    }
}

fn nothing_is_stored(place: &Place) {
    assert_eq!(fs::read_dir(place.root.join("objects")).unwrap().count(), 0);
    let sessions = fs::read_dir(place.root.join("tmp")).unwrap();
    let files = sessions.flat_map(|session| fs::read_dir(session.unwrap().path()).unwrap());
    assert_eq!(files.count(), 0);
}

#[test]
fn a_file_that_is_swapped_after_it_was_counted_is_refused() {
    let file = |path: &Path| fs::write(path, b"weights").unwrap();
    type Swap = (&'static str, fn(&Path));
    let swaps: [Swap; 7] = [
        ("grown", |path| {
            drop(
                OpenOptions::new()
                    .append(true)
                    .open(path)
                    .unwrap()
                    .write_all(b"x"),
            )
        }),
        ("cut", |path| fs::write(path, b"w").unwrap()),
        ("rewritten with its time set back", |path| {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.write_all_at(b"W", 0).unwrap();
            file.set_modified(modified).unwrap();
        }),
        ("another file of the same size", |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, b"heights").unwrap();
        }),
        ("a link to a secret", |path| {
            fs::remove_file(path).unwrap();
            symlink("/etc/shadow", path).unwrap();
        }),
        ("a fifo", |path| {
            fs::remove_file(path).unwrap();
            rustix::fs::mknodat(
                rustix::fs::CWD,
                path,
                rustix::fs::FileType::Fifo,
                0o600.into(),
                0,
            )
            .unwrap();
        }),
        ("a second name", |path| {
            fs::hard_link(path, path.with_extension("2")).unwrap()
        }),
    ];
    for (what, swap) in swaps {
        let place = place();
        file(&place.out.join("a-good-one"));
        let path = place.out.join("weights");
        file(&path);
        let walked = walk(place.outputs.as_fd(), &CollectLimits::default()).unwrap();
        std::thread::sleep(Duration::from_millis(10));
        swap(&path);
        let started = Instant::now();
        let error = take(place.outputs.as_fd(), walked, &place.store).expect_err(what);
        assert!(
            matches!(&error, CollectError::Changed { path, .. } if path == "model/weights"),
            "{what}: {error}"
        );
        assert_eq!(error.owner(), Owner::Host, "{what}");
        assert!(started.elapsed() < Duration::from_secs(5), "{what}");
        nothing_is_stored(&place);
    }
}

#[test]
fn a_directory_that_becomes_a_link_is_not_followed() {
    let place = place();
    let secret = place.root.with_file_name("secret");
    for directory in [&place.out.join("sub"), &secret] {
        fs::create_dir(directory).unwrap();
        fs::write(directory.join("key"), b"key").unwrap();
    }
    let walked = walk(place.outputs.as_fd(), &CollectLimits::default()).unwrap();
    fs::rename(place.out.join("sub"), place.root.with_file_name("moved")).unwrap();
    symlink(&secret, place.out.join("sub")).unwrap();
    let error = take(place.outputs.as_fd(), walked, &place.store).unwrap_err();
    assert!(matches!(error, CollectError::Changed { .. }), "{error}");
    nothing_is_stored(&place);
}

#[test]
fn a_write_while_a_file_is_read_is_noticed() {
    let place = place();
    let path = place.out.join("weights");
    let bytes = 64 << 20;
    fs::write(&path, vec![7; bytes]).unwrap();
    let writer = OpenOptions::new().write(true).open(&path).unwrap();
    let tmp = place.root.join("tmp");
    let is_being_read = || {
        let sessions = fs::read_dir(&tmp).unwrap();
        sessions
            .flat_map(|session| fs::read_dir(session.unwrap().path()).unwrap())
            .count()
            > 0
    };
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_being_read() {
                std::thread::yield_now();
            }
            // The last byte: what was read before is right, and what comes after it.
            writer.write_all_at(b"8", bytes as u64 - 1).unwrap();
        });
        collect(
            place.outputs.as_fd(),
            &CollectLimits::default(),
            &place.store,
        )
        .unwrap_err()
    });
    assert!(
        matches!(
            &error,
            CollectError::Changed {
                what: "somebody wrote to it",
                ..
            }
        ),
        "{error}"
    );
    nothing_is_stored(&place);
}
