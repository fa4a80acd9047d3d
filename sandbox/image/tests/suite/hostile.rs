//! Archives made to do harm. Each is refused with its reason, or lands inside; a file beside the layer is the canary.

use std::path::{Path, PathBuf};

use gradus_image::layer::{
    Applied, ApplyLayerError, Compression, Expected, LayerCaps, Note, apply,
};
use gradus_image::{Digest, Owner};

use crate::tarball::{Tarball, gzip, zstd};
use crate::tree::listing;

const CANARY: &str = "nobody writes here";

/// A directory with a canary and, after an apply, a layer.
struct Yard {
    dir: tempfile::TempDir,
}

impl Yard {
    fn new() -> Yard {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("canary"), CANARY).unwrap();
        std::fs::create_dir(dir.path().join("outside")).unwrap();
        Yard { dir }
    }

    fn canary(&self) -> PathBuf {
        self.dir.path().join("canary")
    }

    fn layer(&self) -> PathBuf {
        self.dir.path().join("layer")
    }

    fn apply(&self, blob: &[u8], caps: &LayerCaps) -> Result<Applied, ApplyLayerError> {
        self.apply_expecting(blob, caps, &Expected::default())
    }

    fn apply_expecting(
        &self,
        blob: &[u8],
        caps: &LayerCaps,
        expected: &Expected,
    ) -> Result<Applied, ApplyLayerError> {
        let result = apply(blob, expected, &self.layer(), caps);
        assert_eq!(std::fs::read_to_string(self.canary()).unwrap(), CANARY);
        let outside = self.dir.path().join("outside");
        assert_eq!(outside.read_dir().unwrap().count(), 0);
        let mut names: Vec<_> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected: &[&str] = match result {
            Ok(_) => &["canary", "layer", "outside"],
            Err(_) => &["canary", "outside"],
        };
        assert_eq!(
            names, expected,
            "a failure leaves nothing, and nothing lands beside"
        );
        result
    }
}

fn small() -> LayerCaps {
    LayerCaps {
        compressed_bytes: 1 << 20,
        unpacked_bytes: 1 << 20,
        entries: 100,
        depth: 8,
        ratio: 200,
        ratio_from_bytes: 64 << 10,
    }
}

/// The reason for which the archive is refused.
fn refused(archive: &[u8]) -> String {
    let error = Yard::new()
        .apply(archive, &small())
        .expect_err("it has to be refused");
    assert_eq!(error.owner(), Owner::Submission, "{error}");
    error.to_string()
}

#[track_caller]
fn refused_for(archive: Tarball, reason: &str) {
    let found = refused(&archive.end());
    assert!(
        found.contains(reason),
        "expected {reason:?}, found {found:?}"
    );
}

fn landed(archive: Tarball) -> (Yard, Applied) {
    let yard = Yard::new();
    let applied = yard.apply(&archive.end(), &small()).unwrap();
    (yard, applied)
}

fn read(yard: &Yard, path: &str) -> String {
    std::fs::read_to_string(yard.layer().join(path)).unwrap()
}

#[test]
fn names_with_dots_are_refused() {
    refused_for(Tarball::new().file("../canary", "x"), "has .. in its name");
    refused_for(
        Tarball::new().file("a/../../canary", "x"),
        "has .. in its name",
    );
    refused_for(Tarball::new().dir("a/.."), "has .. in its name");
    refused_for(Tarball::new().symlink("../l", "x"), "has .. in its name");
}

#[test]
fn an_absolute_name_lands_beneath_the_root() {
    let yard = Yard::new();
    let name = yard.canary();
    let name = name.to_str().unwrap();
    let archive = Tarball::new()
        .pax(&[("path", name.as_bytes())])
        .file("x", "mine");
    let mut caps = small();
    caps.depth = 64;
    yard.apply(&archive.end(), &caps).unwrap();
    assert_eq!(read(&yard, name.trim_start_matches('/')), "mine");
}

