//! Layouts that lie, and those that do not.

use std::path::{Path, PathBuf};

use gradus_image::layer::Compression;
use gradus_image::layout::model;
use gradus_image::layout::{
    Descriptor, ExportImageOptions, ImageConfig, ImportImageError, ImportOptions, Imported, Index,
    Manifest, Platform, RootFs, Source, export, export_archive, import,
};
use gradus_image::store::Store;
use gradus_image::{Digest, Owner};

use crate::tarball::{Tarball, gzip, zstd};
use crate::tree::listing;

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_unflushed(&dir.path().join("store")).unwrap();
        std::fs::create_dir_all(dir.path().join("l/blobs/sha256")).unwrap();
        let bench = Bench { dir, store };
        bench.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        bench
    }

    fn layout(&self) -> PathBuf {
        self.dir.path().join("l")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.layout().join(name), bytes).unwrap();
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let digest = Digest::of(bytes);
        self.write(&format!("blobs/sha256/{}", digest.hex()), bytes);
        Descriptor::new(media_type, digest, bytes.len() as u64)
    }

    fn json(&self, media_type: &str, value: &impl serde::Serialize) -> Descriptor {
        self.blob(media_type, &serde_json::to_vec(value).unwrap())
    }

    fn image(&self, os: &str, blobs: &[(Compression, Vec<u8>, Digest)]) -> Descriptor {
        let mut config = ImageConfig::new(Platform {
            os: os.to_owned(),
            ..Platform::linux_amd64()
        });
        config.rootfs = RootFs::new(blobs.iter().map(|(_, _, diff_id)| *diff_id).collect());
        let config = self.blob(model::CONFIG, &config.to_json());
        let layers = blobs
            .iter()
            .map(|(compression, blob, _)| self.blob(compression.media_type(), blob))
            .collect();
        self.json(model::MANIFEST, &Manifest::new(config, layers))
    }

    fn index(&self, manifests: Vec<Descriptor>) {
        let json = serde_json::to_vec(&Index::new(manifests)).unwrap();
        self.write("index.json", &json);
    }

    fn import(&self, path: &Path, reference: Option<&str>) -> Result<Imported, ImportImageError> {
        let options = ImportOptions {
            reference: reference.map(str::to_owned),
            ..ImportOptions::default()
        };
        let pin = self.store.pin().unwrap();
        import(&Source::open(path)?, &self.store, &pin, &options)
    }

    #[track_caller]
    fn refused(&self, reason: &str) {
        let error = self.import(&self.layout(), None).unwrap_err();
        assert_eq!(error.owner(), Owner::Submission, "{error}");
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        assert!(text.contains(reason), "expected {reason:?}, found {text:?}");
        assert_eq!(self.store.images().unwrap(), []);
    }
}

fn three_layers() -> Vec<(Compression, Vec<u8>, Digest)> {
    let archive = |n: u8| Tarball::new().file(&format!("f{n}"), "x").end();
    let [a, b, c] = [archive(1), archive(2), archive(3)];
    let ids = [&a, &b, &c].map(|archive| Digest::of(archive));
    vec![
        (Compression::None, a, ids[0]),
        (Compression::Gzip, gzip(&b), ids[1]),
        (Compression::Zstd, zstd(&c), ids[2]),
    ]
}

fn named(mut descriptor: Descriptor, name: &str) -> Descriptor {
    let key = "org.opencontainers.image.ref.name".to_owned();
    descriptor.annotations = Some([(key, name.to_owned())].into());
    descriptor
}

