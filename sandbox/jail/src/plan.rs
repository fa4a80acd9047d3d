//! The plan of a job: every mount, id, limit and rule, as data, before any of it is applied.
//!
//! `gradus sandbox run --dry-run` prints it, the jail applies it, and it lies beside the job's journal for whoever wants to know later what
//! a job could reach. Nothing in it is looked up again when it is applied.

mod bundled;
mod gpu;

pub use bundled::{Before, Bundled, Clocks, MemoryPolicy, Scheduling};
pub use gpu::{Content, Entry, Gpu, GpuInstance};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The form of plans that this version writes and reads.
pub const VERSION: u32 = 1;

/// Everything that is applied to start one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`]
    pub version: u32,
    /// the job's name: lower-case letters, digits, `-`; at most 64
    pub job: String,
    /// who the job is on the host
    pub identity: Identity,
    /// its control groups; empty where the host has none
    pub cgroup: Option<crate::cgroup::Plan>,
    /// limits that this host cannot keep, for whoever judges the job's record
    pub shortfalls: Vec<crate::cgroup::Shortfall>,
    /// the layers under its root, the upper one first; idmapped where `identity` is a range
    pub layers: Vec<PathBuf>,
    /// what it may write to
    pub scratch: Scratch,
    /// whether the root itself can be written (into `scratch`)
    pub writable_root: bool,
    /// whether what it writes to its root goes to its one layer itself, for bundles whose owner asks for it
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_place: bool,
    /// what is mounted into the root, in this order
    pub mounts: Vec<Mount>,
    /// device nodes of the host that exist in its `/dev`
    pub devices: Vec<PathBuf>,
    /// which device nodes its control group may open, wherever they are; empty for no filter
    pub device_rules: Vec<crate::device_filter::Rule>,
    /// below `/proc` and `/sys`: what is hidden
    pub masked: Vec<String>,
    /// below `/proc`: what is read-only
    pub read_only: Vec<String>,
    /// host name inside
    pub hostname: String,
    /// network
    pub network: Network,
    /// limits of each process, which only lower what is there
    pub rlimits: Vec<Rlimit>,
    /// what is run
    pub process: Process,
    /// what its user 0 may do to files and processes of its own ids; none as a rule
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
    /// whether its program waits, with everything applied, until a request starts it ([`crate::protocol::Request::Start`])
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// what only bundles ask for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundled: Option<Bundled>,
    /// whether what it wrote to its root is handed over when it has ended
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_root: bool,
    /// whether landlock is applied, at the newest level that the kernel has
    pub landlock: bool,
    /// name of the seccomp policy; the filters themselves travel beside the plan
    pub seccomp: Option<String>,
    /// whether calls that the policy refuses are written down, by the watcher, which then says no in its place
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub records_refused: bool,
    /// when it ends at the latest
    pub deadline: Option<Deadline>,
    /// what is kept of its output
    pub logs: Logs,
    /// GPUs that it has to itself
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
}

/// Who the job's user 0 is on the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// user id on the host of user 0 inside
    pub uid: u32,
    /// group id on the host of group 0 inside
    pub gid: u32,
    /// how many ids follow; 1 without privileges
    pub count: u32,
}

impl Identity {
    /// Whether it is a range that only root can give: the watcher then has rights that the job has not.
    pub fn is_range(&self) -> bool {
        self.count > 1
    }
}

/// Where the job's writes go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scratch {
    /// memory, which counts against the job's limit
    Tmpfs {
        /// bytes at most
        bytes: u64,
        /// files at most
        inodes: u64,
    },
    /// an image file with a file system of its own, in the job's directory
    Loop {
        /// the image
        image: PathBuf,
    },
    /// a directory of the host, which its file system bounds by a quota for its project ([`crate::quota`])
    Directory {
        /// the directory
        path: PathBuf,
    },
}

/// One mount inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// absolute, inside; made where it is not there
    pub target: String,
    /// what is mounted
    pub source: Source,
}