#[test]
fn writing_through_an_absolute_link_stays_inside() {
    let yard = Yard::new();
    let outside = yard.dir.path().join("outside");
    let target = outside.to_str().unwrap();
    let archive = Tarball::new().symlink("l", target).file("l/f", "x").end();
    let error = yard.apply(&archive, &small()).unwrap_err().to_string();
    assert!(error.contains("a link to nothing in this layer"), "{error}");

    let (yard, _) = landed(
        Tarball::new()
            .dir("in")
            .symlink("l", "/in")
            .file("l/f", "x"),
    );
    assert_eq!(read(&yard, "in/f"), "x");
}

#[test]
fn writing_through_a_link_of_dots_stays_inside() {
    let (yard, _) = landed(
        Tarball::new()
            .dir("outside")
            .symlink("l", "../../../../outside")
            .file("l/f", "x"),
    );
    assert_eq!(read(&yard, "outside/f"), "x");
}

#[test]
fn a_file_over_a_link_replaces_the_link() {
    let yard = Yard::new();
    let canary = yard.canary();
    let archive = Tarball::new()
        .symlink("l", canary.to_str().unwrap())
        .file("l", "x")
        .end();
    yard.apply(&archive, &small()).unwrap();
    assert_eq!(read(&yard, "l"), "x");
    assert!(yard.layer().join("l").symlink_metadata().unwrap().is_file());
}

#[test]
fn a_directory_over_a_link_replaces_the_link() {
    let yard = Yard::new();
    let outside = yard.dir.path().join("outside");
    let archive = Tarball::new()
        .symlink("l", outside.to_str().unwrap())
        .dir("l")
        .file("l/f", "x")
        .end();
    yard.apply(&archive, &small()).unwrap();
    assert_eq!(read(&yard, "l/f"), "x");
}

#[test]
fn links_in_circles_are_refused() {
    refused_for(
        Tarball::new()
            .symlink("a", "b")
            .symlink("b", "a")
            .file("a/f", "x"),
        "leads through too many others",
    );
    refused_for(
        Tarball::new().symlink("a", "a").dir("a/d"),
        "leads through too many others",
    );
}

#[test]
fn hard_links_reach_files_of_the_layer_and_nothing_else() {
    let yard = Yard::new();
    let canary = yard.canary().to_str().unwrap().to_owned();
    let archive = Tarball::new().hardlink("l", &canary).end();
    let error = yard.apply(&archive, &small()).unwrap_err().to_string();
    assert!(error.contains("is not in this layer"), "{error}");
    refused_for(
        Tarball::new().hardlink("l", "../canary"),
        "has .. in its name",
    );
    refused_for(
        Tarball::new().dir("d").hardlink("l", "d"),
        "is neither a file nor",
    );
    refused_for(
        Tarball::new().entry("p", b'6', "").hardlink("l", "p"),
        "is neither a file nor",
    );
    refused_for(Tarball::new().hardlink("l", ""), "is not in this layer");
    refused_for(
        Tarball::new().file(".wh.x", "").hardlink("l", "x"),
        "is neither a file nor",
    );
    // A link to the canary, then a hard link through it: the link itself gets a second name.
    let archive = Tarball::new()
        .symlink("s", &canary)
        .hardlink("l", "s")
        .file("l", "x")
        .end();
    yard.apply(&archive, &small()).unwrap();
    assert_eq!(read(&yard, "l"), "x");
}

#[test]
fn a_hard_link_to_itself_leaves_the_file() {
    let (yard, _) = landed(
        Tarball::new()
            .file("f", "x")
            .hardlink("f", "f")
            .hardlink("./f", "/f"),
    );
    assert_eq!(read(&yard, "f"), "x");
}

#[test]
fn a_hard_link_that_replaces_its_own_targets_directory_is_refused() {
    refused_for(
        Tarball::new().file("d/f", "x").hardlink("d", "d/f"),
        "it replaces together with its directory",
    );
}

#[test]
fn a_rewritten_file_does_not_change_its_other_names() {
    let (yard, _) = landed(
        Tarball::new()
            .file("a", "1")
            .hardlink("b", "a")
            .file("a", "2"),
    );
    assert_eq!(
        (read(&yard, "a"), read(&yard, "b")),
        ("2".into(), "1".into())
    );
}

