//! An image's index, manifest and configuration. What is accepted is within its limits and reads back from what is written.
#![no_main]

use gradus_image::Digest;
use gradus_image::layout::{ImageConfig, Index, Manifest, model};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    if let Ok(index) = Index::parse(json) {
        assert!(index.manifests.len() <= model::MANIFESTS_MAX);
        let written = serde_json::to_vec(&index).expect("JSON");
        assert_eq!(Index::parse(&written).expect("what was written"), index);
    }
    if let Ok(manifest) = Manifest::parse(json) {
        assert!(manifest.layers.len() <= model::LAYERS_MAX);
        let written = serde_json::to_vec(&manifest).expect("JSON");
        assert_eq!(
            Manifest::parse(&written).expect("what was written"),
            manifest
        );
    }
    if let Ok(config) = ImageConfig::parse(json) {
        assert!(config.rootfs.diff_ids.len() <= model::LAYERS_MAX);
        assert!(config.config.env.iter().all(|text| !text.contains('\0')));
        let written = config.to_json();
        let again = ImageConfig::parse(&written).expect("what was written");
        assert_eq!(again, config);
        assert_eq!(again.to_json(), written);
        if cfg!(feature = "canary") {
            assert!(config.platform.os == "linux", "canary");
        }
    }
    if let Ok(text) = std::str::from_utf8(json)
        && let Ok(digest) = text.parse::<Digest>()
    {
        assert_eq!(digest.to_string(), text);
    }
});
