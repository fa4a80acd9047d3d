//! Ordered work on a GPU.

use super::buffer::{DeviceBuffer, DeviceView, DeviceViewMut};
use super::error::DeviceError;
use super::gpu::Gpu;
use super::pinned::Pinned;
use cudarc::driver::sys::{CUevent_flags, CUgraphInstantiate_flags, CUstream, CUstreamCaptureMode};
use cudarc::driver::{
    CudaEvent, CudaGraph, CudaStream, DeviceRepr, LaunchConfig, PushKernelArg, ValidAsZeroBits,
    result,
};
use std::sync::Arc;

/// A kernel: the module that has it (a family, or a family and `_sm90`) and its symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KernelName {
    /// Module.
    pub module: &'static str,
    /// Symbol.
    pub symbol: &'static str,
}

/// How many threads run a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Blocks along x, y and z.
    pub blocks: [u32; 3],
    /// Threads of a block.
    pub threads: u32,
    /// Dynamic shared memory of a block, bytes.
    pub smem_bytes: u32,
}

/// A queue of work, run in order. Clones are the same queue.
#[derive(Clone, Debug)]
pub struct Stream {
    gpu: Arc<Gpu>,
    stream: Arc<CudaStream>,
}

/// A point in a stream.
#[derive(Debug)]
pub struct Event {
    gpu: Arc<Gpu>,
    event: CudaEvent,
}

/// Work that was recorded once and can be replayed with one call.
///
/// It holds no memory: whatever its launches read and write must outlive it.
pub struct Graph {
    gpu: Arc<Gpu>,
    graph: CudaGraph,
}

impl Stream {
    pub(crate) fn new(gpu: Arc<Gpu>) -> Result<Self, DeviceError> {
        let stream = gpu
            .context()
            .new_stream()
            .map_err(|error| gpu.call("making a stream", error))?;
        Ok(Self { gpu, stream })
    }

    pub(crate) fn default_of(gpu: Arc<Gpu>) -> Self {
        let stream = gpu.context().default_stream();
        Self { gpu, stream }
    }

    /// The GPU.
    #[must_use]
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// The driver's stream.
    pub(crate) fn raw(&self) -> CUstream {
        self.stream.cu_stream()
    }

    /// Makes the device's context the current one of this thread.
    pub(crate) fn bind(&self, op: &str) -> Result<(), DeviceError> {
        let context = self.gpu.context();
        context
            .bind_to_thread()
            .map_err(|error| self.gpu.call(op, error))
    }

    /// Memory for `len` values, whose bits are whatever was there.
    ///
    /// # Errors
    /// `OutOfMemory`, which names `what`.
    pub fn alloc<T: DeviceRepr>(
        &self,
        what: &str,
        len: usize,
    ) -> Result<DeviceBuffer<T>, DeviceError> {
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        let fits = usize::try_from(bytes).is_ok_and(|bytes| bytes <= isize::MAX as usize);
        if !fits {
            let (free, total) = self.gpu.memory()?;
            let what = what.to_owned();
            return Err(DeviceError::OutOfMemory {
                what,
                bytes,
                free,
                total,
            });
        }
        // An empty allocation is refused by the driver; one value stands for it.
        // SAFETY: `DeviceBuffer` hands its memory to kernels and copies only; `download` is documented to follow a write.
        let slice = unsafe { self.stream.alloc::<T>(len.max(1)) }
            .map_err(|error| self.gpu.allocation(what, bytes, error))?;
        Ok(DeviceBuffer::new(slice, len))
    }

    /// Memory for `len` zeros.
    ///
    /// # Errors
    /// `OutOfMemory`, which names `what`.
    pub fn alloc_zeroed<T: DeviceRepr + ValidAsZeroBits>(
        &self,
        what: &str,
        len: usize,
    ) -> Result<DeviceBuffer<T>, DeviceError> {
        let mut buffer = self.alloc(what, len)?;
        self.fill_bytes(&mut buffer.view_mut(), 0)?;
        Ok(buffer)
    }

