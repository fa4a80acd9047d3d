//! What a job may have left on the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus_sandbox::sandbox::Sandbox;

/// Where to look for a job when it is gone.
#[derive(Debug)]
pub(crate) struct Traces {
    name: String,
    /// of its control groups; no other job of the host has it
    group: String,
    watcher: Option<i32>,
    state: PathBuf,
}

impl Traces {
    /// Of a job that is still there.
    pub(crate) fn of(sandbox: &Sandbox, name: &str) -> Traces {
        let state = sandbox.state();
        let plan = state.plan(name).unwrap().expect("it was planned");
        let processes = state.record(name).unwrap().processes;
        Traces {
            name: name.to_owned(),
            group: plan.cgroup.expect("root has control groups").name,
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

    /// Processes in the job's groups, also in those that are removed.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                fs::read_to_string(format!("/proc/{pid}/cgroup"))
                    .is_ok_and(|groups| groups.contains(&self.group))
            })
            .collect()
    }
}

/// Processes by their control group, control groups by name, mounts and loop devices by the state directory, files.
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
    found.extend(
        traces
            .processes()
            .iter()
            .map(|pid| format!("process {pid}")),
    );
    if let Some(watcher) = traces.watcher
        && fs::read_to_string(format!("/proc/{watcher}/stat"))
            .is_ok_and(|stat| stat.contains("(gradus-jail)") && !stat.contains(") Z "))
    {
        found.push(format!("watcher {watcher}"));
    }
    groups(Path::new("/sys/fs/cgroup"), &mut |group| {
        if group.file_name().is_some_and(|name| *name == *traces.group) {
            let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            found.push(format!(
                "control group {} with {members:?}",
                group.display()
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

fn groups(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            each(&entry.path());
            groups(&entry.path(), each);
        }
    }
}
