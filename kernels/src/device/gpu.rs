//! A GPU: opened once, shared by its streams.

use super::error::{Code, DeviceError};
use super::module;
use super::stream::{KernelName, Stream};
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, CUfunction_attribute, CUresult};
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, DriverError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a GPU is.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuInfo {
    /// Number that the driver gives it in this process.
    pub ordinal: usize,
    /// The vendor's name.
    pub name: String,
    /// `GPU-`, or `MIG-` of an instance, and 32 hexadecimal digits, as NVML prints it.
    pub uuid: String,
    /// Compute capability, e.g. (9, 0).
    pub capability: (u32, u32),
    /// Multiprocessors.
    pub sm_count: u32,
    /// Bytes of the second cache.
    pub l2_bytes: u64,
    /// Bytes of shared memory that a block may ask for.
    pub smem_bytes: u32,
    /// Bytes of device memory.
    pub memory_bytes: u64,
    /// Highest clock of the multiprocessors, Hz; 0 if the driver does not say.
    pub clock_hz: f64,
    /// Bandwidth of device memory by its clock and width, bytes/s; 0 if the driver does not say.
    pub memory_bandwidth: f64,
    /// CUDA version of the driver, e.g. 13000.
    pub driver_version: u32,
}

/// An open GPU.
#[derive(Debug)]
pub struct Gpu {
    context: Arc<CudaContext>,
    info: GpuInfo,
    hopper: bool,
    modules: Mutex<HashMap<&'static str, Arc<CudaModule>>>,
    functions: Mutex<HashMap<KernelName, CudaFunction>>,
}

/// Set and not empty, it keeps Hopper on the kernels of compute capability 8.0: for comparing, and for testing them.
const PORTABLE: &str = "GRADUS_PORTABLE_KERNELS";

impl GpuInfo {
    /// Dense bf16 operations a second of the tensor cores with f32 sums, by their number and clock.
    #[must_use]
    pub fn peak_flops(&self) -> f64 {
        // Operations of one multiprocessor a clock: 512 multiply-adds in each of four tensor cores on Hopper, 256 on the
        // data-centre chips before, 128 on the others of those generations.
        let a_clock = match self.capability {
            (9.., _) => 4096.0,
            (8, 0) => 2048.0,
            _ => 1024.0,
        };
        a_clock * f64::from(self.sm_count) * self.clock_hz
    }
}

impl Gpu {
    /// GPUs that the driver shows; 0 without a driver.
    ///
    /// # Errors
    /// If a driver is there and does not start.
    pub fn count() -> Result<usize, DeviceError> {
        match start() {
            Err(DeviceError::NoDriver) => Ok(0),
            Err(error) => Err(error),
            Ok(count) => Ok(count),
        }
    }

