//! What a job may have left on the host.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus_sandbox::sandbox::Sandbox;

/// Where to look for a job when it is gone.
#[derive(Debug)]
pub(crate) struct Traces {
    name: String,
    ids: std::ops::Range<u32>,
    watcher: Option<i32>,
    state: PathBuf,
}

impl Traces {
    /// Of a job that is still there.
    pub(crate) fn of(sandbox: &Sandbox, name: &str) -> Traces {
        let state = sandbox.state();
        let plan = state.plan(name).unwrap().expect("it was planned");
        let first = plan.identity.uid;
        let processes = state.record(name).unwrap().processes;
        Traces {
            name: name.to_owned(),
            ids: first..first + plan.identity.count,
            watcher: processes.map(|processes| processes.watcher),
            // jobs/NAME is two below it
            state: state
                .directory(name)
                .ancestors()
                .nth(2)
                .expect("an absolute path")
                .to_owned(),
        }
    }
}

/// Processes by their user, control groups by name, mounts and loop devices by the state directory, files.
#[track_caller]
pub(crate) fn assert_nothing_remains(traces: &Traces) {
    // The kernel frees a file system that was in use a moment ago a moment later.
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let found = remains(traces);
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "{} left: {found:?}", traces.name);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn remains(traces: &Traces) -> Vec<String> {
    let mut found = Vec::new();
    for pid in process_ids() {
        let owner = fs::metadata(format!("/proc/{pid}")).map(|meta| meta.uid());
        let of_the_job = fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|text| {
            let ids = text.lines().find_map(|line| line.strip_prefix("Uid:"));
            ids.is_some_and(|ids| {
                ids.split_whitespace()
                    .filter_map(|id| id.parse().ok())
                    .any(|id: u32| traces.ids.contains(&id))
            })
        });
        if of_the_job || owner.is_ok_and(|owner| traces.ids.contains(&owner)) {
            found.push(format!("process {pid}"));
        }
    }
    if let Some(watcher) = traces.watcher
        && fs::read_to_string(format!("/proc/{watcher}/stat"))
            .is_ok_and(|stat| stat.contains("(gradus-jail)") && !stat.contains(") Z "))
    {
        found.push(format!("watcher {watcher}"));
    }
    let suffix = format!("-{}", traces.name);
    groups(Path::new("/sys/fs/cgroup"), &mut |group| {
        let name = group
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let members = || fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        if name.starts_with("gradus-") && name.ends_with(&suffix) {
            found.push(format!(
                "control group {} with {:?}",
                group.display(),
                members()
            ));
        }
    });
    let state = traces.state.display().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    found.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&state))
            .map(|line| format!("mount {line}")),
    );
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let file = entry.path().join("loop/backing_file");
        if fs::read_to_string(file)
            .is_ok_and(|text| text.contains(&state) && text.contains(&format!("/{}/", traces.name)))
        {
            found.push(format!("loop device {:?}", entry.file_name()));
        }
    }
    if traces.state.join("jobs").join(&traces.name).exists() {
        found.push("its directory".to_owned());
    }
    for entry in fs::read_dir(traces.state.join("ids"))
        .into_iter()
        .flatten()
        .flatten()
    {
        if fs::read_to_string(entry.path()).is_ok_and(|holder| holder == traces.name) {
            found.push(format!("its ids {:?}", entry.file_name()));
        }
    }
    found
}

/// All processes of the host.
pub(crate) fn process_ids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn groups(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            each(&entry.path());
            groups(&entry.path(), each);
        }
    }
}