#[test]
fn devices_are_left_out_with_a_note() {
    for flag in [b'3', b'4'] {
        let (yard, applied) = landed(Tarball::new().entry("dev/sda", flag, "").file("f", "x"));
        assert!(!yard.layer().join("dev/sda").exists());
        assert_eq!(applied.notes.count(Note::DeviceSkipped), 1);
        assert_eq!(applied.notes.first(Note::DeviceSkipped), ["dev/sda"]);
    }
}

#[test]
fn unknown_types_are_refused_by_name() {
    for flag in *b"VMDNZ8" {
        refused_for(
            Tarball::new().entry("odd", flag, ""),
            "which a layer cannot hold",
        );
    }
}

#[test]
fn an_archive_of_zeros_is_refused_for_its_ratio() {
    let zeros = "\0".repeat(900 << 10);
    for blob in [
        gzip(&Tarball::new().file("z", &zeros).end()),
        zstd(&Tarball::new().file("z", &zeros).end()),
    ] {
        let found = refused(&blob);
        assert!(found.contains("past 200 to one"), "{found}");
    }
    // Gzip in gzip is one level of it: the inner one stays a file.
    let nested = gzip(&gzip(&Tarball::new().file("z", &zeros).end()));
    let found = refused(&nested);
    assert!(found.contains("is malformed"), "{found}");
}

#[test]
fn more_bytes_than_the_cap_are_refused_packed_plain_or_as_holes() {
    let big = "x".repeat(2 << 20);
    let found = refused(&Tarball::new().file("b", &big).unfinished()[..(1 << 20) - 1]);
    assert!(found.contains("unpacks to more than 1048576"), "{found}");
    let found = refused(&Tarball::new().file("b", &big).end());
    assert!(
        found.contains("longer than") || found.contains("more than"),
        "{found}"
    );
    refused_for(
        Tarball::new()
            .pax(&[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.realsize", b"8796093022208"),
            ])
            .raw(b"s", b'0', b"", 512, b"0\n"),
        "unpacks to more than",
    );
}

#[test]
fn sizes_that_lie_are_refused() {
    refused_for(Tarball::new().raw(b"f", b'0', b"", 4096, b"short"), "");
    refused_for(
        Tarball::new()
            .pax(&[("size", b"18446744073709551615")])
            .file("f", "x"),
        "does not fit the address space",
    );
    refused_for(
        Tarball::new()
            .pax(&[("size", b"9223372036854775807")])
            .file("f", "x"),
        "unpacks to more than",
    );
    refused_for(Tarball::new().raw(b"d", b'5', b"", 3, b"abc"), "has none");
    refused_for(Tarball::new().raw(b"l", b'1', b"f", 3, b"abc"), "has none");
    let found = refused(
        &Tarball::new()
            .raw(b"f", b'0', b"", 900, b"cut")
            .unfinished(),
    );
    assert!(found.contains("cut off"), "{found}");
}

#[test]
fn the_size_of_an_extended_header_counts_and_not_the_plain_one() {
    // Read by the plain size, what follows would be an entry of its own: two readers would see two layers.
    let hidden = Tarball::new().file("hidden", "x").unfinished();
    let archive = Tarball::new()
        .pax(&[("size", hidden.len().to_string().as_bytes())])
        .raw(b"f", b'0', b"", 0, b"")
        .bytes(&hidden);
    let (yard, _) = landed(archive);
    assert!(!yard.layer().join("hidden").exists());
    assert_eq!(std::fs::read(yard.layer().join("f")).unwrap(), hidden);
}

