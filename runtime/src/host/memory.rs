//! Memory, as the kernel and the control groups around this process limit it.

use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of memory. `None`: this system does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Installed.
    pub total: Option<u64>,
    /// The tightest limit of a control group around this process.
    pub limit: Option<u64>,
    /// What can be used now without swapping, within the limit.
    pub available: Option<u64>,
}

impl Memory {
    /// Of this machine, for this process.
    pub fn read() -> Self {
        Self::read_under(Path::new("/"))
    }

    /// As [`Memory::read`], with `/proc` and `/sys` under `root`.
    pub fn read_under(root: &Path) -> Self {
        let meminfo = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
        let total = meminfo_bytes(&meminfo, "MemTotal:");
        let mut available = meminfo_bytes(&meminfo, "MemAvailable:");
        let mut limit: Option<u64> = None;
        for group in groups(root) {
            let Some(most) = group
                .limit
                .filter(|most| total.is_none_or(|total| *most < total))
            else {
                continue;
            };
            limit = Some(limit.map_or(most, |limit| limit.min(most)));
            let left = most.saturating_sub(group.used.unwrap_or(0));
            available = Some(available.map_or(left, |available| available.min(left)));
        }
        Self {
            total,
            limit,
            available,
        }
    }
}

fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

struct Group {
    limit: Option<u64>,
    // Without file cache, which goes when memory is asked for.
    used: Option<u64>,
}

// This process's group and every one above it: each of them can be the one that is full.
fn groups(root: &Path) -> Vec<Group> {
    let lines = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut groups = Vec::new();
    for line in lines.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (mount, files) = if controllers.is_empty() {
            (
                "sys/fs/cgroup",
                ["memory.max", "memory.current", "inactive_file "],
            )
        } else if controllers.split(',').any(|name| name == "memory") {
            (
                "sys/fs/cgroup/memory",
                [
                    "memory.limit_in_bytes",
                    "memory.usage_in_bytes",
                    "total_inactive_file ",
                ],
            )
        } else {
            continue;
        };
        let mount = root.join(mount);
        let mut relative = PathBuf::from(path.trim_start_matches('/'));
        loop {
            groups.push(read_group(&mount.join(&relative), files));
            if !relative.pop() {
                break;
            }
        }
    }
    groups
}

fn read_group(directory: &Path, [limit, used, cache]: [&str; 3]) -> Group {
    let number = |name: &str| {
        fs::read_to_string(directory.join(name))
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    let cached = fs::read_to_string(directory.join("memory.stat"))
        .ok()
        .and_then(|stat| {
            stat.lines()
                .find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok())
        });
    Group {
        limit: number(limit),
        used: number(used).map(|used| used.saturating_sub(cached.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  6291456 kB\n";

    fn host(files: &[(&str, &str)]) -> Memory {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Memory::read_under(root.path())
    }

    #[test]
    fn without_limits_the_kernel_decides() {
        let memory = host(&[("proc/meminfo", MEMINFO), ("proc/self/cgroup", "0::/\n")]);
        assert_eq!(
            memory,
            Memory {
                total: Some(8 << 30),
                limit: None,
                available: Some(6 << 30)
            }
        );
        assert_eq!(
            host(&[]),
            Memory {
                total: None,
                limit: None,
                available: None
            }
        );
    }

    #[test]
    fn the_tightest_group_above_decides_and_file_cache_does_not_count() {
        let memory = host(&[
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/job/step\n"),
            ("sys/fs/cgroup/job/memory.max", "4294967296\n"),
            ("sys/fs/cgroup/job/memory.current", "2147483648\n"),
            (
                "sys/fs/cgroup/job/memory.stat",
                "anon 1\ninactive_file 1073741824\n",
            ),
            ("sys/fs/cgroup/job/step/memory.max", "max\n"),
        ]);
        assert_eq!(
            memory,
            Memory {
                total: Some(8 << 30),
                limit: Some(4 << 30),
                available: Some(3 << 30)
            }
        );
    }

    #[test]
    fn the_first_version_of_control_groups_is_read_too() {
        let memory = host(&[
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "3:cpu:/x\n2:memory:/x\n0::/\n"),
            (
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                "1073741824\n",
            ),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ]);
        assert_eq!(
            (memory.limit, memory.available),
            (Some(1 << 30), Some(1 << 30))
        );
    }
}
