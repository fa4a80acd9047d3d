//! Directories that commands keep between builds: each a file system in an image file, so that its size is bounded.
//!
//! What one build leaves in a cache the next one runs, so builds of people who do not trust each other must not share any: caches belong to a
//! scope that the operator names. Without one they end with their build.
//!
//! Such a file system can be mounted once at a time, so commands that share a cache take turns, whatever `sharing` says.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use gradus_image::layer::remove_tree;
use gradus_sandbox::sandbox::{Sandbox, SandboxError};
use sha2::{Digest as _, Sha256};

use crate::error::BuildError;
use crate::session::{Session, failed, lock_file, make_private};

/// Files of a cache.
const INODES: u64 = 1 << 20;
/// How long the kernel may take to let go of a file system that nobody uses any more.
const LET_GO_WITHIN: Duration = Duration::from_secs(30);

/// A cache that nobody else uses meanwhile.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) image: PathBuf,
    boot: PathBuf,
    _lock: File,
}

impl Cache {
    /// The cache `id` of the build's scope, made where it is not there.
    pub(crate) fn take(
        sandbox: &Sandbox,
        session: &Session,
        scope: Option<&str>,
        id: &str,
        bytes: u64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Cache, BuildError> {
        let mut hash = Sha256::new();
        hash.update(Sha256::digest(scope.unwrap_or_default()));
        hash.update(id);
        let name: String = hash.finalize()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let home = match scope {
            Some(_) => sandbox.state().builds().join("caches").join(name),
            None => session.path().join("caches").join(name),
        };
        make_private(&home)?;
        let lock = lock_file(&home.join("lock"), cancelled)?;
        // Whoever had it before may have been killed, and its command lives on.
        crate::session::sweep(sandbox)?;
        let cache = Cache {
            image: home.join("image"),
            boot: home.join("boot"),
            _lock: lock,
        };
        wait_until_unused(&cache.image)?;
        let now = boot_id();
        match fs::read_to_string(&cache.boot) {
            // The machine stopped while it was in use: a file system without a journal may be anything then.
            Ok(boot) if boot != now => {
                let _ = fs::remove_file(&cache.image);
            }
            _ => {}
        }
        fs::write(&cache.boot, now).map_err(failed("writing", &cache.boot))?;
        if !cache.image.exists() {
            sandbox
                .make_image(&cache.image, bytes, INODES.min(bytes / 4096))
                .map_err(|source| {
                    BuildError::from(SandboxError::Scratch {
                        name: format!("cache {id}"),
                        source,
                    })
                })?;
        }
        Ok(cache)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // Otherwise the cache is made anew after the next start of the machine.
        let _ = fs::remove_file(&self.boot);
    }
}

/// Removes caches that were not used for longer than `age`, or all. Those in use stay. Bytes on the disk that are free then.
///
/// # Errors
/// The system's.
pub fn collect_caches(builds: &Path, age: Duration) -> Result<u64, BuildError> {
    let caches = builds.join("caches");
    let mut freed = 0;
    if !caches.exists() {
        return Ok(freed);
    }
    for entry in fs::read_dir(&caches).map_err(failed("listing", &caches))? {
        let home = entry.map_err(failed("listing", &caches))?.path();
        let Ok(lock) = File::open(home.join("lock")) else {
            continue;
        };
        let ours = rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        let image = home.join("image");
        let used = fs::metadata(&image).and_then(|meta| meta.modified()).ok();
        let old = used.is_none_or(|used| {
            SystemTime::now()
                .duration_since(used)
                .is_ok_and(|since| since >= age)
        });
        if ours.is_ok() && old && loop_devices(&image).is_empty() {
            use std::os::unix::fs::MetadataExt;
            freed += fs::metadata(&image).map_or(0, |meta| meta.blocks() * 512);
            remove_tree(&home).map_err(failed("removing", &home))?;
        }
    }
    Ok(freed)
}

/// A file system that is mounted twice destroys itself.
fn wait_until_unused(image: &Path) -> Result<(), BuildError> {
    let deadline = Instant::now() + LET_GO_WITHIN;
    while !loop_devices(image).is_empty() {
        if Instant::now() > deadline {
            let busy = std::io::Error::other("a loop device still has it");
            return Err(failed("waiting for", image)(busy));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Loop devices behind which the file is.
fn loop_devices(image: &Path) -> Vec<PathBuf> {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    devices
        .map(|device| device.path().join("loop/backing_file"))
        .filter(|file| {
            fs::read_to_string(file).is_ok_and(|text| Path::new(text.trim_end()) == image)
        })
        .collect()
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}
