//! The same images as umoci, skopeo and the kernel's overlay have them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use gradus_image::Digest;
use gradus_image::layer::{Compression, ExportOptions};
use gradus_image::layout::{
    ExportImageOptions, ImageConfig, ImportOptions, Platform, RootFs, Source, export, import,
    put_built,
};
use gradus_image::store::{ImageLayer, ImageRecord, Store};

use crate::tree::{listing, merged, timeless};

/// Whether these programs are there, and the test may be root.
fn has(programs: &[&str]) -> bool {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: owners are kept by root alone");
        return false;
    }
    for program in programs {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
            .is_ok_and(|out| out.status.success());
        if !found {
            eprintln!("SKIPPED: {program} is not installed");
            return false;
        }
    }
    true
}

fn run(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_unflushed(&dir.path().join("store")).unwrap();
        Bench { dir, store }
    }

    fn import(&self, layout: &Path) -> ImageRecord {
        let pin = self.store.pin().unwrap();
        let source = Source::open(layout).unwrap();
        let options = ImportOptions::default();
        import(&source, &self.store, &pin, &options).unwrap().image
    }

    /// What the image's layers show together.
    fn seen(&self, image: &ImageRecord) -> BTreeMap<String, String> {
        let mut dirs = self.store.layer_dirs(image).unwrap();
        dirs.reverse();
        let layers: Vec<_> = dirs.iter().map(|dir| timeless(&listing(dir))).collect();
        merged(&layers)
    }

    fn umoci_unpack(&self, layout: &Path, tag: &str) -> PathBuf {
        let bundle = self.dir.path().join("bundle");
        let image = format!("{}:{tag}", layout.display());
        run(Command::new("umoci")
            .args(["unpack", "--image", &image])
            .arg(&bundle));
        bundle.join("rootfs")
    }
}

/// The stored listing has a line of `path|type|mode|owner|target|sha256` each.
fn stored() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(golden().join("tiny.txt")).unwrap();
    text.lines()
        .map(|line| {
            let parts: Vec<&str> = line.split('|').collect();
            let what = match parts[1] {
                "d" => "dir".to_owned(),
                "p" => "fifo".to_owned(),
                "l" => format!("link {}", parts[4]),
                _ => format!("file sha256:{}", parts[5]),
            };
            let linked = if parts[0] == "bin/sudo" {
                " is bin/su"
            } else {
                ""
            };
            let line = format!("{what} {} {}{linked}", parts[2], parts[3]);
            (parts[0].to_owned(), line)
        })
        .collect()
}

#[test]
fn the_golden_layout_shows_what_umoci_unpacked_from_it() {
    if !has(&[]) {
        return;
    }
    let bench = Bench::new();
    let image = bench.import(&golden().join("tiny"));
    assert_eq!(image.layers.len(), 2);
    assert_eq!(
        bench.seen(&image),
        stored(),
        "tests/golden/make.sh makes both anew"
    );
}

#[test]
fn umoci_unpacks_the_golden_layout_to_the_same_tree_today() {
    if !has(&["umoci"]) {
        return;
    }
    let bench = Bench::new();
    let image = bench.import(&golden().join("tiny"));
    let rootfs = bench.umoci_unpack(&golden().join("tiny"), "golden");
    assert_eq!(bench.seen(&image), timeless(&listing(&rootfs)));
}

#[test]
fn the_kernels_overlay_shows_what_umoci_unpacks() {
    if !has(&["umoci", "unshare", "mount", "find"]) {
        return;
    }
    let bench = Bench::new();
    let image = bench.import(&golden().join("tiny"));
    let rootfs = bench.umoci_unpack(&golden().join("tiny"), "golden");
    let lower: Vec<String> = bench
        .store
        .layer_dirs(&image)
        .unwrap()
        .iter()
        .map(|dir| dir.display().to_string())
        .collect();
    let at = bench.dir.path().join("mnt");
    std::fs::create_dir(&at).unwrap();
    let find = "find . -mindepth 1 -printf '%P %y %m %U:%G %l\\n' | LC_ALL=C sort";
    let script = format!(
        "mount -t overlay overlay -o ro,userxattr,lowerdir={} {} || exit 77; cd {}; {find}",
        lower.join(":"),
        at.display(),
        at.display()
    );
    let out = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .output()
        .unwrap();
    if !out.status.success() {
        let why = String::from_utf8_lossy(&out.stderr);
        eprintln!("SKIPPED: overlay cannot be mounted here: {why}");
        return;
    }
    let theirs = run(Command::new("sh").args(["-c", find]).current_dir(rootfs));
    assert_eq!(String::from_utf8(out.stdout).unwrap(), theirs);
}