    /// Opens GPU `ordinal`.
    ///
    /// # Errors
    /// Without a driver, without that GPU, or if it is older than the kernels.
    pub fn open(ordinal: usize) -> Result<Arc<Self>, DeviceError> {
        let count = start()?;
        if ordinal >= count {
            return Err(DeviceError::NoSuchGpu { ordinal, count });
        }
        let call = |op: &str| {
            let op = op.to_owned();
            move |error: DriverError| DeviceError::call(op, ordinal, error)
        };
        let context = CudaContext::new(ordinal).map_err(call("opening the device"))?;
        // SAFETY: buffers of this crate carry no events; order between streams is `Stream::wait`, see the module's text.
        unsafe { context.disable_event_tracking() };
        let attribute = |a: Attribute| {
            context
                .attribute(a)
                .map(|value| value.max(0) as u32)
                .map_err(call("reading attributes"))
        };
        let name = context.name().map_err(call("reading the name"))?;
        let capability = (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        );
        if capability < (8, 0) {
            return Err(DeviceError::TooOldGpu { name, capability });
        }
        let uuid = context.uuid().map_err(call("reading the UUID"))?;
        let info = GpuInfo {
            ordinal,
            uuid: uuid_text(&name, uuid.bytes.map(|b| b as u8)),
            name,
            capability,
            sm_count: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            l2_bytes: u64::from(attribute(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)?),
            smem_bytes: attribute(
                Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            )?,
            memory_bytes: context.total_mem().map_err(call("reading the memory"))? as u64,
            clock_hz: f64::from(attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?) * 1e3,
            // Two transfers a clock.
            memory_bandwidth: 2e3
                * f64::from(attribute(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?)
                * f64::from(attribute(
                    Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH,
                )?)
                / 8.0,
            driver_version: driver_version(),
        };
        keep_freed_memory(&context).map_err(call("configuring the memory pool"))?;
        let portable = std::env::var_os(PORTABLE).is_some_and(|value| !value.is_empty());
        Ok(Arc::new(Self {
            context,
            hopper: info.capability == (9, 0) && !portable,
            info,
            modules: Mutex::default(),
            functions: Mutex::default(),
        }))
    }

    /// What it is.
    #[must_use]
    pub fn info(&self) -> &GpuInfo {
        &self.info
    }

    /// Whether kernels for Hopper (`sm_90a`) run here: on Hopper, unless `GRADUS_PORTABLE_KERNELS` is set.
    #[must_use]
    pub fn is_hopper(&self) -> bool {
        self.hopper
    }

    /// A new stream.
    ///
    /// # Errors
    /// If the driver refuses.
    pub fn stream(self: &Arc<Self>) -> Result<Stream, DeviceError> {
        Stream::new(self.clone())
    }

    /// The stream that the driver has by itself, and other libraries in this process use. It does not wait for other streams, nor they
    /// for it.
    #[must_use]
    pub fn default_stream(self: &Arc<Self>) -> Stream {
        Stream::default_of(self.clone())
    }

    /// Free and total bytes of device memory; what this process keeps for reuse counts as free.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn memory(&self) -> Result<(u64, u64), DeviceError> {
        let call = |error| self.call("asking for free memory", error);
        let (free, total) = self.context.mem_get_info().map_err(call)?;
        let kept = kept_memory(&self.context).map_err(call)?;
        Ok((free as u64 + kept, total as u64))
    }

    /// The driver's context.
    pub(crate) fn context(&self) -> &Arc<CudaContext> {
        &self.context
    }

    /// An error of a call on this GPU.
    pub(crate) fn call(&self, op: impl Into<String>, error: DriverError) -> DeviceError {
        DeviceError::call(op, self.info.ordinal, error)
    }

    /// An error of an allocation on this GPU.
    pub(crate) fn allocation(&self, what: &str, bytes: u64, error: DriverError) -> DeviceError {
        if error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            let (free, total) = self.memory().unwrap_or((0, self.info.memory_bytes));
            let what = what.to_owned();
            return DeviceError::OutOfMemory {
                what,
                bytes,
                free,
                total,
            };
        }
        self.call(format!("allocating {what} ({bytes} bytes)"), error)
    }

    /// The function of a kernel, loaded at first use and allowed `smem_bytes` of dynamic shared memory.
    pub(crate) fn function(
        &self,
        kernel: &KernelName,
        smem_bytes: u32,
    ) -> Result<CudaFunction, DeviceError> {
        let mut functions = self
            .functions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(kernel) {
            return Ok(function.clone());
        }
        let module = {
            let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
            match modules.get(kernel.module) {
                Some(module) => module.clone(),
                None => {
                    let module = module::load(&self.context, &self.info, kernel.module)?;
                    modules.insert(kernel.module, module.clone());
                    module
                }
            }
        };
        let function = module.load_function(kernel.symbol).map_err(|error| {
            if error.0 == CUresult::CUDA_ERROR_NOT_FOUND {
                DeviceError::Module {
                    kernel: kernel.symbol.to_owned(),
                    reason: format!("module {} has no such symbol", kernel.module),
                }
            } else {
                self.call(format!("looking up {}", kernel.symbol), error)
            }
        })?;
        // All of it once, whatever this launch asks for: later launches may ask for more.
        if smem_bytes > 0 {
            let fixed = function
                .shared_size_bytes()
                .map_err(|error| self.call(format!("reading {}", kernel.symbol), error))?;
            let most = (self.info.smem_bytes as i32 - fixed).max(0);
            function
                .set_attribute(
                    CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                    most,
                )
                .map_err(|error| {
                    self.call(
                        format!("giving {} {most} bytes of shared memory", kernel.symbol),
                        error,
                    )
                })?;
        }
        functions.insert(*kernel, function.clone());
        Ok(function)
    }
}

