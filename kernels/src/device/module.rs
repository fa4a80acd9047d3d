//! Where a kernel's code comes from.

use super::error::DeviceError;
use super::gpu::GpuInfo;
use cudarc::driver::{CudaContext, CudaModule};
use cudarc::nvrtc::Ptx;
use std::sync::Arc;

/// Loads module `name` for the device.
pub(crate) fn load(
    context: &Arc<CudaContext>,
    info: &GpuInfo,
    name: &'static str,
) -> Result<Arc<CudaModule>, DeviceError> {
    let image = b"\x7fELF".to_vec();
    context
        .load_module(Ptx::from_binary(image))
        .map_err(|error| DeviceError::call(format!("loading module {name}"), info.ordinal, error))
}
