//! Archives that are too much, that lie about themselves, or that are broken.

use gradus_image::layer::{Compression, Expected, apply};
use gradus_image::{Digest, Owner};

use crate::tarball::{Tarball, gzip, zstd};
use crate::yard::{Yard, landed, read, refused, refused_for, small};

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