    /// Sets every byte.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn fill_bytes<T>(
        &self,
        out: &mut DeviceViewMut<'_, T>,
        byte: u8,
    ) -> Result<(), DeviceError> {
        if out.is_empty() {
            return Ok(());
        }
        self.bind("filling memory")?;
        // SAFETY: the view is memory of this device of that many bytes, borrowed mutably.
        unsafe {
            result::memset_d8_async(out.ptr(), byte, out.size_bytes(), self.stream.cu_stream())
        }
        .map_err(|error| self.gpu.call("filling memory", error))
    }

    /// A copy of `values` on the device.
    ///
    /// # Errors
    /// `OutOfMemory`, which names `what`.
    pub fn upload<T: DeviceRepr>(
        &self,
        what: &str,
        values: &[T],
    ) -> Result<DeviceBuffer<T>, DeviceError> {
        let mut buffer = self.alloc(what, values.len())?;
        self.copy_in(values, &mut buffer.view_mut())?;
        Ok(buffer)
    }

    /// Copies `values` to the device. They may change as soon as this returns.
    ///
    /// # Errors
    /// If lengths differ or the device is lost.
    pub fn copy_in<T: DeviceRepr>(
        &self,
        values: &[T],
        out: &mut DeviceViewMut<'_, T>,
    ) -> Result<(), DeviceError> {
        same_length("copying to the device", values.len(), out.len())?;
        if values.is_empty() {
            return Ok(());
        }
        self.bind("copying to the device")?;
        // SAFETY: both sides have that many values. Pageable memory is staged before the call returns.
        unsafe { result::memcpy_htod_async(out.ptr(), values, self.stream.cu_stream()) }
            .map_err(|error| self.gpu.call("copying to the device", error))
    }

    /// Copies from pinned memory without waiting. `values` must be left alone until an event after this has passed.
    ///
    /// # Errors
    /// If lengths differ or the device is lost.
    ///
    /// # Safety
    /// `values` is neither written nor freed before the copy is done.
    pub unsafe fn copy_in_pinned(
        &self,
        values: &Pinned,
        bytes: usize,
        out: &mut DeviceViewMut<'_, u8>,
    ) -> Result<(), DeviceError> {
        same_length("copying from pinned memory", bytes, out.len())?;
        if bytes == 0 {
            return Ok(());
        }
        self.bind("copying from pinned memory")?;
        // SAFETY: lengths agree; the caller keeps the source.
        unsafe {
            result::memcpy_htod_async(out.ptr(), &values.bytes()[..bytes], self.stream.cu_stream())
        }
        .map_err(|error| self.gpu.call("copying from pinned memory", error))
    }

    /// Copies within the device.
    ///
    /// # Errors
    /// If lengths differ or the device is lost.
    pub fn copy<T: DeviceRepr>(
        &self,
        from: DeviceView<'_, T>,
        to: &mut DeviceViewMut<'_, T>,
    ) -> Result<(), DeviceError> {
        same_length("copying within the device", from.len(), to.len())?;
        if from.is_empty() {
            return Ok(());
        }
        self.bind("copying within the device")?;
        // SAFETY: both views are memory of this device of that many bytes, one borrowed mutably.
        unsafe {
            result::memcpy_dtod_async(
                to.ptr(),
                from.ptr(),
                from.size_bytes(),
                self.stream.cu_stream(),
            )
        }
        .map_err(|error| self.gpu.call("copying within the device", error))
    }

    /// Waits for all work and copies `values` back. They must have been written.
    ///
    /// # Errors
    /// If the device is lost, also by work before this.
    pub fn download<T: DeviceRepr + ValidAsZeroBits + Copy + Default>(
        &self,
        values: DeviceView<'_, T>,
    ) -> Result<Vec<T>, DeviceError> {
        let mut out = vec![T::default(); values.len()];
        if !values.is_empty() {
            self.bind("copying from the device")?;
            // SAFETY: both sides have that many values, and `out` lives past the synchronisation.
            unsafe { result::memcpy_dtoh_async(&mut out, values.ptr(), self.stream.cu_stream()) }
                .map_err(|error| self.gpu.call("copying from the device", error))?;
        }
        self.synchronize()?;
        Ok(out)
    }

    /// Runs a kernel.
    ///
    /// # Errors
    /// If its code cannot be had, or the driver refuses the launch; [`DeviceError::is_lost`] if earlier work broke the device.
    ///
    /// # Safety
    /// `params` is what the kernel expects, and all memory that it names is there, large enough, on this device, and not in
    /// use by other streams in a way that conflicts.
    pub unsafe fn launch<P: DeviceRepr>(
        &self,
        kernel: &KernelName,
        grid: Grid,
        params: &P,
    ) -> Result<(), DeviceError> {
        let function = self.gpu.function(kernel, grid.smem_bytes)?;
        let [x, y, z] = grid.blocks;
        let config = LaunchConfig {
            grid_dim: (x, y, z),
            block_dim: (grid.threads, 1, 1),
            shared_mem_bytes: grid.smem_bytes,
        };
        let mut launch = self.stream.launch_builder(&function);
        launch.arg(params);
        // SAFETY: the caller's promise.
        unsafe { launch.launch(config) }.map_err(|error| {
            let op = format!("launching {} with {grid:?}", kernel.symbol);
            self.gpu.call(op, error)
        })?;
        Ok(())
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// If any of it broke the device.
    pub fn synchronize(&self) -> Result<(), DeviceError> {
        self.stream
            .synchronize()
            .map_err(|error| self.gpu.call("waiting for the device", error))
    }

    /// A point after all work given so far; `timed` if [`Event::elapsed_ms`] will be asked.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn record(&self, timed: bool) -> Result<Event, DeviceError> {
        let flags = if timed {
            CUevent_flags::CU_EVENT_DEFAULT
        } else {
            CUevent_flags::CU_EVENT_DISABLE_TIMING
        };
        let event = self
            .stream
            .record_event(Some(flags))
            .map_err(|error| self.gpu.call("recording an event", error))?;
        let gpu = self.gpu.clone();
        Ok(Event { gpu, event })
    }

    /// Lets later work of this stream wait for `event`, of any stream.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn wait(&self, event: &Event) -> Result<(), DeviceError> {
        self.stream
            .wait(&event.event)
            .map_err(|error| self.gpu.call("waiting for an event", error))
    }

    /// Records what `work` gives to this stream instead of running it. No memory may be allocated or freed meanwhile.
    ///
    /// # Errors
    /// Those of `work`, or if something in it cannot be recorded.
    pub fn capture(
        &self,
        work: impl FnOnce() -> Result<(), DeviceError>,
    ) -> Result<Graph, DeviceError> {
        let failed = |error| self.gpu.call("recording a graph", error);
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(failed)?;
        let worked = work();
        let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = self.stream.end_capture(flags);
        worked?;
        let graph = graph
            .map_err(failed)?
            .ok_or_else(|| DeviceError::Argument {
                op: "recording a graph".to_owned(),
                what: "work",
                found: "none".to_owned(),
                expected: "at least one launch".to_owned(),
            })?;
        let gpu = self.gpu.clone();
        Ok(Graph { gpu, graph })
    }
}

impl Event {
    /// Waits until the point is reached.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn synchronize(&self) -> Result<(), DeviceError> {
        self.event
            .synchronize()
            .map_err(|error| self.gpu.call("waiting for an event", error))
    }

    /// Whether the point is reached; not if the device is lost.
    pub(crate) fn is_reached(&self) -> bool {
        self.event.is_complete()
    }

    /// Milliseconds from this point to `later`, both recorded as timed; waits for both.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn elapsed_ms(&self, later: &Self) -> Result<f32, DeviceError> {
        self.event
            .elapsed_ms(&later.event)
            .map_err(|error| self.gpu.call("reading a timer", error))
    }
}

impl Graph {
    /// Runs it on the stream that it was recorded on.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn launch(&self) -> Result<(), DeviceError> {
        self.graph
            .launch()
            .map_err(|error| self.gpu.call("launching a graph", error))
    }
}

fn same_length(op: &str, found: usize, expected: usize) -> Result<(), DeviceError> {
    (found == expected)
        .then_some(())
        .ok_or_else(|| DeviceError::Argument {
            op: op.to_owned(),
            what: "the source's length",
            found: found.to_string(),
            expected: expected.to_string(),
        })
}
