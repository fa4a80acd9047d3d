//! Whether a GPU and its driver can run the kernels of this build. Pure.
//!
//! Kernels are machine code for compute capability 8.0 and later, made by CUDA 13.0. A driver runs machine code of its
//! own CUDA major version or an older one, so it has to be of the 580 branch or newer; or an older data-centre driver
//! with CUDA's forward-compatibility package, which then reports CUDA 13.

use serde::Serialize;
use std::fmt::{self, Display};

/// CUDA compute capability of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Capability {
    /// Generation.
    pub major: u32,
    /// Within it.
    pub minor: u32,
}

impl Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The oldest GPUs that kernels are made for: Ampere.
pub const OLDEST_CAPABILITY: Capability = Capability { major: 8, minor: 0 };

/// CUDA version that a driver must know, as it counts them: 1000 × major + 10 × minor.
pub const CUDA_NEEDED: u32 = 13_000;

/// The oldest driver branch that knows it.
pub const DRIVER_NEEDED: u32 = 580;

/// Whether evaluation can use a GPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Support {
    /// It can.
    Supported,
    /// The GPU is older than the kernels.
    OldGpu {
        /// What it has.
        capability: Capability,
    },
    /// The driver cannot load the kernels.
    OldDriver {
        /// Its version, as it says.
        driver: String,
    },
    /// The GPU or the driver do not say enough.
    Unknown,
}

impl Support {
    /// Of a GPU's capability, the driver's version, and the CUDA version that the driver reports.
    pub fn of(
        capability: Option<Capability>,
        driver: Option<&str>,
        cuda_driver: Option<u32>,
    ) -> Self {
        if let Some(capability) = capability
            && capability < OLDEST_CAPABILITY
        {
            return Self::OldGpu { capability };
        }
        let branch = driver.and_then(|text| text.split('.').next()?.parse::<u32>().ok());
        let knows = match (cuda_driver, branch) {
            (Some(cuda), _) => Some(cuda >= CUDA_NEEDED),
            (None, Some(branch)) => Some(branch >= DRIVER_NEEDED),
            (None, None) => None,
        };
        match (knows, capability) {
            (Some(false), _) => Self::OldDriver {
                driver: driver.unwrap_or("of unknown version").to_owned(),
            },
            (Some(true), Some(_)) => Self::Supported,
            _ => Self::Unknown,
        }
    }
}

impl Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Supported => write!(f, "evaluation can use it"),
            Self::OldGpu { capability } => write!(
                f,
                "evaluation cannot use it: its compute capability is {capability}, kernels need {OLDEST_CAPABILITY} or \
                 newer (Ampere, Ada, Hopper)"
            ),
            Self::OldDriver { driver } => write!(
                f,
                "evaluation cannot use it: driver {driver} does not load CUDA 13 kernels; install driver \
                 {DRIVER_NEEDED} or newer"
            ),
            Self::Unknown => write!(
                f,
                "whether evaluation can use it is unknown: it does not tell its compute capability, or the driver \
                 its version"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ampere_with_a_driver_of_cuda_13_is_supported() {
        let capability = |major, minor| Some(Capability { major, minor });
        let supported = [
            (capability(8, 0), Some("580.65.06"), Some(13_000)),
            (capability(9, 0), Some("590.1"), None),
            (capability(12, 0), None, Some(13_010)),
            // The forward-compatibility package.
            (capability(8, 0), Some("535.230.02"), Some(13_000)),
        ];
        for (capability, driver, cuda) in supported {
            let support = Support::of(capability, driver, cuda);
            assert_eq!(support, Support::Supported, "{driver:?}");
        }
        for (driver, cuda) in [
            (Some("575.57.08"), Some(12_090)),
            (Some("525.60.13"), None),
            (Some("579.99"), None),
        ] {
            let support = Support::of(capability(9, 0), driver, cuda);
            assert!(matches!(support, Support::OldDriver { .. }), "{driver:?}");
            assert!(support.to_string().contains("install driver 580"));
        }
        // An old GPU is not helped by a driver.
        let turing = Support::of(capability(7, 5), Some("470.1"), Some(11_040));
        assert!(turing.to_string().contains("7.5"), "{turing}");
        assert_eq!(Support::of(None, Some("580.1"), None), Support::Unknown);
        assert_eq!(Support::of(capability(9, 0), None, None), Support::Unknown);
    }
}
