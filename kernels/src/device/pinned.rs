//! Host memory that the device copies from directly.

use super::error::DeviceError;
use super::gpu::Gpu;
use cudarc::driver::result;
use std::sync::Arc;

/// Page-locked host memory, in bytes.
#[derive(Debug)]
pub struct Pinned {
    gpu: Arc<Gpu>,
    ptr: *mut u8,
    len: usize,
}

// SAFETY: plain memory, owned; the pointer is not shared.
unsafe impl Send for Pinned {}
// SAFETY: shared references only read it.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// `len` zero bytes.
    ///
    /// # Errors
    /// If the host cannot lock that much.
    pub fn new(gpu: &Arc<Gpu>, len: usize) -> Result<Self, DeviceError> {
        let failed = |error| gpu.call(format!("locking {len} bytes of host memory"), error);
        gpu.context().bind_to_thread().map_err(failed)?;
        // SAFETY: an allocation; portable, so that copies to every device of the process are direct.
        let ptr = unsafe {
            result::malloc_host(len.max(1), cudarc::driver::sys::CU_MEMHOSTALLOC_PORTABLE)
        }
        .map_err(failed)?
        .cast::<u8>();
        // SAFETY: just allocated with this length.
        unsafe { ptr.write_bytes(0, len.max(1)) };
        Ok(Self {
            gpu: gpu.clone(),
            ptr,
            len,
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len` initialised bytes, borrowed as `self` is.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }

    /// Its bytes, to be written.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, mutably.
        unsafe { core::slice::from_raw_parts_mut(self.ptr, self.len) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let context = self.gpu.context();
        context.record_err(context.bind_to_thread());
        // SAFETY: allocated by `malloc_host`, freed once.
        context.record_err(unsafe { result::free_host(self.ptr.cast()) });
    }
}
