//! A store: what it takes, what it finds, and what it loses when it is full.

use std::time::{Duration, SystemTime};

use gradus_image::layer::{Compression, Expected, ExportOptions, LayerCaps};
use gradus_image::layout::{ImageConfig, Platform, RootFs, put_built};
use gradus_image::store::{
    GcPolicy, ImageBlob, ImageLayer, ImageRecord, Pin, PutBlobError, Store, StoreError,
};
use gradus_image::{Digest, Owner};

use crate::tarball::Tarball;
use crate::tree::listing;

pub(crate) fn archive(n: u32) -> Vec<u8> {
    let mut tar = Tarball::new();
    for i in 0..40 {
        tar = tar.file(&format!("d{i}/f{n}"), &format!("{n} {i} ").repeat(300));
    }
    tar.end()
}

pub(crate) fn expected(archive: &[u8]) -> Expected {
    Expected {
        diff_id: Some(Digest::of(archive)),
        ..Expected::default()
    }
}

pub(crate) fn put(store: &Store, pin: &Pin, archive: &[u8]) -> Digest {
    store
        .put_layer(pin, archive, &expected(archive), &LayerCaps::default())
        .unwrap()
        .diff_id
}

pub(crate) fn built(store: &Store, pin: &Pin, diff_ids: &[Digest]) -> ImageRecord {
    let mut config = ImageConfig::new(Platform::linux_amd64());
    config.rootfs = RootFs::new(diff_ids.to_vec());
    let layer = |diff_id: &Digest| ImageLayer {
        diff_id: *diff_id,
        blob: None,
    };
    put_built(store, pin, &config, diff_ids.iter().map(layer).collect()).unwrap()
}

fn age(store: &Store, file: &str, days: u64) {
    let old = SystemTime::now() - Duration::from_secs(days * 86_400);
    let path = store.root().join(file);
    let open = std::fs::File::open(path).unwrap();
    open.set_modified(old).unwrap();
}

pub(crate) fn opened() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_unflushed(&dir.path().join("s")).unwrap();
    (dir, store)
}

const AGE: GcPolicy = GcPolicy {
    bytes_max: None,
    age_max: Some(Duration::from_secs(86_400)),
};

#[test]
fn a_layer_lands_once_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("s")).unwrap();
    let pin = store.pin().unwrap();
    let layer = put(&store, &pin, &archive(1));
    let first = listing(&store.layer_dir(&layer));
    assert_eq!(put(&store, &pin, &archive(1)), layer);
    assert_eq!(listing(&store.layer_dir(&layer)), first);
    assert_eq!(first.len(), 80);
    let record = store.layer(&layer).unwrap().unwrap();
    assert_eq!(record.entries, 80);
    assert_eq!(
        store
            .root()
            .metadata()
            .map(|m| std::os::unix::fs::MetadataExt::mode(&m) & 0o777)
            .unwrap(),
        0o700
    );
}

