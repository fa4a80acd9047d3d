//! Archives made to do harm. Each is refused with its reason, or lands inside; a file beside the layer is the canary.

use std::path::Path;

use gradus_image::layer::{Expected, LayerCaps, Note, apply};
use gradus_image::{Digest, Owner};

use crate::tarball::Tarball;
use crate::tree::listing;
use crate::yard::{Yard, landed, read, refused_for, small};

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
fn a_layers_directory_that_exists_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("kept"), "x").unwrap();
    let archive = Tarball::new().file("f", "x").end();
    let error = apply(&archive[..], &Expected::default(), dir.path(), &small()).unwrap_err();
    assert_eq!(error.owner(), Owner::Host);
    assert!(Path::new(&dir.path().join("kept")).exists());
}
