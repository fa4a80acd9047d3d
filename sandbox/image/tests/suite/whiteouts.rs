//! Whiteouts as overlay has them, and the way back.

use std::path::Path;

use gradus_image::Digest;
use gradus_image::layer::{
    Applied, ApplyLayerError, Expected, ExportOptions, Exported, LayerCaps, Note, apply, export,
};

use crate::tarball::Tarball;
use crate::tree::listing;

fn layer(at: &Path, archive: Tarball) -> Applied {
    apply(
        &archive.end()[..],
        &Expected::default(),
        at,
        &LayerCaps::default(),
    )
    .unwrap()
}

fn written(tree: &Path, options: &ExportOptions) -> (Vec<u8>, Exported) {
    let mut out = Vec::new();
    let exported = export(tree, &mut out, options).unwrap();
    assert_eq!(exported.diff_id, Digest::of(&out));
    (out, exported)
}

#[test]
fn whiteouts_become_devices_and_opaque_directories() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("l");
    let applied = layer(
        &at,
        Tarball::new()
            .file(".wh.gone", "")
            .file("a/b/.wh.gone too", "")
            .dir("o")
            .file("o/.wh..wh..opq", "")
            .file("o/f", "x"),
    );
    let found = listing(&at);
    assert!(found["gone"].starts_with("char 0 "), "{found:?}");
    assert!(found["a/b/gone too"].starts_with("char 0 "));
    assert!(found["o"].starts_with("opaque dir "));
    assert!(found["a"].starts_with("dir "));
    assert!(!applied.opaque_root);
}

#[test]
fn a_whiteout_does_not_hide_what_its_own_layer_has_in_either_order() {
    for swap in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("l");
        let mut parts = [
            Tarball::new()
                .file(".wh.f", "")
                .file(".wh.d", "")
                .file(".wh.e", ""),
            Tarball::new()
                .file("f", "x")
                .dir("d")
                .file("d/g", "y")
                .file("e/h", "z"),
        ];
        if swap {
            parts.reverse();
        }
        let [a, b] = parts;
        layer(&at, a.bytes(&b.unfinished()));
        let found = listing(&at);
        assert!(found["f"].starts_with("file "), "{found:?}");
        assert!(found["d"].starts_with("opaque dir "), "{found:?}");
        assert!(found["d/g"].starts_with("file "));
        assert!(found["e"].starts_with("opaque dir "), "{found:?}");
    }
}

#[test]
fn an_opaque_root_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("l");
    assert!(layer(&at, Tarball::new().file(".wh..wh..opq", "").file("f", "x")).opaque_root);
    let (out, _) = written(&at, &ExportOptions::new(1 << 32));
    let again = dir.path().join("again");
    let applied = apply(
        &out[..],
        &Expected::default(),
        &again,
        &LayerCaps::default(),
    )
    .unwrap();
    assert!(applied.opaque_root);
}

/// A tree with everything in it that a layer can hold.
fn full(at: &Path) {
    let long = "long ".repeat(40);
    layer(
        at,
        Tarball::new()
            .dir("b")
            .file("b/2", "two")
            .file("b/1", "one")
            .hardlink("a", "b/1")
            .symlink("s", "/b")
            .hardlink("s2", "s")
            .entry("fifo", b'6', "")
            .file(".wh.gone", "")
            .dir("o")
            .file("o/.wh..wh..opq", "")
            .pax(&[
                ("path", long.as_bytes()),
                ("uid", b"3000000"),
                ("mtime", b"77.25"),
                ("SCHILY.xattr.user.z", b"1"),
                ("SCHILY.xattr.user.a", b"2\n"),
            ])
            .file("x", "long")
            .pax(&[("linkpath", long.as_bytes())])
            .hardlink("zz", "x")
            .pax(&[("path", b"\xff\xfe")])
            .file("x", "not utf-8"),
    );
}