#[test]
fn a_refused_layer_leaves_the_store_as_it_was() {
    let (_dir, store) = opened();
    let pin = store.pin().unwrap();
    let bad = Tarball::new().file("a/b", "x").file("../x", "").end();
    let error = store
        .put_layer(&pin, &bad[..], &expected(&bad), &LayerCaps::default())
        .unwrap_err();
    assert_eq!(error.owner(), Owner::Submission);
    let good = archive(1);
    let lying = Expected {
        diff_id: Some(Digest::of(b"else")),
        ..Expected::default()
    };
    store
        .put_layer(&pin, &good[..], &lying, &LayerCaps::default())
        .unwrap_err();
    for dir in ["layers", "blobs/sha256", "images"] {
        assert_eq!(
            store.root().join(dir).read_dir().unwrap().count(),
            0,
            "{dir}"
        );
    }
    let tmp = store
        .root()
        .join("tmp")
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(tmp.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_blob_that_lies_is_not_taken() {
    let (_dir, store) = opened();
    let pin = store.pin().unwrap();
    let digest = Digest::of(b"right");
    for (bytes, size) in [
        (&b"wrong"[..], 5),
        (b"right", 4),
        (b"right", 6),
        (b"right and more", 5),
    ] {
        let error = store.put_blob(&pin, bytes, &digest, size).unwrap_err();
        assert!(matches!(
            error,
            PutBlobError::Digest { .. } | PutBlobError::Size { .. }
        ));
        assert_eq!(store.blob_bytes(&digest).unwrap(), None);
    }
    store.put_blob(&pin, &b"right"[..], &digest, 5).unwrap();
    assert_eq!(store.read_blob(&digest, 5).unwrap(), b"right");
    assert!(matches!(
        store.read_blob(&digest, 4),
        Err(StoreError::TooLarge { .. })
    ));
}

#[test]
fn a_layer_made_of_an_upper_directory_is_what_its_archive_would_have_made() {
    let (dir, store) = opened();
    let pin = store.pin().unwrap();
    let upper = dir.path().join("u");
    std::fs::create_dir_all(upper.join("a/b")).unwrap();
    std::fs::write(upper.join("a/f"), "x").unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        upper.join("a/gone"),
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::empty(),
        0,
    )
    .unwrap();
    let options = ExportOptions::new(1000);
    let one = store.put_upper(&pin, &upper, &options).unwrap();
    let two = store.put_upper(&pin, &upper, &options).unwrap();
    assert_eq!(one, two);
    let mut out = Vec::new();
    let exported = store.export_layer(&one, &mut out).unwrap();
    assert_eq!(exported.diff_id, one.diff_id);
    let tree = listing(&store.layer_dir(&one.diff_id));
    assert!(tree["a/gone"].starts_with("char 0 "), "{tree:?}");
    assert!(tree["a/f"].ends_with("@1000"));
}

#[test]
fn layer_dirs_are_uppermost_first_and_end_at_an_opaque_root() {
    let (_dir, store) = opened();
    let pin = store.pin().unwrap();
    let low = put(&store, &pin, &archive(1));
    let opaque = put(&store, &pin, &Tarball::new().file(".wh..wh..opq", "").end());
    let high = put(&store, &pin, &archive(2));
    let image = built(&store, &pin, &[low, high]);
    let dirs = store.layer_dirs(&image).unwrap();
    assert_eq!(dirs, [store.layer_dir(&high), store.layer_dir(&low)]);
    let image = built(&store, &pin, &[low, opaque, high]);
    let dirs = store.layer_dirs(&image).unwrap();
    assert_eq!(dirs, [store.layer_dir(&high), store.layer_dir(&opaque)]);
    // Many images have the same empty layer several times: the upper one says all that the lower one does.
    let image = built(&store, &pin, &[high, low, high]);
    let dirs = store.layer_dirs(&image).unwrap();
    assert_eq!(dirs, [store.layer_dir(&high), store.layer_dir(&low)]);
}

#[test]
fn names_lead_to_images_and_any_text_is_a_name() {
    let (_dir, store) = opened();
    let pin = store.pin().unwrap();
    let image = built(&store, &pin, &[put(&store, &pin, &archive(1))]);
    for name in ["a:b", "../../etc/passwd", "", "x/y@z", &"n".repeat(4000)] {
        store.tag(name, &image.config).unwrap();
        assert_eq!(store.resolve(name).unwrap().as_ref(), Some(&image));
    }
    assert_eq!(store.names().unwrap().len(), 5);
    store.untag("a:b").unwrap();
    assert_eq!(store.resolve("a:b").unwrap(), None);
    assert!(matches!(
        store.tag("a", &Digest::of(b"none")),
        Err(StoreError::Absent { .. })
    ));
}

#[test]
fn an_image_without_its_layer_is_not_published() {
    let (_dir, store) = opened();
    let pin = store.pin().unwrap();
    let config = Digest::of(b"{}");
    store.put_blob(&pin, &b"{}"[..], &config, 2).unwrap();
    let blob = ImageBlob {
        digest: config,
        bytes: 2,
        compression: Compression::None,
    };
    for blob in [None, Some(blob)] {
        let image = ImageRecord {
            config,
            manifest: None,
            layers: vec![ImageLayer {
                diff_id: Digest::of(b"none"),
                blob,
            }],
        };
        assert!(matches!(
            store.put_image(&pin, &image),
            Err(StoreError::Absent { what: "layer", .. })
        ));
    }
    assert_eq!(store.images().unwrap(), []);
}

#[test]
fn what_is_old_is_collected_and_what_is_pinned_or_leased_stays() {
    let (_dir, store) = opened();
    let pin = store.pin().unwrap();
    let layers: Vec<Digest> = (0..4).map(|n| put(&store, &pin, &archive(n))).collect();
    let images: Vec<ImageRecord> = (0..3)
        .map(|n| built(&store, &pin, &layers[n..=n]))
        .collect();
    store.tag("zero", &images[0].config).unwrap();
    let age_all = || {
        for image in store.images().unwrap() {
            age(&store, &format!("images/{}.json", image.config.hex()), 2);
        }
        for layer in &layers {
            if store.layer(layer).unwrap().is_some() {
                age(&store, &format!("layers/{}/layer.json", layer.hex()), 2);
            }
        }
    };
    age_all();
    let done = store.collect(&AGE).unwrap();
    assert_eq!((done.images.len(), done.layers.len()), (0, 0), "all pinned");

    store.lease("job", &images[1].config).unwrap();
    let used = store.pin().unwrap();
    store.pin_image(&used, &images[2].config).unwrap();
    drop(pin);
    age_all();
    let done = store.collect(&AGE).unwrap();
    assert_eq!(done.images, [images[0].config]);
    let mut gone = done.layers.clone();
    gone.sort();
    let mut expected = vec![layers[0], layers[3]];
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(done.blobs, [images[0].config]);
    assert_eq!(store.names().unwrap(), []);
    assert!(!store.layer_dir(&layers[0]).exists());
    assert!(store.layer_dir(&layers[1]).exists());

    drop(used);
    store.release("job").unwrap();
    assert!(matches!(
        store.release("job"),
        Err(StoreError::NoLease { .. })
    ));
    age_all();
    let done = store.collect(&AGE).unwrap();
    assert_eq!(
        (done.images.len(), done.layers.len(), done.bytes_left),
        (2, 2, 0)
    );
    for dir in ["layers", "blobs/sha256", "images", "pins"] {
        assert_eq!(
            store.root().join(dir).read_dir().unwrap().count(),
            0,
            "{dir}"
        );
    }
}

#[test]
fn a_full_store_loses_what_was_used_longest_ago() {
    let (_dir, store) = opened();
    let pin = store.pin().unwrap();
    let layers: Vec<Digest> = (0..3).map(|n| put(&store, &pin, &archive(n))).collect();
    let images: Vec<ImageRecord> = layers
        .iter()
        .map(|layer| built(&store, &pin, &[*layer]))
        .collect();
    drop(pin);
    let keep_all = GcPolicy::default();
    let whole = store.collect(&keep_all).unwrap().bytes_left;
    for (n, days) in [(0, 5), (1, 9), (2, 7)] {
        age(
            &store,
            &format!("images/{}.json", images[n].config.hex()),
            days,
        );
        age(
            &store,
            &format!("layers/{}/layer.json", layers[n].hex()),
            days,
        );
    }
    let policy = GcPolicy {
        bytes_max: Some(whole - 10_000),
        age_max: None,
    };
    let done = store.collect(&policy).unwrap();
    assert_eq!(
        (done.images, done.layers),
        (vec![images[1].config], vec![layers[1]])
    );
    assert!(done.bytes_left < whole);
    let policy = GcPolicy {
        bytes_max: Some(0),
        age_max: None,
    };
    let pin = store.pin().unwrap();
    store.pin_image(&pin, &images[2].config).unwrap();
    let done = store.collect(&policy).unwrap();
    assert_eq!(done.images, [images[0].config]);
    assert!(done.bytes_left > 0, "the pinned one stays");
}

#[test]
fn directories_that_are_no_store_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let private = || std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(dir.path(), private()).unwrap();
    std::fs::write(dir.path().join("thesis"), "x").unwrap();
    assert!(matches!(
        Store::open(dir.path()),
        Err(StoreError::Foreign { .. })
    ));
    assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    let other = dir.path().join("open");
    std::fs::create_dir(&other).unwrap();
    std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(matches!(
        Store::open(&other),
        Err(StoreError::NotPrivate { mode: 0o755, .. })
    ));
    let (_dir, store) = opened();
    std::fs::write(store.root().join("version"), "9\n").unwrap();
    assert!(matches!(
        Store::open(store.root()),
        Err(StoreError::Version { .. })
    ));
}

