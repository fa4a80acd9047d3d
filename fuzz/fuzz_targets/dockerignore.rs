//! A `.dockerignore`, then a line `--`, then paths. Walking from the root says of each path what asking for it says.
#![no_main]

use gradus_image::context::Ignore;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let cut = input.windows(4).position(|w| w == b"\n--\n");
    let (patterns, paths) = match cut {
        Some(cut) => (&input[..cut], &input[cut + 4..]),
        None => (input, &b"a\nsrc/a.py\ndata/one/raw/x\nREADME.md"[..]),
    };
    let Ok(ignore) = Ignore::parse(patterns) else {
        return;
    };
    for path in String::from_utf8_lossy(paths).lines().take(16) {
        if path.len() > 200 || path.split('/').any(|part| part.is_empty()) {
            continue;
        }
        let whole = ignore.ignores(path);
        let mut matched = ignore.root();
        let mut ignored = false;
        for end in path.match_indices('/').map(|(i, _)| i).chain([path.len()]) {
            let (now, next) = ignore.below(&path[..end], &matched);
            // Nothing that is left out comes back where nothing is kept.
            assert!(ignore.keeps_any() || now >= ignored);
            (ignored, matched) = (now, next);
        }
        assert_eq!(ignored, whole);
        if cfg!(feature = "canary") {
            assert!(!(whole && patterns.starts_with(b"sr?")), "canary");
        }
    }
});
