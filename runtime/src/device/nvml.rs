//! NVIDIA's management library: loaded by name when asked for, and never needed.

use serde::Serialize;
use std::ffi::OsStr;
use std::fmt::Debug;

use nvml_wrapper::error::NvmlError;

/// The name by which the loader looks for the library.
pub const LIBRARY: &str = "libnvidia-ml.so.1";

/// Why there is no management library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum NvmlAbsent {
    /// The loader finds no such file, or cannot load it.
    #[error("the management library does not load: {0}")]
    NotLoaded(String),
    /// A file of that name, without the function that begins everything.
    #[error("the management library is not one: {0}")]
    NotNvml(String),
    /// The kernel module is not loaded.
    #[error("the NVIDIA driver is installed, but not loaded")]
    DriverNotLoaded,
    /// Library and kernel module are of different releases.
    #[error("the NVIDIA library and the loaded driver are of different versions")]
    VersionMismatch,
    /// This user may not talk to the driver.
    #[error("this user may not talk to the NVIDIA driver")]
    NoPermission,
    /// Anything else that it answered.
    #[error("the management library does not start: {0}")]
    Failed(String),
}

impl NvmlAbsent {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotLoaded(_) | Self::NotNvml(_) => {
                "install the NVIDIA driver, with its libnvidia-ml.so.1; in a container, start it with GPUs attached \
                 and the utility capability"
            }
            Self::DriverNotLoaded => "load it with `modprobe nvidia`, or reboot",
            Self::VersionMismatch => {
                "reboot, or reload the kernel module, after the driver's update"
            }
            Self::NoPermission => "the user needs access to /dev/nvidiactl",
            Self::Failed(_) => "`nvidia-smi` may say more",
        }
    }
}

impl From<NvmlError> for NvmlAbsent {
    fn from(error: NvmlError) -> Self {
        match error {
            NvmlError::LibloadingError(error) => Self::NotLoaded(error.to_string()),
            NvmlError::FailedToLoadSymbol(what) => Self::NotNvml(what),
            NvmlError::DriverNotLoaded => Self::DriverNotLoaded,
            NvmlError::LibRmVersionMismatch => Self::VersionMismatch,
            NvmlError::NoPermission => Self::NoPermission,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Why one question about a GPU has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum ReadError {
    /// It fell off the bus, or does not answer.
    #[error("the GPU is lost: it fell off the bus or does not answer")]
    Lost,
    /// It answers nothing until it is reset.
    #[error("the GPU needs a reset")]
    ResetRequired,
    /// This kind of GPU does not have what was asked for.
    #[error("this GPU does not have it")]
    NotSupported,
    /// There is no such device.
    #[error("there is no such GPU")]
    NotFound,
    /// This user may not ask.
    #[error("this user may not ask")]
    NoPermission,
    /// The driver's library is older than the question.
    #[error("the driver is too old to tell ({0})")]
    MissingFunction(String),
    /// Anything else that it answered.
    #[error("{0}")]
    Other(String),
}

impl From<NvmlError> for ReadError {
    fn from(error: NvmlError) -> Self {
        match error {
            NvmlError::GpuLost => Self::Lost,
            NvmlError::ResetRequired => Self::ResetRequired,
            NvmlError::NotSupported => Self::NotSupported,
            NvmlError::NotFound => Self::NotFound,
            NvmlError::NoPermission => Self::NoPermission,
            NvmlError::FailedToLoadSymbol(what) => Self::MissingFunction(what),
            other => Self::Other(other.to_string()),
        }
    }
}

/// The loaded library. It may be shared between threads.
pub struct Nvml {
    // Always there; taken by `drop` alone.
    wrapped: Option<nvml_wrapper::Nvml>,
}

impl Debug for Nvml {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nvml")
    }
}

impl Nvml {
    /// Loads the library where the loader looks for it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn load() -> Result<Self, NvmlAbsent> {
        Self::load_from(LIBRARY.as_ref())
    }

    /// As [`Nvml::load`], from one file.
    ///
    /// # Errors
    /// As [`Nvml::load`].
    pub fn load_from(library: &OsStr) -> Result<Self, NvmlAbsent> {
        let wrapped = nvml_wrapper::Nvml::builder().lib_path(library).init()?;
        Ok(Self {
            wrapped: Some(wrapped),
        })
    }

    pub(super) fn get(&self) -> &nvml_wrapper::Nvml {
        self.wrapped.as_ref().expect("taken by drop alone")
    }
}

impl Drop for Nvml {
    fn drop(&mut self) {
        if let Some(wrapped) = self.wrapped.take() {
            // The wrapper's own drop panics where the library has no shutdown; such a one stays loaded.
            match wrapped.lib().nvmlShutdown.is_ok() {
                true => drop(wrapped),
                false => std::mem::forget(wrapped),
            }
        }
    }
}
