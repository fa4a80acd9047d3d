//! What is asked for when something is run.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A program to be run on layers of files, what it is given, and what it may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// lower-case letters, digits and `-`, at most 64; no other job of the same state directory has it
    pub name: String,
    /// directories under its root, the uppermost first; never changed
    pub layers: Vec<PathBuf>,
    /// whether it may write to its root; what it writes is gone when it ends
    pub writable_root: bool,
    /// program and arguments
    pub argv: Vec<String>,
    /// `NAME=value`; nothing of the host's environment is added
    pub env: Vec<String>,
    /// absolute, inside
    pub cwd: String,
    /// inside
    pub uid: u32,
    /// inside
    pub gid: u32,
    /// files and directories of the host that it may read
    pub inputs: Vec<Input>,
    /// directories that are taken when it has ended
    pub outputs: Vec<Output>,
    /// what it can reach
    #[serde(default)]
    pub network: Network,
    /// where its writes go
    pub scratch: ScratchKind,
    /// what it may use
    pub limits: Limits,
    /// whether it runs also where the host cannot keep some limit; its record says which
    pub best_effort: bool,
    /// whether system calls that it is refused are written down ([`crate::refused`])
    #[serde(default)]
    pub record_refused: bool,
}

/// What a job can reach: a loopback, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// the job that runs already and whose loopback it shares, if there is one: both are at 127.0.0.1
    pub of: Option<String>,
    /// the port of 127.0.0.1 where whoever starts it answers, through [`Started::proxy`](crate::sandbox::Started)
    pub proxy_port: Option<u16>,
}

/// Where a job's writes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScratchKind {
    /// to memory, which counts against its limit
    Memory,
    /// to the state directory's disk, in a file system of its own
    Disk,
    /// to the state directory's disk, in a directory that its file system bounds by a quota for projects
    Quota,
    /// to disk where the host can bound it, else to memory
    #[default]
    Auto,
}

/// A file or directory of the host, seen inside, read-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// on the host, absolute
    pub host: PathBuf,
    /// inside, absolute
    pub inside: String,
}

/// A directory inside whose content is taken when the job has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// what it is called afterwards: lower-case letters, digits, `-`
    pub name: String,
    /// inside, absolute
    pub inside: String,
}

/// What makes a job a step of a build: it changes its root as its user 0, and what it wrote there can be taken when it has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildStep {
    /// what is mounted meanwhile, in this order
    pub mounts: Vec<StepMount>,
}

/// Something that is there while a step of a build runs, and not in its root afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepMount {
    /// inside, absolute
    pub inside: String,
    /// what is there
    pub source: StepSource,
}

/// What a step's mount shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepSource {
    /// a file or directory of the host, read-only
    ReadOnly(PathBuf),
    /// an empty directory, part of the step's memory
    Memory {
        /// bytes at most
        bytes: u64,
    },
    /// a directory in an image file, which is kept; root alone can have it
    Image {
        /// the image, in use by nobody else
        image: PathBuf,
        /// permissions of the directory, where it is new
        mode: u32,
        /// its owner inside, then
        uid: u32,
        /// and group
        gid: u32,
    },
}

/// What a job may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// memory with page cache, bytes
    pub memory_bytes: u64,
    /// processes and threads
    pub pids: u64,
    /// thousandths of a processor; none for all there are
    pub cpu_millis: Option<u64>,
    /// processors by number, `0-3,8`; none for all
    pub cpuset: Option<String>,
    /// what it reads a second from each disk under its layers, inputs and writes, bytes; none for any rate
    pub io_read_bps: Option<u64>,
    /// what it writes a second to each of them, bytes; none for any rate
    pub io_write_bps: Option<u64>,
    /// what it writes, bytes
    pub disk_bytes: u64,
    /// what it writes, files
    pub disk_inodes: u64,
    /// `/dev/shm`, bytes; part of its memory
    pub shm_bytes: u64,
    /// open files of a process
    pub open_files: u64,
    /// time from its start until SIGTERM; none for any time
    pub wall: Option<Duration>,
    /// time from SIGTERM until it is killed
    pub grace: Duration,
    /// what it may print, bytes
    pub log_bytes: u64,
    /// what it may print a second, bytes; beyond that it waits
    pub log_rate_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: 1 << 30,
            pids: 1024,
            cpu_millis: None,
            cpuset: None,
            io_read_bps: None,
            io_write_bps: None,
            disk_bytes: 1 << 30,
            disk_inodes: 100_000,
            shm_bytes: 64 << 20,
            open_files: 4096,
            wall: None,
            grace: Duration::from_secs(10),
            log_bytes: 1 << 30,
            log_rate_bytes: 16 << 20,
        }
    }
}
