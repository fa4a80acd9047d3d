//! A place where a hostile archive is applied, with a canary beside it.

use std::path::PathBuf;

use gradus_image::Owner;
use gradus_image::layer::{Applied, ApplyLayerError, Expected, LayerCaps, apply};

use crate::tarball::Tarball;

const CANARY: &str = "nobody writes here";

/// A directory with a canary and, after an apply, a layer.
pub(crate) struct Yard {
    pub(crate) dir: tempfile::TempDir,
}

impl Yard {
    pub(crate) fn new() -> Yard {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("canary"), CANARY).unwrap();
        std::fs::create_dir(dir.path().join("outside")).unwrap();
        Yard { dir }
    }

    pub(crate) fn canary(&self) -> PathBuf {
        self.dir.path().join("canary")
    }

    pub(crate) fn layer(&self) -> PathBuf {
        self.dir.path().join("layer")
    }

    pub(crate) fn apply(&self, blob: &[u8], caps: &LayerCaps) -> Result<Applied, ApplyLayerError> {
        self.apply_expecting(blob, caps, &Expected::default())
    }

    pub(crate) fn apply_expecting(
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

pub(crate) fn small() -> LayerCaps {
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
pub(crate) fn refused(archive: &[u8]) -> String {
    let error = Yard::new()
        .apply(archive, &small())
        .expect_err("it has to be refused");
    assert_eq!(error.owner(), Owner::Submission, "{error}");
    error.to_string()
}

#[track_caller]
pub(crate) fn refused_for(archive: Tarball, reason: &str) {
    let found = refused(&archive.end());
    assert!(
        found.contains(reason),
        "expected {reason:?}, found {found:?}"
    );
}

pub(crate) fn landed(archive: Tarball) -> (Yard, Applied) {
    let yard = Yard::new();
    let applied = yard.apply(&archive.end(), &small()).unwrap();
    (yard, applied)
}

pub(crate) fn read(yard: &Yard, path: &str) -> String {
    std::fs::read_to_string(yard.layer().join(path)).unwrap()
}