/// What a mount shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// the processes of the job
    Proc,
    /// devices' attributes, read-only
    Sysfs,
    /// the job's own `/dev`: its device nodes, terminals, standard streams
    Dev,
    /// POSIX message queues
    Mqueue,
    /// memory
    Tmpfs {
        /// bytes at most
        bytes: u64,
        /// files at most
        inodes: u64,
        /// permissions of its root
        mode: u32,
    },
    /// a file or directory of the host, read-only
    ReadOnly {
        /// on the host
        path: PathBuf,
    },
    /// the same with what only bundles ask for
    Bind {
        /// on the host
        path: PathBuf,
        /// how
        how: BindHow,
    },
    /// one device node of the host, which the plan's device rules have to allow too
    Device {
        /// on the host
        path: PathBuf,
    },
    /// a directory that is made for the job, read-only, in place of what its image has there
    Tree {
        /// everything in it
        entries: Vec<Entry>,
    },
    /// a directory below the scratch, `outputs/NAME`, which is taken when the job has ended
    Output {
        /// one path component
        name: String,
    },
    /// a file system in an image file, which outlives the job; its size is the limit
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

/// How a directory of the host is shown to a bundle: read-only, without set-id programs and devices, and with this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BindHow {
    /// with what is mounted below it
    pub recursive: bool,
    /// nothing is run from it
    pub noexec: bool,
    /// links in it lead nowhere
    pub nosymfollow: bool,
    /// when its files were read is not noted
    pub noatime: bool,
    /// it is noted each time
    pub strictatime: bool,
    /// of directories it is not
    pub nodiratime: bool,
}

/// What the job can reach: a loopback, and who answers on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// whose loopback; none for one of its own
    pub of: Option<Neighbour>,
    /// the port of 127.0.0.1 whose listening socket whoever starts the job is given, to answer there with a proxy
    pub proxy_port: Option<u16>,
}

/// A job that runs, and shares its network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// its name
    pub job: String,
    /// its first process
    pub init: i32,
    /// when that was started, in clock ticks since the boot: with its id, that is one process and no other
    pub init_start_ticks: u64,
}

/// One limit of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rlimit {
    /// which
    pub resource: Resource,
    /// lowered to this, never raised
    pub value: u64,
    /// what it is at first, where that is less
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<u64>,
}

/// Limits that a plan can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// size of a core dump
    Core,
    /// open files
    Nofile,
    /// processes and threads of the job's user, in the job
    Nproc,
    /// size of one file
    Fsize,
    /// bytes of locked memory
    Memlock,
    /// bytes in message queues
    Msgqueue,
    /// pending signals
    Sigpending,
    /// how much above others it may set its priority
    Nice,
    /// priority of processes that others wait for
    Rtprio,
    /// addresses, bytes
    As,
    /// data, bytes
    Data,
    /// the stack, bytes
    Stack,
    /// memory that is in use, bytes; no kernel of ours looks at it
    Rss,
    /// processor time, seconds
    Cpu,
    /// locks of files
    Locks,
    /// how long it may run as one that others wait for, microseconds
    Rttime,
}

/// Rights that user 0 of a job may keep. All of them end at its user namespace: they are about files and processes whose ids it has. What
/// is not listed here (mounts, devices, network, other capabilities) no plan can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// gives files to others of its ids
    Chown,
    /// reads and writes files of its ids, whatever their permissions
    DacOverride,
    /// changes permissions and times of files of its ids
    Fowner,
    /// keeps set-group-id bits of what it changes
    Fsetid,
    /// signals to processes of the job, whoever they run as
    Kill,
    /// becomes other groups of its ids
    Setgid,
    /// becomes other users of its ids
    Setuid,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// program and arguments; a program without `/` is looked up in `PATH`
    pub argv: Vec<String>,
    /// `NAME=value`
    pub env: Vec<String>,
    /// absolute, inside
    pub cwd: String,
    /// inside
    pub uid: u32,
    /// inside
    pub gid: u32,
    /// permissions that new files lack
    pub umask: u32,
}

/// The end of a job's time. Suspended time counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// milliseconds from its start until SIGTERM
    pub wall_ms: u64,
    /// milliseconds from there until it is killed
    pub grace_ms: u64,
}

/// What is kept of the standard streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// bytes after which the job is ended as a flood
    pub bytes_max: u64,
    /// bytes kept from the beginning
    pub head_bytes: u64,
    /// bytes kept from the end
    pub tail_bytes: u64,
    /// bytes a second; a job that writes more waits
    pub rate_bytes: u64,
}
