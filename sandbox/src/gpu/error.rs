//! Why a job gets no GPU.

use std::io;
use std::path::PathBuf;

use super::quarantine::Record;
use super::told::NvmlError;

/// Why a job gets no GPU, or what is held cannot be looked after. All of it is about the host or what was asked for: no job has begun.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// The kernel module is not there.
    #[error(
        "the NVIDIA driver is not loaded: there is no {}\nhelp: install the driver, and load it with `modprobe nvidia`", .0.display()
    )]
    NotLoaded(PathBuf),
    /// It says its version in a form that is not known.
    #[error("{} names no version of the driver: {text:?}", path.display())]
    Version {
        /// the file
        path: PathBuf,
        /// what it says
        text: String,
    },
    /// No library.
    #[error(
        "there is no {name} of the NVIDIA driver {version}; looked in {}\nhelp: install the libraries of that very version",
        searched.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoLibrary {
        /// which
        name: String,
        /// of which driver
        version: String,
        /// where
        searched: Vec<PathBuf>,
    },
    /// The libraries are of another release than the module.
    #[error(
        "{} is of version {found}, but the loaded NVIDIA driver is {loaded}\nhelp: reboot, or unload and load the kernel module, after the driver's update",
        library.display()
    )]
    Mismatch {
        /// the library
        library: PathBuf,
        /// its version
        found: String,
        /// the module's
        loaded: String,
    },
    /// A file of the driver that is not what it should be.
    #[error(
        "{} leads to {}, expected is a regular file of that name below {}\nhelp: reinstall the driver's package", path.display(), leads_to.display(), root.display()
    )]
    Elsewhere {
        /// the file
        path: PathBuf,
        /// what is there
        leads_to: PathBuf,
        /// the driver's root
        root: PathBuf,
    },
    /// A device node is not there.
    #[error("there is no device node {}\nhelp: {help}", path.display())]
    NoNode {
        /// which
        path: PathBuf,
        /// how to get it
        help: &'static str,
    },
    /// A device node is another device.
    #[error(
        "{} is {found}, expected is the character device {major}:{minor}\nhelp: remove it, and have `nvidia-modprobe` make it anew", path.display()
    )]
    Node {
        /// which
        path: PathBuf,
        /// what it is
        found: String,
        /// expected
        major: u32,
        /// expected
        minor: u32,
    },
    /// The driver has no such kind of devices.
    #[error("the driver has no devices {name}: /proc/devices does not list them\nhelp: {help}")]
    NoMajor {
        /// which
        name: &'static str,
        /// how to get them
        help: &'static str,
    },
    /// No such GPU.
    #[error("there is no GPU {uuid:?}; there are: {known}\nhelp: `gradus sandbox gpus` lists them")]
    Unknown {
        /// what was asked for
        uuid: String,
        /// what there is
        known: String,
    },
    /// More than one.
    #[error("{uuid:?} begins the UUID of several GPUs: {among}\nhelp: write more of it")]
    Ambiguous {
        /// what was asked for
        uuid: String,
        /// what it may mean
        among: String,
    },
    /// One GPU twice.
    #[error("{0} is asked for twice")]
    Twice(String),
    /// It is cut into instances.
    #[error("{uuid} is cut into instances (MIG)\nhelp: ask for one of them: {instances}")]
    Cut {
        /// which
        uuid: String,
        /// its instances
        instances: String,
    },
    /// The instance's nodes are not known.
    #[error("{uuid}: {what}")]
    Instance {
        /// which
        uuid: String,
        /// what is missing, and what to do
        what: String,
    },
    /// Somebody has it.
    #[error("{uuid} is held by {holder}\nhelp: wait for it, or ask for another one")]
    Held {
        /// which
        uuid: String,
        /// by whom
        holder: String,
    },
    /// Somebody uses it whom nobody here knows.
    #[error(
        "{uuid} is in use by other processes: {}\nhelp: end them, or ask for another one",
        pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    InUse {
        /// which
        uuid: String,
        /// their ids
        pids: Vec<u32>,
    },
    /// It did not come back from another job.
    #[error(
        "{uuid} is in quarantine: {record}\nhelp: look at it; `gradus sandbox gpus release {uuid}` ends it"
    )]
    Quarantined {
        /// which
        uuid: String,
        /// why
        record: Box<Record>,
    },
    /// The management library does not say what has to be known.
    #[error("what the management library says of {what} is unknown")]
    Nvml {
        /// of what
        what: String,
        /// why
        source: NvmlError,
    },
    /// More memory than it has, or none.
    #[error("{0}")]
    Request(String),
    /// A file.
    #[error("{}", path.display())]
    Io {
        /// which
        path: PathBuf,
        /// why
        source: io::Error,
    },
}

pub(super) fn io_error(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> GpuError {
    let path = path.into();
    move |source| GpuError::Io { path, source }
}
