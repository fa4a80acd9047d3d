//! DoRA's factor on a GPU. The products of adapters are `linear`'s.

use crate::device::check::{equal, grid, narrow, refused};
use crate::device::{
    DeviceBuffer, DeviceError, DeviceParams, DeviceRows, DeviceView, KernelName, Stream,
};
use half::bf16;

#[repr(C)]
#[derive(Clone, Copy)]
struct DoraScaleParams {
    w: u64,
    a: u64,
    b: u64,
    magnitude: u64,
    out: u64,
    w_stride: u64,
    a_stride: u64,
    b_stride: u64,
    n: u64,
    k: u32,
    rank: u32,
    scale: f32,
    unused: u32,
}
const _: () = assert!(
    size_of::<DoraScaleParams>() == 88
        && core::mem::offset_of!(DoraScaleParams, n) == 64
        && core::mem::offset_of!(DoraScaleParams, scale) == 80
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for DoraScaleParams {}

/// Output features of a block.
const FEATURES: usize = 8;

/// The largest rank: a block keeps its features' B, widened, in shared memory, 32 bytes for each rank.
pub const MAX_DORA_RANK: usize = 1024;

/// `out[n] = magnitude[n] / || w[n] + scale * b[n] a ||`, the norm over input features.
///
/// * `w`: `[out_features, in_features]`, bf16
/// * `a`: `[rank, in_features]`, `b`: `[out_features, rank]`, bf16
/// * `magnitude`: `[out_features]`, f32
/// * `out`: `[out_features]`, overwritten
///
/// # Errors
/// `Argument` if shapes do not fit or the rank is above [`MAX_DORA_RANK`]; else those of a launch.
pub fn dora_scale(
    stream: &Stream,
    w: DeviceRows<'_, bf16>,
    a: DeviceRows<'_, bf16>,
    b: DeviceRows<'_, bf16>,
    scale: f32,
    magnitude: DeviceView<'_, f32>,
    out: &mut DeviceBuffer<f32>,
) -> Result<(), DeviceError> {
    let (n, k, rank) = (w.rows(), w.cols(), a.rows());
    let op = format!("DoRA's factor of [{n}, {k}] with rank {rank} on the device");
    equal(&op, "the columns of A", a.cols(), k)?;
    equal(&op, "the rows of B", b.rows(), n)?;
    equal(&op, "the columns of B", b.cols(), rank)?;
    equal(&op, "the magnitude's length", magnitude.len(), n)?;
    equal(&op, "the length of out", out.len(), n)?;
    if rank > MAX_DORA_RANK {
        return refused(&op, "the rank", rank, format!("at most {MAX_DORA_RANK}"));
    }
    let params = DoraScaleParams {
        w: w.ptr(),
        a: a.ptr(),
        b: b.ptr(),
        magnitude: magnitude.ptr(),
        out: out.view().ptr(),
        w_stride: w.stride() as u64,
        a_stride: a.stride() as u64,
        b_stride: b.stride() as u64,
        n: n as u64,
        k: narrow(&op, "the columns", k)?,
        rank: narrow(&op, "the rank", rank)?,
        scale,
        unused: 0,
    };
    if n == 0 {
        return Ok(());
    }
    let mut grid = grid(&op, n as u64, FEATURES as u64, 256)?;
    grid.smem_bytes = (rank * FEATURES * size_of::<f32>()) as u32;
    let kernel = KernelName {
        module: "lora",
        symbol: "gradus_dora_scale",
    };
    // SAFETY: `DeviceRows` hold their rows at aligned strides, and all shapes agree.
    unsafe { stream.launch(&kernel, grid, &params) }
}
