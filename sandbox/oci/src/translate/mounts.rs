//! What is mounted into the root.

use std::fs;
use std::path::Path;

use gradus_jail::plan::{BindHow, Mount as Planned, Source};
use gradus_sandbox::bundle::Bundle;
use gradus_sandbox::job::Job;

use super::{inside, none, of_host};
use crate::config::Mount;
use crate::error::{OciError, io_error};

/// File systems that every job has, where it has them, as which type.
const FIXED: [(&str, &str); 6] = [
    ("/proc", "proc"),
    ("/sys", "sysfs"),
    ("/dev", "tmpfs"),
    ("/dev/pts", "devpts"),
    ("/dev/shm", "tmpfs"),
    ("/dev/mqueue", "mqueue"),
];

/// What a mount's options say.
#[derive(Default)]
struct Options {
    bind: bool,
    read_only: bool,
    how: BindHow,
    size: Option<u64>,
    inodes: Option<u64>,
    mode: Option<u32>,
}

/// Adds the mounts.
pub(super) fn add(
    mounts: &[Mount],
    bundle: &Path,
    layer: &Path,
    job: &mut Job,
    ours: &mut Bundle,
    withheld: &mut Vec<String>,
) -> Result<(), OciError> {
    for (index, mount) in mounts.iter().enumerate() {
        let property = format!("mounts[{index}]");
        let target = &mount.destination;
        inside(&property, target)?;
        none(
            &property,
            &mount.uid_mappings,
            "files have the ids that they have in the bundle",
        )?;
        none(
            &property,
            &mount.gid_mappings,
            "files have the ids that they have in the bundle",
        )?;
        let kind = mount.kind.as_deref().unwrap_or("");
        let options = options(&property, &mount.options)?;
        if let Some((_, expected)) = FIXED.iter().find(|(fixed, _)| fixed == target)
            && !options.bind
        {
            if kind != *expected {
                let why = format!("{target} is {kind:?}, in every job it is {expected}");
                return Err(OciError::refused(property, why));
            }
            ordinary(&property, layer, target)?;
            fixed(target, &options, job, ours);
        } else if kind == "cgroup" || kind == "cgroup2" {
            withheld.push(format!(
                "{property}: {target}, a job sees no control groups"
            ));
        } else if options.bind || kind == "bind" {
            bind(&property, mount, bundle, options, ours, withheld)?;
        } else if kind == "tmpfs" {
            let bytes = options.size.unwrap_or(job.limits.disk_bytes);
            ours.mounts.push(Planned {
                target: target.clone(),
                source: Source::Tmpfs {
                    bytes: bytes.min(job.limits.disk_bytes),
                    inodes: options.inodes.unwrap_or(job.limits.disk_inodes),
                    mode: options.mode.unwrap_or(0o1777),
                },
            });
            after(target, &options, ours);
        } else {
            let why = format!(
                "{target}: a file system {kind:?}, expected proc, sysfs, tmpfs, mqueue, devpts or a bind"
            );
            return Err(OciError::refused(property, why));
        }
    }
    Ok(())
}

/// Where a tool expects a directory of the bundle and a link leads elsewhere.
fn ordinary(property: &str, layer: &Path, target: &str) -> Result<(), OciError> {
    let place = layer.join(target.trim_start_matches('/'));
    match fs::symlink_metadata(&place) {
        Ok(meta) if !meta.is_dir() => {
            let why = format!(
                "{target} must be mounted on ordinary directory, the bundle has something else there"
            );
            Err(OciError::refused(property, why))
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error(place)(error)),
        _ => Ok(()),
    }
}

fn fixed(target: &str, options: &Options, job: &mut Job, ours: &mut Bundle) {
    if target == "/dev/shm" {
        if let Some(size) = options.size {
            job.limits.shm_bytes = size.min(job.limits.memory_bytes);
        }
        // Every other one of them is without programs anyhow.
        after(target, options, ours);
    } else if options.read_only && target != "/sys" {
        ours.read_only.push(target.to_owned());
    }
}

fn after(target: &str, options: &Options, ours: &mut Bundle) {
    if options.read_only {
        ours.read_only.push(target.to_owned());
    }
    if options.how.noexec {
        ours.bundled.no_exec.push(target.to_owned());
    }
}

fn bind(
    property: &str,
    mount: &Mount,
    bundle: &Path,
    options: Options,
    ours: &mut Bundle,
    withheld: &mut Vec<String>,
) -> Result<(), OciError> {
    let source = mount.source.as_ref();
    let source = source.ok_or_else(|| OciError::refused(property, "a bind of nothing"))?;
    let path = of_host(bundle, source);
    let path = path.canonicalize().map_err(io_error(path))?;
    if !options.read_only {
        withheld.push(format!("{property}: writing to {}", path.display()));
    }
    ours.mounts.push(Planned {
        target: mount.destination.clone(),
        source: Source::Bind {
            path,
            how: options.how,
        },
    });
    Ok(())
}

fn options(property: &str, texts: &[String]) -> Result<Options, OciError> {
    let mut found = Options::default();
    for text in texts {
        let refused = |why: &str| {
            Err(OciError::refused(
                property,
                format!("option {text:?}: {why}"),
            ))
        };
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        match name {
            "bind" => found.bind = true,
            "rbind" => (found.bind, found.how.recursive) = (true, true),
            "ro" | "rro" => found.read_only = true,
            "noexec" | "rnoexec" => found.how.noexec = true,
            "nosymfollow" | "rnosymfollow" => found.how.nosymfollow = true,
            "noatime" | "rnoatime" => found.how.noatime = true,
            "strictatime" | "rstrictatime" => found.how.strictatime = true,
            "nodiratime" | "rnodiratime" => found.how.nodiratime = true,
            // What every mount of a job has, or nobody can see.
            "nosuid" | "rnosuid" | "nodev" | "rnodev" | "private" | "rprivate" | "relatime"
            | "rrelatime" | "defaults" | "async" | "newinstance" | "ptmxmode" | "gid" | "uid" => {}
            "exec" | "rexec" | "symfollow" | "rsymfollow" | "diratime" | "rdiratime" | "atime"
            | "ratime" | "norelatime" | "rnorelatime" | "nostrictatime" | "rnostrictatime"
            | "silent" | "loud" => {}
            "size" => found.size = Some(bytes(value).ok_or_else(|| wrong(property, text))?),
            "nr_inodes" => {
                found.inodes = Some(value.parse().map_err(|_| wrong(property, text))?);
            }
            "mode" => {
                let mode = u32::from_str_radix(value, 8)
                    .ok()
                    .filter(|mode| *mode <= 0o1777);
                found.mode = Some(mode.ok_or_else(|| wrong(property, text))?);
            }
            "rw" | "rrw" => return refused("no job writes to a directory of the host"),
            "suid" | "rsuid" => return refused("no program of a job gains rights by being run"),
            "dev" | "rdev" => return refused("a job has no device nodes but those in its /dev"),
            "idmap" | "ridmap" => {
                return refused("files have the ids that they have in the bundle");
            }
            "shared" | "rshared" | "slave" | "rslave" | "unbindable" | "runbindable" => {
                return refused("mounts of a job are its own");
            }
            _ => return refused("what it would do is not known"),
        }
    }
    Ok(found)
}

fn wrong(property: &str, text: &str) -> OciError {
    OciError::refused(property, format!("option {text:?}: a number is expected"))
}

/// `64m`, `65536k`.
fn bytes(text: &str) -> Option<u64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    let factor = match unit {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}