#[test]
fn digests_and_lengths_that_lie_are_refused() {
    let archive = Tarball::new().file("f", "x").end();
    let blob = gzip(&archive);
    let right = Expected {
        compression: Some(Compression::Gzip),
        blob: Some((Digest::of(&blob), blob.len() as u64)),
        diff_id: Some(Digest::of(&archive)),
    };
    let yard = Yard::new();
    yard.apply_expecting(&blob, &small(), &right).unwrap();
    let wrong = Digest::of(b"else");
    let cases = [
        (
            Expected {
                blob: Some((wrong, blob.len() as u64)),
                ..right.clone()
            },
            "its descriptor says",
        ),
        (
            Expected {
                blob: Some((Digest::of(&blob), blob.len() as u64 - 1)),
                ..right.clone()
            },
            "its descriptor says",
        ),
        (
            Expected {
                blob: Some((Digest::of(&blob), blob.len() as u64 + 1)),
                ..right.clone()
            },
            "its descriptor says",
        ),
        (
            Expected {
                diff_id: Some(wrong),
                ..right.clone()
            },
            "diff_ids say",
        ),
        (
            Expected {
                compression: Some(Compression::Zstd),
                ..right.clone()
            },
            "its media type says zstd",
        ),
        (
            Expected {
                compression: Some(Compression::None),
                ..right
            },
            "its media type says an uncompressed archive",
        ),
    ];
    for (expected, reason) in cases {
        let error = Yard::new()
            .apply_expecting(&blob, &small(), &expected)
            .unwrap_err();
        assert_eq!(error.owner(), Owner::Submission);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn too_many_entries_are_refused_and_parents_count() {
    let mut many = Tarball::new();
    for i in 0..101 {
        many = many.file(&format!("f{i}"), "");
    }
    refused_for(many, "more than 100 entries");
    let mut deep = Tarball::new();
    for i in 0..20 {
        deep = deep.file(&format!("{i}/a/b/c/d/f"), "");
    }
    refused_for(deep, "more than 100 entries");
}

#[test]
fn depth_counts_where_an_entry_lies_and_not_how_it_is_called() {
    refused_for(
        Tarball::new().file(&"d/".repeat(9), ""),
        "lies below more than 8",
    );
    let through_links = Tarball::new()
        .dir("a/b/c/d/e")
        .symlink("s", "a/b/c/d/e")
        .dir("s/a/b/c")
        .symlink("t", "s/a/b/c")
        .file("t/f", "x");
    refused_for(through_links, "lies below more than 8");
    let yard = Yard::new();
    let name = "d/".repeat(300) + "f";
    let long = Tarball::new()
        .pax(&[("path", name.as_bytes())])
        .file("x", "")
        .end();
    let error = yard.apply(&long, &LayerCaps::default()).unwrap_err();
    assert!(
        error.to_string().contains("lies below more than 256"),
        "{error}"
    );
}

#[test]
fn names_that_do_not_fit_are_refused() {
    let long = "x".repeat(256);
    refused_for(
        Tarball::new()
            .pax(&[("path", long.as_bytes())])
            .file("x", ""),
        "a component of more than 255",
    );
    let path = "x/".repeat(2100);
    refused_for(
        Tarball::new()
            .pax(&[("path", path.as_bytes())])
            .file("x", ""),
        "a path of more than 4095",
    );
    refused_for(
        Tarball::new().pax(&[("path", b"a\0b")]).file("x", ""),
        "a NUL in its name",
    );
    refused_for(
        Tarball::new()
            .pax(&[("linkpath", b"a\0b")])
            .symlink("x", "y"),
        "whose target has a NUL",
    );
    refused_for(
        Tarball::new().symlink("x", ""),
        "a symbolic link to nothing",
    );
}

#[test]
fn long_extended_headers_are_refused_before_they_are_read() {
    let data = vec![b'a'; 64];
    for flag in *b"xLKg" {
        let found = refused(
            &Tarball::new()
                .raw(b"h", flag, b"", 2 << 20, &data)
                .unfinished(),
        );
        assert!(
            found.contains("the limit is 1048576") || flag == b'g',
            "{found}"
        );
    }
    refused_for(
        Tarball::new().raw(b"p", b'x', b"", 5, b"99999"),
        "has no length",
    );
    refused_for(
        Tarball::new()
            .pax(&[("path", b"a")])
            .pax(&[("path", b"b")])
            .file("x", ""),
        "two extended headers",
    );
    refused_for(
        Tarball::new()
            .raw(b"l", b'L', b"", 2, b"b\0")
            .pax(&[("path", b"a")])
            .file("x", ""),
        "two names that differ",
    );
    refused_for(Tarball::new().pax(&[("path", b"a")]), "no entry behind it");
}

#[test]
fn the_last_of_two_entries_is_kept() {
    let (yard, _) = landed(Tarball::new().file("f", "1").file("f", "2"));
    assert_eq!(read(&yard, "f"), "2");
    let (yard, _) = landed(Tarball::new().file("d/f", "1").file("d", "2"));
    assert_eq!(read(&yard, "d"), "2");
    let (yard, _) = landed(Tarball::new().file("d", "1").dir("d").file("d/f", "2"));
    assert_eq!(read(&yard, "d/f"), "2");
    let (yard, _) = landed(Tarball::new().file("d/f", "1").dir("d"));
    assert_eq!(read(&yard, "d/f"), "1");
    refused_for(
        Tarball::new().file("f", "1").file("f/g", "2"),
        "is no directory",
    );
}

#[test]
fn whiteouts_of_nothing_or_of_dots_are_refused() {
    for name in [
        ".wh.",
        ".wh..",
        ".wh...",
        "d/.wh.",
        "d/.wh...",
        ".wh..wh.x",
        ".wh..wh.plnk",
    ] {
        refused_for(Tarball::new().file(name, ""), "whiteout of");
    }
    refused_for(
        Tarball::new().file(".wh.d/f", ""),
        "below a whiteout's name",
    );
    refused_for(Tarball::new().dir(".wh.d"), "is no plain file");
    refused_for(Tarball::new().symlink(".wh.d", "/"), "is no plain file");
    refused_for(Tarball::new().file("/", "x"), "has none");
    refused_for(Tarball::new().symlink("./", "x"), "stands for the root");
}

#[test]
fn a_whiteout_below_what_is_no_directory_does_nothing() {
    let yard = Yard::new();
    let parent = yard.dir.path().to_str().unwrap().to_owned();
    let archive = Tarball::new()
        .dir("in")
        .symlink("l", &parent)
        .file("l/.wh.canary", "")
        .symlink("m", "in")
        .file("m/.wh.x", "")
        .file("m/.wh..wh..opq", "")
        .file("f", "")
        .file("f/.wh.x", "")
        .end();
    let applied = yard.apply(&archive, &small()).unwrap();
    assert_eq!(applied.notes.count(Note::WhiteoutMoot), 4);
    let found = listing(&yard.layer());
    assert_eq!(found.keys().collect::<Vec<_>>(), ["f", "in", "l", "m"]);
    assert!(found["in"].starts_with("dir "), "{found:?}");
}

#[test]
fn attributes_that_steer_the_kernel_are_dropped() {
    let (yard, applied) = landed(
        Tarball::new()
            .pax(&[
                ("SCHILY.xattr.user.overlay.opaque", b"y"),
                ("SCHILY.xattr.user.overlay.redirect", b"/etc"),
                ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
                ("SCHILY.xattr.security.capability", b"\x01\0\0\x02"),
                ("SCHILY.xattr.user.mine", b"a\n=b"),
            ])
            .dir("d"),
    );
    assert_eq!(applied.notes.count(Note::AttributeDropped), 4);
    let mut value = [0u8; 16];
    let path = yard.layer().join("d");
    let n = rustix::fs::getxattr(&path, "user.mine", &mut value[..]).unwrap();
    assert_eq!(&value[..n], b"a\n=b");
    let mut list = [0u8; 256];
    let n = rustix::fs::listxattr(&path, &mut list[..]).unwrap();
    assert_eq!(&list[..n], b"user.mine\0");
}

#[test]
fn owners_that_no_system_has_are_refused() {
    refused_for(
        Tarball::new().pax(&[("uid", b"4294967295")]).file("f", ""),
        "which no system has",
    );
    refused_for(
        Tarball::new().pax(&[("gid", b"99999999999")]).file("f", ""),
        "which no system has",
    );
}

#[test]
fn cut_and_padded_blobs_are_refused() {
    let archive = Tarball::new().file("f", &"text ".repeat(1000)).end();
    for blob in [gzip(&archive), zstd(&archive)] {
        for keep in [blob.len() - 1, blob.len() / 2, 12] {
            let found = refused(&blob[..keep]);
            assert!(
                found.contains("cut off") || found.contains("does not decompress"),
                "{found}"
            );
        }
        let garbage = [&blob[..], b"garbage"].concat();
        assert!(refused(&garbage).contains("does not decompress"));
    }
    let behind = [&archive[..], &Tarball::new().file("g", "x").end()].concat();
    assert!(refused(&behind).contains("behind the archive's end"));
    assert!(refused(&gzip(&behind)).contains("behind the archive's end"));
    for blob in [&b""[..], b"x", b"not an archive", &[0u8; 100]] {
        refused(blob);
    }
    assert!(refused(b"BZh91AY&SY").contains("bzip2"));
}

#[test]
fn several_members_are_one_archive() {
    let archive = Tarball::new().file("f", "x").file("g", "y").end();
    let (a, b) = archive.split_at(700);
    for blob in [[gzip(a), gzip(b)].concat(), [zstd(a), zstd(b)].concat()] {
        let yard = Yard::new();
        let applied = yard.apply(&blob, &small()).unwrap();
        assert_eq!(applied.diff_id, Digest::of(&archive));
        assert_eq!(read(&yard, "g"), "y");
    }
}

#[test]
fn a_failing_input_is_the_hosts_fault() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let archive = Tarball::new().file("f", &"random?".repeat(99)).end();
    let half = gzip(&archive);
    let input = std::io::Read::chain(&half[..half.len() / 2], Failing);
    let layer = dir.path().join("l");
    let error = apply(input, &Expected::default(), &layer, &small()).unwrap_err();
    assert_eq!(error.owner(), Owner::Host, "{error}");
    assert!(!layer.exists());
}

#[test]
fn owners_modes_times_and_types_are_kept() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: owners are kept by root alone");
        return;
    }
    let (yard, applied) = landed(
        Tarball::new()
            .pax(&[("uid", b"1234"), ("gid", b"70000"), ("mtime", b"1000.5")])
            .file("bin/su", "x")
            .entry("p", b'6', "")
            .symlink("l", "/etc/passwd")
            .entry("setuid", b'0', "")
            .patch_last(100, b"0006755\0"),
    );
    let found = listing(&yard.layer());
    let x = Digest::of(b"x");
    assert_eq!(found["bin/su"], format!("file {x} 755 1234:70000 @1000"));
    assert_eq!(found["bin"], "dir 755 0:0 @0");
    assert_eq!(found["p"], "fifo 755 0:0 @1000");
    assert_eq!(found["l"], "link /etc/passwd 777 0:0 @1000");
    assert!(found["setuid"].contains(" 6755 "));
    assert_eq!(applied.notes.count(Note::OwnerUnmapped), 1);
    assert_eq!(applied.notes.count(Note::ParentImplied), 1);
}

