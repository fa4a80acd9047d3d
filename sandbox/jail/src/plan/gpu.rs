//! GPUs that a job was granted, and directories that are made for them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A GPU, or an instance of one, that the job has to itself. The jail mounts and filters by the plan's other parts; this is for whoever
/// watches the GPU, and for the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// its name for all time, `GPU-…` or `MIG-…`
    pub uuid: String,
    /// its place on the bus, `domain:bus:device.function`
    pub pci: String,
    /// N of `/dev/nvidiaN`
    pub minor: u32,
    /// which part of it, where it is cut into instances
    pub instance: Option<GpuInstance>,
    /// memory of it that the job may take, bytes; none for all
    pub memory_bytes: Option<u64>,
    /// when it was taken, nanoseconds since 1970: this grant of it and no other
    pub taken_unix_ns: u64,
}

/// An instance of a GPU that is cut (MIG).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuInstance {
    /// the whole GPU's name
    pub of: String,
    /// number of the GPU instance
    pub gpu_instance: u32,
    /// number of the compute instance in it
    pub compute_instance: u32,
}

/// One thing in a directory that is made for the job alone ([`Source::Tree`](super::Source::Tree)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// below the directory; folders on the way are made
    pub path: String,
    /// what it is
    pub content: Content,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// a file with this text
    Text {
        /// the text
        text: String,
    },
    /// a symbolic link
    Link {
        /// to where
        to: String,
    },
    /// a file of the host, read-only
    File {
        /// on the host, no link itself
        path: PathBuf,
    },
}