/// Starts the driver; GPUs that it shows.
fn start() -> Result<usize, DeviceError> {
    // SAFETY: opening a library runs its initialisers; this is the driver's, which every CUDA program runs.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoDriver);
    }
    match CudaContext::device_count() {
        Ok(count) => Ok(count.max(0) as usize),
        Err(error) if error.0 == CUresult::CUDA_ERROR_NO_DEVICE => Ok(0),
        Err(error) => {
            let help = match error.0 {
                CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => {
                    "the driver's library and its kernel module differ: reboot, or mount the host's library"
                }
                CUresult::CUDA_ERROR_OPERATING_SYSTEM | CUresult::CUDA_ERROR_SYSTEM_NOT_READY => {
                    "load the nvidia kernel modules; on NVSwitch machines start the fabric manager"
                }
                _ => "see what nvidia-smi says",
            };
            let reason = Code(error.0).to_string();
            Err(DeviceError::DriverStart { reason, help })
        }
    }
}

/// CUDA version of the driver, 0 if it does not say.
fn driver_version() -> u32 {
    let mut version = 0;
    // SAFETY: writes one integer.
    let result = unsafe { sys::cuDriverGetVersion(&raw mut version) };
    if result == CUresult::CUDA_SUCCESS {
        version.max(0) as u32
    } else {
        0
    }
}

/// Lets the pool keep what was freed, so that allocations of the next chunk cost nothing.
fn keep_freed_memory(context: &Arc<CudaContext>) -> Result<(), DriverError> {
    if !context.has_async_alloc() {
        return Ok(());
    }
    let mut keep = u64::MAX;
    // SAFETY: the device is open; the attribute is a 64-bit integer.
    unsafe {
        let pool = cudarc::driver::result::device::get_default_mem_pool(context.cu_device())?;
        sys::cuMemPoolSetAttribute(
            pool,
            sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut keep).cast(),
        )
        .result()
    }
}

/// Bytes that the pool keeps and nothing uses.
fn kept_memory(context: &Arc<CudaContext>) -> Result<u64, DriverError> {
    use sys::CUmemPool_attribute::{
        CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
    };
    if !context.has_async_alloc() {
        return Ok(0);
    }
    let (mut reserved, mut used) = (0_u64, 0_u64);
    // SAFETY: the device is open; both attributes are 64-bit integers.
    unsafe {
        let pool = cudarc::driver::result::device::get_default_mem_pool(context.cu_device())?;
        let ask = |attribute, value: &mut u64| {
            sys::cuMemPoolGetAttribute(pool, attribute, (&raw mut *value).cast()).result()
        };
        ask(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &mut reserved)?;
        ask(CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &mut used)?;
    }
    Ok(reserved.saturating_sub(used))
}

/// `GPU-8-4-4-4-12` hexadecimal digits, or `MIG-`: an instance is known by its name, such as `NVIDIA H100 80GB HBM3 MIG 1g.10gb`.
fn uuid_text(name: &str, bytes: [u8; 16]) -> String {
    let kind = if name.contains(" MIG ") {
        "MIG-"
    } else {
        "GPU-"
    };
    let mut text = String::from(kind);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_read_as_nvml_prints_them() {
        let bytes = core::array::from_fn(|i| i as u8);
        let text = uuid_text("NVIDIA H100 80GB HBM3", bytes);
        assert_eq!(text, "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f");
        let text = uuid_text("NVIDIA H100 80GB HBM3 MIG 1g.10gb", bytes);
        assert_eq!(text, "MIG-00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
