//! Which disks a job reads from and writes to, for limits of their rates.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gradus_jail::cgroup::{IoLimit, LimitName, Shortfall};

use crate::job::{Job, Limits};

/// File systems in memory, which have no disk to be slow.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// A limit for each disk under the job's files, and what lies on none that can be limited.
///
/// # Errors
/// A path that cannot be looked at, by name.
pub(crate) fn limits(
    job: &Job,
    state: &Path,
) -> Result<(Vec<IoLimit>, Vec<Shortfall>), (PathBuf, io::Error)> {
    let Limits {
        io_read_bps: read_bps,
        io_write_bps: write_bps,
        ..
    } = job.limits;
    if read_bps.is_none() && write_bps.is_none() {
        return Ok((Vec::new(), Vec::new()));
    }
    let inputs = job.inputs.iter().map(|input| input.host.as_path());
    let layers = job.layers.iter().map(PathBuf::as_path);
    let (mut disks, mut shortfalls) = (BTreeSet::new(), Vec::new());
    for path in layers.chain(inputs).chain([state]) {
        match disk_under(path).map_err(|error| (path.to_owned(), error))? {
            Under::Disk(major, minor) => _ = disks.insert((major, minor)),
            Under::Memory => {}
            Under::Unknown => shortfalls.push(Shortfall {
                limit: LimitName::Io,
                why: format!(
                    "{} lies on no one disk whose rate could be limited: move it to a file system that does, such as ext4 or xfs",
                    path.display()
                ),
            }),
        }
    }
    let limits = disks.into_iter().map(|(major, minor)| IoLimit {
        major,
        minor,
        read_bps,
        write_bps,
        ..IoLimit::default()
    });
    Ok((limits.collect(), shortfalls))
}

#[derive(Debug, PartialEq, Eq)]
enum Under {
    /// a whole disk, by its number
    Disk(u32, u32),
    Memory,
    /// several, or something that is far away
    Unknown,
}

fn disk_under(path: &Path) -> io::Result<Under> {
    let device = rustix::fs::stat(path)?.st_dev;
    let number = (rustix::fs::major(device), rustix::fs::minor(device));
    // What is no block device has no number of a driver.
    if number.0 == 0 {
        let kind = rustix::fs::statfs(path)?.f_type;
        return Ok(if IN_MEMORY.contains(&(kind as i64)) {
            Under::Memory
        } else {
            Under::Unknown
        });
    }
    let node = PathBuf::from(format!("/sys/dev/block/{}:{}", number.0, number.1));
    if !node.join("partition").exists() {
        return Ok(Under::Disk(number.0, number.1));
    }
    // Rates are a whole disk's.
    let disk = node.canonicalize()?;
    let disk = disk.parent().map(|disk| disk.join("dev"));
    let text = fs::read_to_string(disk.unwrap_or_default())?;
    let parsed = text
        .trim()
        .split_once(':')
        .and_then(|(major, minor)| Some(Under::Disk(major.parse().ok()?, minor.parse().ok()?)));
    Ok(parsed.unwrap_or(Under::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_what_is_no_disk_are_told_apart() {
        assert_eq!(disk_under(Path::new("/dev/shm")).unwrap(), Under::Memory);
        assert_eq!(disk_under(Path::new("/proc")).unwrap(), Under::Unknown);
        assert!(disk_under(Path::new("/nowhere")).is_err());
    }
}
