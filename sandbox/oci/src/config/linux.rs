//! What only Linux has.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What only Linux has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Linux {
    /// what a container has of its own
    pub namespaces: Vec<Namespace>,
    /// whose ids it has
    pub uid_mappings: Vec<Value>,
    /// whose ids it has
    pub gid_mappings: Vec<Value>,
    /// offsets of its clocks
    pub time_offsets: Option<Value>,
    /// nodes in its `/dev`
    pub devices: Vec<Device>,
    /// network interfaces of the host that it takes
    pub net_devices: Option<Value>,
    /// where its control groups are
    pub cgroups_path: Option<String>,
    /// what it may use
    pub resources: Resources,
    /// shares of caches and memory bandwidth
    pub intel_rdt: Option<Value>,
    /// where its memory is
    pub memory_policy: Option<Value>,
    /// settings of the kernel for its namespaces
    pub sysctl: BTreeMap<String, String>,
    /// which system calls it makes
    pub seccomp: Option<Seccomp>,
    /// what becomes of mounts below its root
    pub rootfs_propagation: Option<String>,
    /// what is hidden
    pub masked_paths: Vec<String>,
    /// what cannot be written
    pub readonly_paths: Vec<String>,
    /// a label of SELinux
    pub mount_label: Option<String>,
    /// which kernel it believes to run on
    pub personality: Option<Value>,
}

/// A namespace.
#[derive(Clone, Debug, Deserialize)]
pub struct Namespace {
    /// which
    #[serde(rename = "type")]
    pub kind: String,
    /// one that is there already
    pub path: Option<String>,
}

/// A device node.
#[derive(Clone, Debug, Deserialize)]
pub struct Device {
    /// inside
    pub path: String,
    /// `c`, `b`, `p`
    #[serde(rename = "type")]
    pub kind: String,
}

/// What a container may use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// which device nodes it opens
    pub devices: Vec<DeviceRule>,
    /// memory
    pub memory: Memory,
    /// processors
    pub cpu: Cpu,
    /// processes
    pub pids: Option<Pids>,
    /// disks
    #[serde(rename = "blockIO")]
    pub block_io: Option<Value>,
    /// large pages
    pub hugepage_limits: Vec<Value>,
    /// how its packets are marked
    pub network: Option<Value>,
    /// remote memory
    pub rdma: Option<Value>,
    /// files of control groups of version 2
    pub unified: BTreeMap<String, String>,
}

/// Which device nodes a container opens.
#[derive(Clone, Debug, Deserialize)]
pub struct DeviceRule {
    /// whether, or not
    pub allow: bool,
    /// `a`, `c`, `b`
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// which
    pub major: Option<i64>,
    /// which
    pub minor: Option<i64>,
    /// `r`, `w`, `m`
    pub access: Option<String>,
}

/// Memory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// bytes; -1 for any
    pub limit: Option<i64>,
    /// bytes that are kept for it
    pub reservation: Option<i64>,
    /// bytes with what is swapped
    pub swap: Option<i64>,
    /// of the kernel
    pub kernel: Option<i64>,
    /// of the kernel, for connections
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: Option<i64>,
    /// how readily it is swapped
    pub swappiness: Option<u64>,
    /// whether it waits for memory instead of being ended
    #[serde(rename = "disableOOMKiller")]
    pub disable_oom_killer: Option<bool>,
    /// whether groups below count
    pub use_hierarchy: Option<bool>,
    /// whether a limit is checked against what is in use
    pub check_before_update: Option<bool>,
}

/// Processors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cpu {
    /// weight among others
    pub shares: Option<u64>,
    /// microseconds in each period; -1 for any
    pub quota: Option<i64>,
    /// microseconds beyond, saved up
    pub burst: Option<u64>,
    /// microseconds of a period
    pub period: Option<u64>,
    /// microseconds of real time
    pub realtime_runtime: Option<i64>,
    /// microseconds of its period
    pub realtime_period: Option<u64>,
    /// which, by number
    pub cpus: Option<String>,
    /// which memory
    pub mems: Option<String>,
    /// whether it has only what others leave
    pub idle: Option<i64>,
}

/// Processes.
#[derive(Clone, Debug, Deserialize)]
pub struct Pids {
    /// how many; 0 and less for any
    pub limit: Option<i64>,
}

/// Which system calls a container makes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seccomp {
    /// of all that are not named
    pub default_action: String,
    /// what they answer
    pub default_errno_ret: Option<u32>,
    /// for which machines
    #[serde(default)]
    pub architectures: Vec<String>,
    /// of the filter
    #[serde(default)]
    pub flags: Vec<String>,
    /// who is asked
    pub listener_path: Option<String>,
    /// those that are named
    #[serde(default)]
    pub syscalls: Vec<SeccompCall>,
}

/// What is done about some system calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompCall {
    /// which
    pub names: Vec<String>,
    /// what
    pub action: String,
    /// what they answer
    pub errno_ret: Option<u32>,
    /// only with these arguments
    #[serde(default)]
    pub args: Vec<Value>,
}