#[test]
fn the_same_tree_gives_the_same_archive_and_the_archive_the_same_tree() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two, back) = (
        dir.path().join("1"),
        dir.path().join("2"),
        dir.path().join("3"),
    );
    full(&one);
    full(&two);
    let options = ExportOptions::new(1_000_000_000);
    let (first, exported) = written(&one, &options);
    let (second, _) = written(&two, &options);
    assert_eq!(first, second);
    assert!(exported.notes.is_empty());
    apply(
        &first[..],
        &Expected::default(),
        &back,
        &LayerCaps::default(),
    )
    .unwrap();
    let (third, _) = written(&back, &options);
    assert_eq!(first, third, "what was written is written again");
    assert_eq!(listing(&one), listing(&back));
    let mut value = [0u8; 8];
    let path = back.join("long ".repeat(40));
    let n = rustix::fs::getxattr(&path, "user.a", &mut value[..]).unwrap();
    assert_eq!(&value[..n], b"2\n");
}

#[test]
fn times_are_cut_to_the_latest_one_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let now = dir.path().join("now");
    std::fs::create_dir_all(now.join("d")).unwrap();
    std::fs::write(now.join("d/f"), "x").unwrap();
    let (first, _) = written(&now, &ExportOptions::new(500));
    std::fs::write(now.join("d/f"), "x").unwrap();
    let (second, _) = written(&now, &ExportOptions::new(500));
    assert_eq!(first, second);
    let back = dir.path().join("back");
    apply(
        &first[..],
        &Expected::default(),
        &back,
        &LayerCaps::default(),
    )
    .unwrap();
    assert!(listing(&back).values().all(|line| line.ends_with(" @500")));
}

#[test]
fn what_a_layer_cannot_hold_is_refused_or_noted() {
    let dir = tempfile::tempdir().unwrap();
    let upper = dir.path().join("u");
    std::fs::create_dir(&upper).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(upper.join("sock")).unwrap();
    let (_, exported) = written(&upper, &ExportOptions::new(1));
    assert_eq!(exported.notes.count(Note::SocketSkipped), 1);
    assert_eq!(exported.entries, 0);
    std::fs::write(upper.join(".wh.etc"), "").unwrap();
    let error = export(&upper, std::io::sink(), &ExportOptions::new(1)).unwrap_err();
    assert!(error.to_string().contains("starts with .wh."), "{error}");
    assert_eq!(error.owner(), gradus_image::Owner::Submission);
    std::fs::remove_file(upper.join(".wh.etc")).unwrap();

    let long = upper.join("n".repeat(252));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &long,
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::empty(),
        0,
    )
    .unwrap();
    let error = export(&upper, std::io::sink(), &ExportOptions::new(1)).unwrap_err();
    assert!(
        error.to_string().contains("too long for a whiteout"),
        "{error}"
    );
    std::fs::remove_file(&long).unwrap();

    let sparse = std::fs::File::create(upper.join("sparse")).unwrap();
    sparse.set_len(8 << 40).unwrap();
    let error = export(&upper, std::io::sink(), &ExportOptions::new(1)).unwrap_err();
    assert!(
        error.to_string().contains("holes of files included"),
        "{error}"
    );
    std::fs::remove_file(upper.join("sparse")).unwrap();

    let mut options = ExportOptions::new(1);
    options.caps.depth = 3;
    std::fs::create_dir_all(upper.join("1/2/3")).unwrap();
    export(&upper, std::io::sink(), &options).unwrap();
    std::fs::create_dir_all(upper.join("1/2/3/4")).unwrap();
    let error = export(&upper, std::io::sink(), &options).unwrap_err();
    assert!(
        error.to_string().contains("lies below 3 directories"),
        "{error}"
    );
    options.caps.entries = 3;
    let error = export(&upper, std::io::sink(), &options).unwrap_err();
    assert!(error.to_string().contains("more than 3 entries"), "{error}");

    rustix::fs::setxattr(
        upper.join("1"),
        "user.overlay.redirect",
        b"/x",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    let error = export(&upper, std::io::sink(), &ExportOptions::new(1)).unwrap_err();
    assert_eq!(error.owner(), gradus_image::Owner::Host, "{error}");
}

#[test]
fn errors_of_an_apply_say_which_entry() {
    let dir = tempfile::tempdir().unwrap();
    let error = apply(
        &Tarball::new().file("../x", "").end()[..],
        &Expected::default(),
        &dir.path().join("l"),
        &LayerCaps::default(),
    )
    .unwrap_err();
    assert!(matches!(&error, ApplyLayerError::Entry { entry, .. } if entry == "../x"));
}