/// Mounted for one test, in memory.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(at: std::path::PathBuf) -> Option<Small> {
        std::fs::create_dir(&at).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=256k", "small"])
            .arg(&at);
        if !mount.status().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: a small disk is mounted as root");
            return None;
        }
        Some(Small(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mut unmount = std::process::Command::new("umount");
        let _ = unmount.arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_the_hosts_fault_and_leaves_the_store_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(dir.path().join("small")) else {
        return;
    };
    let store = Store::open(&small.0.join("s")).unwrap();
    let pin = store.pin().unwrap();
    // Room for one, with the blocks that each of its small files takes.
    let first = put(&store, &pin, &archive(1));
    let image = built(&store, &pin, &[first]);
    store.tag("kept:latest", &image.config).unwrap();
    for n in 2..5 {
        let second = archive(n);
        let error = store
            .put_layer(&pin, &second[..], &expected(&second), &LayerCaps::default())
            .unwrap_err();
        assert_eq!(error.owner(), Owner::Host, "{error}");
        assert_eq!(store.root().join("layers").read_dir().unwrap().count(), 1);
        for own in store.root().join("tmp").read_dir().unwrap() {
            assert_eq!(own.unwrap().path().read_dir().unwrap().count(), 0);
        }
    }
    // Filled to the last byte, it still finds and loses what it has.
    let filler = std::iter::repeat_n(0_u8, 2 << 20).collect::<Vec<u8>>();
    let _ = std::fs::write(small.0.join("filler"), filler);
    assert_eq!(
        store.resolve("kept:latest").unwrap().unwrap().config,
        image.config
    );
    drop(pin);
    let collected = store
        .collect(&GcPolicy {
            bytes_max: Some(0),
            age_max: None,
        })
        .unwrap();
    assert_eq!(collected.layers.len(), 1, "{collected:?}");
    std::fs::remove_file(small.0.join("filler")).unwrap();
    let pin = store.pin().unwrap();
    put(&store, &pin, &archive(9));
}
