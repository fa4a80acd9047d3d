//! What a build may use, and what it gives for the environment of its commands.

use std::time::Duration;

use gradus_image::context;

/// What a build may use.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildLimits {
    /// time of all steps together; none for any time
    pub time: Option<Duration>,
    /// memory of a command with page cache, bytes
    pub memory_bytes: u64,
    /// processes and threads of a command
    pub pids: u64,
    /// thousandths of a processor; none for all there are
    pub cpu_millis: Option<u64>,
    /// what one step writes, bytes
    pub disk_bytes: u64,
    /// what one step writes, files
    pub disk_inodes: u64,
    /// what a command may print, bytes
    pub log_bytes: u64,
    /// a cache of `RUN --mount=type=cache`, bytes
    pub cache_bytes: u64,
    /// the image, all layers unpacked, bytes
    pub image_bytes: u64,
    /// the context
    pub context: context::Limits,
    /// files from here on are reported: of contexts and images of code, these are the ones to look at
    pub large_bytes: u64,
}

impl Default for BuildLimits {
    fn default() -> BuildLimits {
        BuildLimits {
            time: Some(Duration::from_secs(3600)),
            memory_bytes: 4 << 30,
            pids: 4096,
            cpu_millis: None,
            disk_bytes: 16 << 30,
            disk_inodes: 1_000_000,
            log_bytes: 256 << 20,
            cache_bytes: 8 << 30,
            image_bytes: 48 << 30,
            context: context::Limits {
                bytes: 2 << 30,
                ..context::Limits::default()
            },
            large_bytes: 64 << 20,
        }
    }
}
