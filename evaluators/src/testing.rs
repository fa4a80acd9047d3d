//! Where tests find what they read.

use std::path::{Path, PathBuf};

/// The golden models, `tests/golden/llm`. Test binaries that were carried elsewhere are told where by `CARGO_MANIFEST_DIR`, as cargo does.
pub(crate) fn golden() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    Path::new(&here).join("../tests/golden/llm")
}
