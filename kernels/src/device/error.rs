//! What can fail on a device.

use cudarc::driver::{DriverError, sys::CUresult};
use std::fmt;
use thiserror::Error;

/// Why an operation on a GPU failed. Each names the operation and what it was about.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// No CUDA driver.
    #[error(
        "no CUDA driver: libcuda.so.1 cannot be loaded\nhelp: install the NVIDIA driver, or compute on the CPU"
    )]
    NoDriver,
    /// The driver is there and does not start.
    #[error("the CUDA driver does not start: {reason}\nhelp: {help}")]
    DriverStart {
        /// What it says.
        reason: String,
        /// What to do.
        help: &'static str,
    },
    /// No such GPU.
    #[error("there is no GPU {ordinal}: the driver shows {count}")]
    NoSuchGpu {
        /// Number asked for.
        ordinal: usize,
        /// GPUs that the driver shows.
        count: usize,
    },
    /// The GPU is older than the kernels.
    #[error(
        "{name} has compute capability {}.{}, the kernels need 8.0 or newer", .capability.0, .capability.1
    )]
    TooOldGpu {
        /// The GPU's name.
        name: String,
        /// Its compute capability.
        capability: (u32, u32),
    },
    /// An argument of an operation does not fit.
    #[error("{op}: {what} is {found}, expected {expected}")]
    Argument {
        /// The operation and its shapes.
        op: String,
        /// Which argument, or which property of it.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// Device memory is used up.
    #[error("out of device memory: {what} takes {bytes} bytes, {free} of {total} are free")]
    OutOfMemory {
        /// What it was for.
        what: String,
        /// Bytes asked for.
        bytes: u64,
        /// Bytes free.
        free: u64,
        /// Bytes there are.
        total: u64,
    },
    /// A kernel's code cannot be had.
    #[error("no code for kernel {kernel}: {reason}")]
    Module {
        /// The kernel.
        kernel: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A library of the vendor's refuses a call.
    #[error("{op} failed: {library} says {status}")]
    Library {
        /// The operation and its shapes.
        op: String,
        /// The library.
        library: &'static str,
        /// What it says.
        status: String,
    },
    /// The driver refuses a call.
    #[error("{op} failed on GPU {gpu}: {code}")]
    Driver {
        /// The operation.
        op: String,
        /// Ordinal of the GPU.
        gpu: usize,
        /// What the driver says.
        code: Code,
    },
    /// The context is poisoned or the device gone: no call on it will succeed again.
    #[error("GPU {gpu} is lost, seen by {op}: {code}")]
    Lost {
        /// The operation that saw it, not necessarily the one that caused it.
        op: String,
        /// Ordinal of the GPU.
        gpu: usize,
        /// What the driver says.
        code: Code,
    },
}

/// An error of the driver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(pub CUresult);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = DriverError(self.0);
        match (error.error_name(), error.error_string()) {
            (Ok(name), Ok(text)) => {
                write!(f, "{} ({})", name.to_string_lossy(), text.to_string_lossy())
            }
            _ => write!(f, "error {}", self.0 as u32),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 as u32)
    }
}

impl DeviceError {
    /// Of a failed call.
    pub(crate) fn call(op: impl Into<String>, gpu: usize, error: DriverError) -> Self {
        let (op, code) = (op.into(), Code(error.0));
        if is_sticky(error.0) {
            Self::Lost { op, gpu, code }
        } else {
            Self::Driver { op, gpu, code }
        }
    }

    /// Whether the device is of no more use to this process.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// Whether less at a time may succeed.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. })
    }
}

/// Errors after which every call in the context fails.
fn is_sticky(code: CUresult) -> bool {
    use CUresult as E;
    matches!(
        code,
        E::CUDA_ERROR_DEINITIALIZED
            | E::CUDA_ERROR_DEVICE_UNAVAILABLE
            | E::CUDA_ERROR_ECC_UNCORRECTABLE
            | E::CUDA_ERROR_NVLINK_UNCORRECTABLE
            | E::CUDA_ERROR_ILLEGAL_ADDRESS
            | E::CUDA_ERROR_LAUNCH_TIMEOUT
            | E::CUDA_ERROR_CONTEXT_IS_DESTROYED
            | E::CUDA_ERROR_ASSERT
            | E::CUDA_ERROR_HARDWARE_STACK_ERROR
            | E::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | E::CUDA_ERROR_MISALIGNED_ADDRESS
            | E::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | E::CUDA_ERROR_INVALID_PC
            | E::CUDA_ERROR_LAUNCH_FAILED
            | E::CUDA_ERROR_UNKNOWN
    )
}