/// An image of two layers made here, the second one with whiteouts and an opaque directory.
fn built(bench: &Bench) -> ImageRecord {
    let upper = bench.dir.path().join("upper");
    let pin = bench.store.pin().unwrap();
    let options = ExportOptions::new(1_500_000_000);
    std::fs::create_dir_all(upper.join("etc/old")).unwrap();
    std::fs::create_dir_all(upper.join("var/lib")).unwrap();
    std::fs::write(upper.join("etc/old/a"), "a").unwrap();
    std::fs::write(upper.join("var/lib/gone"), "b").unwrap();
    std::fs::write(upper.join("var/lib/kept"), "c").unwrap();
    std::fs::hard_link(upper.join("var/lib/kept"), upper.join("var/two")).unwrap();
    std::os::unix::fs::symlink("lib/kept", upper.join("var/link")).unwrap();
    let one = bench.store.put_upper(&pin, &upper, &options).unwrap();
    std::fs::remove_dir_all(&upper).unwrap();
    std::fs::create_dir_all(upper.join("etc/old")).unwrap();
    std::fs::create_dir_all(upper.join("var/lib")).unwrap();
    std::fs::write(upper.join("etc/old/b"), "b").unwrap();
    std::os::unix::fs::chown(upper.join("etc/old/b"), Some(1000), Some(3_000_000)).unwrap();
    rustix::fs::setxattr(
        upper.join("etc/old"),
        "user.overlay.opaque",
        b"y",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        upper.join("var/lib/gone"),
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::empty(),
        0,
    )
    .unwrap();
    let two = bench.store.put_upper(&pin, &upper, &options).unwrap();
    std::fs::remove_dir_all(&upper).unwrap();
    let mut config = ImageConfig::new(Platform::linux_amd64());
    config.config.env = vec!["A=b".to_owned()];
    config.config.entrypoint = Some(vec!["/bin/sh".to_owned()]);
    config.rootfs = RootFs::new(vec![one.diff_id, two.diff_id]);
    let layers = [one, two].map(|layer| ImageLayer {
        diff_id: layer.diff_id,
        blob: None,
    });
    put_built(&bench.store, &pin, &config, layers.into()).unwrap()
}

#[test]
fn what_is_written_out_has_the_same_digest_each_time() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let options = ExportImageOptions {
            reference: Some("x".to_owned()),
            compression,
        };
        let digests = [0, 1].map(|_| {
            let bench = Bench::new();
            let image = built(&bench);
            let out = bench.dir.path().join("out");
            let digest = export(&bench.store, &image, &out, &options).unwrap();
            let again = Bench::new();
            let back = again.import(&out);
            assert_eq!(back.config, image.config);
            assert_eq!(again.seen(&back), bench.seen(&image));
            digest
        });
        assert_eq!(digests[0], digests[1]);
    }
}

#[test]
fn skopeo_and_umoci_read_what_is_written_out() {
    if !has(&["umoci", "skopeo"]) {
        return;
    }
    let bench = Bench::new();
    let image = built(&bench);
    let out = bench.dir.path().join("out");
    let options = ExportImageOptions {
        reference: Some("x".to_owned()),
        ..ExportImageOptions::default()
    };
    let digest = export(&bench.store, &image, &out, &options).unwrap();
    let rootfs = bench.umoci_unpack(&out, "x");
    let theirs = timeless(&listing(&rootfs));
    assert_eq!(bench.seen(&image), theirs);
    assert!(!theirs.contains_key("etc/old/a") && !theirs.contains_key("var/lib/gone"));
    let target = format!("oci:{}:x", out.display());
    let json = run(Command::new("skopeo").args(["inspect", &target]));
    let seen: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(seen["Digest"], digest.to_string());
    assert_eq!(seen["Env"][0], "A=b");
    assert_eq!(seen["Layers"].as_array().unwrap().len(), 2);
    // skopeo verifies every blob that it copies.
    let copy = format!("oci:{}:y", bench.dir.path().join("copy").display());
    run(Command::new("skopeo").args(["copy", "--insecure-policy", &target, &copy]));
    let _: Digest = seen["Layers"][0].as_str().unwrap().parse().unwrap();
}

/// `LAYER=file.tar cargo test --release -p gradus-image --test suite -- --ignored --nocapture speed`
#[test]
#[ignore = "a measurement: needs a layer in LAYER"]
fn speed_against_tar() {
    let layer = std::env::var("LAYER").expect("LAYER is the path of an archive");
    let bytes = std::fs::metadata(&layer).unwrap().len();
    let dir = tempfile::tempdir().unwrap();
    let mb_per_s = |begun: std::time::Instant| bytes as f64 / 1e6 / begun.elapsed().as_secs_f64();
    for round in 0..3 {
        let theirs = dir.path().join(format!("theirs{round}"));
        std::fs::create_dir(&theirs).unwrap();
        let begun = std::time::Instant::now();
        run(Command::new("tar")
            .args(["--numeric-owner", "-xf", &layer, "-C"])
            .arg(&theirs));
        let tar = mb_per_s(begun);
        let begun = std::time::Instant::now();
        gradus_image::layer::apply(
            std::fs::File::open(&layer).unwrap(),
            &gradus_image::layer::Expected::default(),
            &dir.path().join(format!("ours{round}")),
            &gradus_image::layer::LayerCaps::default(),
        )
        .unwrap();
        let ours = mb_per_s(begun);
        println!(
            "MB/s: tar {tar:.0}, ours {ours:.0}, ratio {:.2}",
            ours / tar
        );
    }
}
