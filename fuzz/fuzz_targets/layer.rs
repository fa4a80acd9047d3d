//! A layer's archive, into a directory in memory, under small caps. Header checksums are set right first, else hardly any input
//! would get past one; compressed input is left as it is.
//!
//! A canary beside the layer stays as it is. A refused layer leaves nothing. An applied one exports, and its archive gives the same
//! archive once more.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use gradus_image::layer::{Expected, ExportOptions, LayerCaps, apply, export, remove_tree};
use libfuzzer_sys::fuzz_target;

static YARD: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let yard = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let yard = yard.expect("a temporary directory");
    std::fs::write(yard.path().join("canary"), "here").expect("a file");
    yard
});

fuzz_target!(|input: &[u8]| {
    let mut archive = input.to_vec();
    sign(&mut archive);
    let caps = LayerCaps {
        compressed_bytes: 1 << 20,
        unpacked_bytes: 1 << 20,
        entries: 200,
        depth: 16,
        ratio: 200,
        ratio_from_bytes: 64 << 10,
    };
    let yard = YARD.path();
    let (one, two) = (yard.join("one"), yard.join("two"));
    let applied = apply(&archive[..], &Expected::default(), &one, &caps);
    assert_eq!(names(yard, &one), applied.is_ok(), "{applied:?}");
    let Ok(applied) = applied else {
        return;
    };
    let mut options = ExportOptions::new(1 << 40);
    options.opaque_root = applied.opaque_root;
    let mut first = Vec::new();
    let exported = export(&one, &mut first, &options).expect("what was applied is exported");
    let roomy = LayerCaps {
        unpacked_bytes: u64::MAX,
        ..LayerCaps::default()
    };
    let again = apply(&first[..], &Expected::default(), &two, &roomy).expect("our own archive");
    assert_eq!(again.diff_id, exported.diff_id);
    options.opaque_root = again.opaque_root;
    let mut second = Vec::new();
    export(&two, &mut second, &options).expect("once more");
    assert!(first == second, "the same tree gives another archive");
    if cfg!(feature = "canary") {
        assert!(exported.entries < 4, "canary");
    }
    for dir in [&one, &two] {
        remove_tree(dir).expect("a tree that was applied");
    }
});

/// Whether the layer is there; the canary is, and nothing else.
fn names(yard: &Path, layer: &Path) -> bool {
    let canary = std::fs::read_to_string(yard.join("canary")).expect("the canary");
    assert_eq!(canary, "here");
    let count = yard.read_dir().expect("the yard").count();
    let there = layer.exists();
    assert_eq!(count, 1 + usize::from(there));
    there
}

/// Sets the checksum of every block that could be a header.
fn sign(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512) {
        if !block[257..262].starts_with(b"ustar") {
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
}