#[test]
fn all_three_compressions_are_taken_and_written_out_as_they_came() {
    let bench = Bench::new();
    let manifest = bench.image("linux", &three_layers());
    bench.index(vec![manifest.clone()]);
    let imported = bench.import(&bench.layout(), None).unwrap();
    assert_eq!(imported.image.manifest, Some(manifest.digest));
    let dirs = bench.store.layer_dirs(&imported.image).unwrap();
    for (dir, file) in dirs.iter().zip(["f3", "f2", "f1"]) {
        assert_eq!(listing(dir).keys().collect::<Vec<_>>(), [file]);
    }
    let out = bench.dir.path().join("out");
    let options = ExportImageOptions::default();
    let digest = export(&bench.store, &imported.image, &out, &options).unwrap();
    assert_eq!(digest, manifest.digest);
    let again = bench.import(&out, None).unwrap();
    assert_eq!(again, imported);
    assert!(export(&bench.store, &imported.image, &out, &options).is_err());
}

#[test]
fn an_archive_of_a_layout_is_a_layout() {
    let bench = Bench::new();
    bench.index(vec![named(bench.image("linux", &three_layers()), "a")]);
    let imported = bench.import(&bench.layout(), Some("a")).unwrap();
    let mut archives = Vec::new();
    for n in 0..2 {
        let path = bench.dir.path().join(format!("{n}.tar"));
        let file = std::fs::File::create(&path).unwrap();
        let scratch = bench.dir.path().join("scratch");
        let options = ExportImageOptions::default();
        export_archive(&bench.store, &imported.image, &scratch, file, &options).unwrap();
        assert!(!scratch.exists());
        assert_eq!(bench.import(&path, None).unwrap(), imported);
        archives.push(std::fs::read(&path).unwrap());
    }
    assert_eq!(archives[0], archives[1]);
    let cut = bench.dir.path().join("cut.tar");
    std::fs::write(&cut, &archives[0][..archives[0].len() / 2]).unwrap();
    assert_eq!(
        bench.import(&cut, None).unwrap_err().owner(),
        Owner::Submission
    );
    let twice = Tarball::new()
        .file("oci-layout", "1")
        .file("./oci-layout", "2");
    std::fs::write(&cut, twice.end()).unwrap();
    assert!(
        bench
            .import(&cut, None)
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
    std::fs::write(
        &cut,
        Tarball::new().symlink("oci-layout", "/etc/passwd").end(),
    )
    .unwrap();
    assert!(
        bench
            .import(&cut, None)
            .unwrap_err()
            .to_string()
            .contains("no plain file")
    );
    std::fs::write(&cut, gzip(&archives[0])).unwrap();
    assert!(
        bench
            .import(&cut, None)
            .unwrap_err()
            .to_string()
            .contains("no uncompressed archive")
    );
}

#[test]
fn the_platform_is_chosen_and_others_are_named() {
    let bench = Bench::new();
    let mut arm = bench.image("linux", &[]);
    arm.platform = Some(Platform {
        architecture: "arm64".to_owned(),
        variant: Some("v8".to_owned()),
        ..Platform::linux_amd64()
    });
    let windows = bench.image("windows", &[]);
    bench.index(vec![arm.clone(), windows.clone()]);
    bench.refused("no image for linux/amd64, only for linux/arm64/v8, windows/amd64");
    let linux = bench.image("linux", &three_layers());
    let nested = bench.json(model::INDEX, &Index::new(vec![arm, windows, linux.clone()]));
    bench.index(vec![nested]);
    let imported = bench.import(&bench.layout(), None).unwrap();
    assert_eq!(imported.image.manifest, Some(linux.digest));
}

#[test]
fn a_configuration_for_another_system_than_its_descriptor_says_is_refused() {
    let bench = Bench::new();
    let mut lying = bench.image("windows", &[]);
    lying.platform = Some(Platform::linux_amd64());
    bench.index(vec![lying]);
    bench.refused("only for windows/amd64");
}

#[test]
fn several_images_need_a_name() {
    let bench = Bench::new();
    let one = named(bench.image("linux", &three_layers()), "one");
    let two = named(bench.image("linux", &three_layers()[..1]), "two");
    bench.index(vec![one, two.clone()]);
    bench.refused(r#"several images for linux/amd64: "one", "two""#);
    let imported = bench.import(&bench.layout(), Some("two")).unwrap();
    assert_eq!(imported.image.manifest, Some(two.digest));
    let error = bench.import(&bench.layout(), Some("three")).unwrap_err();
    assert!(
        error.to_string().contains(r#"no image called "three""#),
        "{error}"
    );
}

#[test]
fn indices_in_circles_and_towers_end() {
    let bench = Bench::new();
    let mut tower = bench.image("linux", &[]);
    for _ in 0..5 {
        tower = bench.json(model::INDEX, &Index::new(vec![tower]));
    }
    bench.index(vec![tower]);
    bench.refused("below 3 others");
    let many = vec![bench.image("windows", &[]); 20];
    let wide = bench.json(model::INDEX, &Index::new(many));
    bench.index(vec![wide; 20]);
    bench.refused("more than 256 manifests");
}

#[test]
fn blobs_that_lie_are_refused() {
    let bench = Bench::new();
    let layers = three_layers();
    let right = bench.image("linux", &layers);
    let path = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    bench.index(vec![right.clone()]);

    let layer = Digest::of(&layers[1].1);
    bench.write(&path(&layer), &vec![0; layers[1].1.len()]);
    bench.refused("upload it again");
    bench.write(&path(&layer), b"short");
    bench.refused("bytes or more");
    std::fs::remove_file(bench.layout().join(path(&layer))).unwrap();
    bench.refused("is not in the layout");
    std::os::unix::fs::symlink("/etc/passwd", bench.layout().join(path(&layer))).unwrap();
    bench.refused("is a link");
    bench.blob(Compression::Gzip.media_type(), b"x");

    let manifest = std::fs::read_to_string(bench.layout().join(path(&right.digest))).unwrap();
    bench.write(
        &path(&right.digest),
        manifest.replace("gzip", "gzIp").as_bytes(),
    );
    bench.refused("the descriptor that leads to it says");
    let mut long = right.clone();
    long.size += 1;
    bench.index(vec![long]);
    bench.refused("the descriptor that leads to it says");
    let odd = bench.blob(
        model::MANIFEST,
        manifest.replace("tar+gzip", "tar+rot13").as_bytes(),
    );
    bench.index(vec![odd]);
    bench.refused("is no archive of ours");
    bench.write("index.json", b"{");
    bench.refused("not what the image specification says");
    bench.write("index.json", &vec![b' '; 5 << 20]);
    bench.refused("the limit is 4194304");
    bench.write("oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#);
    bench.refused("only 1.0.0 is known");
    std::fs::remove_file(bench.layout().join("oci-layout")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.layout().join("oci-layout"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    bench.refused("no plain file");
}

#[test]
fn a_blob_that_borrows_another_layers_diff_id_is_refused() {
    let bench = Bench::new();
    let mut layers = three_layers();
    bench.index(vec![bench.image("linux", &layers)]);
    bench.import(&bench.layout(), None).unwrap();
    let other = Bench {
        store: bench.store,
        ..Bench::new()
    };
    // The store has the first layer's tree; this blob is no archive of it.
    layers[0].1 = Tarball::new().file("evil", "x").end();
    other.index(vec![other.image("linux", &layers)]);
    let error = other.import(&other.layout(), None).unwrap_err();
    assert!(matches!(error, ImportImageError::Verify { .. }), "{error}");
}

#[test]
fn all_layers_together_have_a_limit() {
    let bench = Bench::new();
    bench.index(vec![bench.image("linux", &three_layers())]);
    let options = ImportOptions {
        unpacked_bytes: 5000,
        ..ImportOptions::default()
    };
    let pin = bench.store.pin().unwrap();
    let source = Source::open(&bench.layout()).unwrap();
    let error = import(&source, &bench.store, &pin, &options).unwrap_err();
    assert_eq!(error.owner(), Owner::Submission, "{error}");
    assert_eq!(bench.store.images().unwrap(), []);
}
