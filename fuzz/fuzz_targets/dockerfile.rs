//! A Dockerfile, from text to keys. What is accepted names only what can be built: stages before they are needed, absolute
//! paths, bounded values.
#![no_main]

use gradus_image::dockerfile::*;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|text: &[u8]| {
    let Ok(build) = parse(text) else {
        return;
    };
    assert!((1..=STAGES_MAX).contains(&build.stages.len()));
    let Ok(plan) = build.plan(Options::default()) else {
        return;
    };
    let image = ImageConfig::default();
    let mut done: BTreeMap<usize, Resolved> = BTreeMap::new();
    for stage in &plan.stages {
        // Each stage comes after what it needs, and once.
        assert!(
            stage.copies.iter().all(|s| done.contains_key(s)) && !done.contains_key(&stage.index)
        );
        let parent = match &stage.base {
            Base::Scratch => Parent::Scratch,
            Base::Image(name) => {
                assert!(!name.name.is_empty());
                Parent::Image(&image)
            }
            Base::Stage(index) => Parent::Stage(&done[index]),
        };
        let Ok(resolved) = plan.resolve(stage, parent) else {
            return;
        };
        let mut key = Key::scratch(&stage.platform);
        let mut config = match parent {
            Parent::Scratch => ImageConfig::scratch(),
            Parent::Image(config) => config.clone(),
            Parent::Stage(stage) => stage.config.clone(),
        };
        for step in &resolved.steps {
            check(step);
            step.changes.iter().for_each(|change| config.apply(change));
            let digests = vec![[0; 32]; step.inputs().len()];
            key = step.key(&key, &digests).expect("as many digests as inputs");
            if cfg!(feature = "canary") {
                assert!(config.stop_signal.as_deref() != Some("7"), "canary");
            }
        }
        // The changes say all that becomes of the configuration.
        assert_eq!(config, resolved.config);
        let size: usize = config.env.iter().map(|(n, v)| n.len() + v.len() + 2).sum();
        assert!(size <= ENV_BYTES_MAX + 128);
        done.insert(stage.index, resolved);
    }
});

fn absolute(path: &str) {
    assert!(
        path.starts_with('/') && path.split('/').all(|part| part != ".." && part != "."),
        "{path:?}"
    );
}

fn check(step: &Step) {
    absolute(&step.scope.working_dir);
    match &step.action {
        Action::Config => {}
        Action::Workdir(path) => absolute(path),
        Action::Run(run) => {
            run.mounts.iter().for_each(|mount| absolute(&mount.target));
            assert!(!run.argv.is_empty());
        }
        Action::Copy(copy) => {
            absolute(&copy.destination);
            assert!(!copy.sources.is_empty());
            assert!(copy.chmod.is_none_or(|mode| mode <= 0o7777));
        }
    }
}
