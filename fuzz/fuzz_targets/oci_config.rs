//! A bundle's configuration. What is accepted asks for nothing that no job has.
#![no_main]

use gradus_oci::config::{Config, Root};
use gradus_oci::translate::translate;
use gradus_sandbox::plan::Resource;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|json: &[u8]| {
    let Ok(mut config) = Config::parse(json) else {
        return;
    };
    // A root that is there, whichever it names; and one that is written is the caller's business.
    config.root = Some(Root {
        path: "/".into(),
        readonly: true,
    });
    let Ok(found) = translate(&config, Path::new("/"), "job", "{}") else {
        return;
    };
    let (job, bundle) = (&found.job, &found.bundle);
    assert!(!job.argv.is_empty() && job.cwd.starts_with('/'));
    assert!(
        job.argv
            .iter()
            .chain(&job.env)
            .all(|text| !text.contains('\0'))
    );
    assert!(job.uid < 65_536 && job.gid < 65_536);
    assert!(bundle.bundled.groups.iter().all(|group| *group < 65_536));
    assert!(!bundle.in_place && !job.writable_root);
    let own = ["pid", "network", "ipc", "uts", "mount"];
    let kinds = &config.linux.namespaces;
    assert!(
        own.iter()
            .all(|own| kinds.iter().any(|kind| kind.kind == *own))
    );
    assert!(
        kinds
            .iter()
            .all(|kind| kind.path.as_deref().unwrap_or("").is_empty())
    );
    for (path, _) in &bundle.bundled.sysctls {
        assert!(path.starts_with("net/") && !path.contains("..") && !path.contains("//"));
    }
    for limit in &bundle.rlimits {
        assert!(limit.soft.is_none_or(|soft| soft <= limit.value));
        assert!(limit.resource != Resource::Core || limit.value <= 1);
    }
    for path in bundle.masked.iter().chain(&bundle.read_only) {
        assert!(path.starts_with('/'));
    }
    for mount in &bundle.mounts {
        assert!(mount.target.starts_with('/') && !mount.target.contains('\0'));
    }
    if let Some(scheduling) = bundle.bundled.scheduling {
        assert!(scheduling.nice >= 0 && [0, 3, 5].contains(&scheduling.policy));
    }
    if cfg!(feature = "canary") {
        assert!(bundle.hostname.as_deref() != Some("canary"), "canary");
    }
});
