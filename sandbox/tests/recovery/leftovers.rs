//! What must not be there when all jobs are removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::busybox::{Busybox, job_on};

/// How long the kernel has to give back what nobody uses any more.
const GRACE: Duration = Duration::from_secs(5);

/// Fails if anything of any job is left: control groups, processes, loop devices, ids, files.
pub(crate) fn assert_none(busybox: &Busybox, after: &str) {
    let deadline = Instant::now() + GRACE;
    let prefix = group_prefix(busybox);
    loop {
        let left = all(busybox, &prefix);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{after}: left are {left:#?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How the names of this state directory's control groups begin.
pub(crate) fn group_prefix(busybox: &Busybox) -> String {
    let mut job = job_on(&busybox.path().join("rootfs"), "x", "");
    job.best_effort = true;
    let plan = busybox.sandbox.plan(&job).unwrap();
    let name = plan
        .cgroup
        .map_or("gradus-none-x".to_owned(), |groups| groups.name);
    name.strip_suffix('x').unwrap().to_owned()
}

/// How many processes are in groups whose names begin so.
pub(crate) fn processes(prefix: &str) -> usize {
    let of_a_job = |process: &PathBuf| {
        fs::read_to_string(process.join("cgroup")).is_ok_and(|text| text.contains(prefix))
    };
    entries(Path::new("/proc")).filter(of_a_job).count()
}

fn all(busybox: &Busybox, prefix: &str) -> Vec<String> {
    let state = busybox.path().join("state").canonicalize().unwrap();
    let mut left = Vec::new();
    for part in ["jobs", "ids", "new", "gone"] {
        left.extend(entries(&state.join(part)).map(|path| format!("file {}", path.display())));
    }
    left.extend(
        entries(&state.join("templates"))
            .filter(|path| path.extension().is_some_and(|end| end == "tmp"))
            .map(|path| format!("file {}", path.display())),
    );
    left.extend(entries(Path::new("/run/gradus/ids")).filter_map(|path| {
        let holder = fs::read_link(path).ok()?;
        let holder = holder.to_string_lossy();
        holder
            .contains(&*state.to_string_lossy())
            .then(|| format!("ids of {holder}"))
    }));
    groups(Path::new("/sys/fs/cgroup"), prefix, 6, &mut left);
    for process in entries(Path::new("/proc")) {
        let is_of_a_job = fs::read_link(process.join("cwd"))
            .is_ok_and(|cwd| cwd.starts_with(&state))
            || fs::read_to_string(process.join("cgroup")).is_ok_and(|text| text.contains(prefix));
        if is_of_a_job {
            let status = fs::read_to_string(process.join("status")).unwrap_or_default();
            let name = status.lines().take(3).collect::<Vec<_>>().join(", ");
            left.push(format!("process {}: {name}", process.display()));
        }
    }
    for device in entries(Path::new("/sys/block")) {
        let file = fs::read_to_string(device.join("loop/backing_file")).unwrap_or_default();
        if Path::new(file.trim()).starts_with(&state) {
            left.push(format!(
                "loop device {} of {}",
                device.display(),
                file.trim()
            ));
        }
    }
    left
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

fn groups(directory: &Path, prefix: &str, depth: u32, left: &mut Vec<String>) {
    for path in entries(directory).filter(|path| path.is_dir() && !path.is_symlink()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(prefix) {
            left.push(format!("group {}", path.display()));
        }
        if depth > 0 {
            groups(&path, prefix, depth - 1, left);
        }
    }
}
