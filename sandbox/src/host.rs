//! What this host offers, found by trying it, once for each place that a supervisor runs in.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use gradus_jail::cgroup;

/// The control groups that jobs can have. What was found is kept in `folder` until the machine is started anew, or mounts or this process's
/// own groups change: looking takes milliseconds, a launch no more than that.
pub(crate) fn control_groups(folder: &Path) -> cgroup::Host {
    let read = |path: &str| fs::read(path).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    for path in [
        "/proc/sys/kernel/random/boot_id",
        "/proc/self/cgroup",
        "/proc/self/mountinfo",
    ] {
        read(path).hash(&mut hasher);
    }
    rustix::process::geteuid().as_raw().hash(&mut hasher);
    let kept = folder.join(format!("control-groups-{:016x}.json", hasher.finish()));
    if let Some(host) = fs::read(&kept)
        .ok()
        .and_then(|text| serde_json::from_slice::<cgroup::Host>(&text).ok())
        && host
            .v2
            .iter()
            .chain(&host.v1)
            .all(|hierarchy| hierarchy.parent.exists())
    {
        return host;
    }
    let host = cgroup::Host::discover(&cgroup::Settings::default());
    let aside = folder.join(format!("control-groups-{}.tmp", std::process::id()));
    // Not to have it kept costs time, nothing else.
    let text = serde_json::to_vec_pretty(&host).expect("plain data");
    if fs::write(&aside, text).is_ok() {
        let _ = fs::rename(&aside, &kept);
    }
    host
}
