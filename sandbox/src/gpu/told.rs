//! What the management library (NVML) says. Whoever uses this crate loads it, or stands in for it.

/// The management library, or a test. Its answers are of this moment.
pub trait Nvml: Send + Sync {
    /// All GPUs that it shows.
    ///
    /// # Errors
    /// Why it does not say.
    fn gpus(&self) -> Result<Vec<Told>, NvmlError>;

    /// What is in use of the GPU or instance with this UUID.
    ///
    /// # Errors
    /// `Lost` if the GPU is gone.
    fn usage(&self, uuid: &str) -> Result<Usage, NvmlError>;
}

/// A GPU, as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `GPU-…`
    pub uuid: String,
    /// `domain:bus:device.function`
    pub pci: String,
    /// N of `/dev/nvidiaN`, if it is told
    pub minor: Option<u32>,
    /// whether it is cut into instances: only those can be used then
    pub cut: bool,
    /// those instances
    pub instances: Vec<ToldInstance>,
}

/// An instance of a GPU, as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldInstance {
    /// `MIG-…`
    pub uuid: String,
    /// its numbers: of the GPU instance and of the compute instance in it; none if they are not told
    pub numbers: Option<(u32, u32)>,
}

/// What is in use of a GPU or of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// by anybody, bytes
    pub used_bytes: u64,
    /// all processes on it
    pub processes: Vec<OnGpu>,
}

/// A process on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnGpu {
    /// its id, as the driver counts
    pub pid: u32,
    /// memory of the GPU that it holds, bytes; some systems do not tell
    pub bytes: Option<u64>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NvmlError {
    /// It fell off the bus.
    #[error("the GPU is lost: it fell off the bus or does not answer")]
    Lost,
    /// The library does not load, or does not start.
    #[error("{0}")]
    Absent(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}