#[test]
fn holes_are_holes_in_both_forms() {
    let map = "2\n1000\n3\n5000\n2\n";
    let mut stored = map.as_bytes().to_vec();
    stored.resize(512, 0);
    stored.extend(b"abcde");
    let expected = |bytes: Vec<u8>| {
        assert_eq!(bytes.len(), 6000);
        assert_eq!(&bytes[1000..1003], b"abc");
        assert_eq!(&bytes[5000..5002], b"de");
        assert_eq!(bytes.iter().filter(|&&b| b != 0).count(), 5);
    };
    let (yard, _) = landed(
        Tarball::new()
            .pax(&[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"real"),
                ("GNU.sparse.realsize", b"6000"),
            ])
            .raw(b"other", b'0', b"", stored.len() as u64, &stored),
    );
    expected(std::fs::read(yard.layer().join("real")).unwrap());
    let gnu = Tarball::new()
        .entry("old", b'S', "")
        .patch_last(124, b"00000000005\0")
        .patch_last(257, b"ustar  \0")
        .patch_last(386, b"00000001750\x0000000000003\0")
        .patch_last(410, b"00000011610\x0000000000002\0")
        .patch_last(483, b"00000013560\0");
    let mut data = b"abcde".to_vec();
    data.resize(512, 0);
    let (yard, _) = landed(gnu.bytes(&data));
    expected(std::fs::read(yard.layer().join("old")).unwrap());
    refused_for(
        Tarball::new()
            .pax(&[("GNU.sparse.map", b"0,1")])
            .file("x", ""),
        "another form",
    );
}

#[test]
fn a_layers_directory_that_exists_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("kept"), "x").unwrap();
    let archive = Tarball::new().file("f", "x").end();
    let error = apply(&archive[..], &Expected::default(), dir.path(), &small()).unwrap_err();
    assert_eq!(error.owner(), Owner::Host);
    assert!(Path::new(&dir.path().join("kept")).exists());
}
