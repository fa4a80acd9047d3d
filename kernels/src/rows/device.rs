//! Rows copied on a GPU: by index, or to bf16.

use crate::device::check::{equal, grid, narrow};
use crate::device::{
    DeviceError, DeviceParams, DeviceRows, DeviceRowsMut, DeviceView, KernelName, Stream,
};
use half::bf16;

#[repr(C)]
#[derive(Clone, Copy)]
struct GatherParams {
    x: u64,
    index: u64,
    out: u64,
    x_stride: u64,
    out_stride: u64,
    x_rows: u64,
    rows: u64,
    cols: u32,
    unused: u32,
}
const _: () = assert!(
    size_of::<GatherParams>() == 64
        && core::mem::offset_of!(GatherParams, rows) == 48
        && core::mem::offset_of!(GatherParams, cols) == 56
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for GatherParams {}

#[repr(C)]
#[derive(Clone, Copy)]
struct ToBf16Params {
    x: u64,
    out: u64,
    x_stride: u64,
    out_stride: u64,
    rows: u64,
    cols: u32,
    unused: u32,
}
const _: () = assert!(
    size_of::<ToBf16Params>() == 48
        && core::mem::offset_of!(ToBf16Params, rows) == 32
        && core::mem::offset_of!(ToBf16Params, cols) == 40
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for ToBf16Params {}

const fn name(symbol: &'static str) -> KernelName {
    KernelName {
        module: "rows",
        symbol,
    }
}

/// `out[r] = x[rows[r]]`, bits as they are.
///
/// * `x`: `[from, cols]`, f32
/// * `rows`: `[to]`; the caller has checked them against `x`, and one that is outside gives a row of NaN
/// * `out`: `[to, cols]`, f32, overwritten
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn gather_f32(
    stream: &Stream,
    x: DeviceRows<'_, f32>,
    rows: DeviceView<'_, u32>,
    out: DeviceRowsMut<'_, f32>,
) -> Result<(), DeviceError> {
    gather(stream, "gradus_gather_f32", 4, x, rows, out)
}

/// As [`gather_f32`], of bf16.
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn gather_bf16(
    stream: &Stream,
    x: DeviceRows<'_, bf16>,
    rows: DeviceView<'_, u32>,
    out: DeviceRowsMut<'_, bf16>,
) -> Result<(), DeviceError> {
    gather(stream, "gradus_gather_bf16", 8, x, rows, out)
}

/// `width`: values in 16 bytes.
fn gather<T>(
    stream: &Stream,
    symbol: &'static str,
    width: usize,
    x: DeviceRows<'_, T>,
    rows: DeviceView<'_, u32>,
    out: DeviceRowsMut<'_, T>,
) -> Result<(), DeviceError> {
    let cols = x.cols();
    let op = format!("gathering {} rows of {cols} on the device", rows.len());
    equal(&op, "the rows of out", out.rows(), rows.len())?;
    equal(&op, "the columns of out", out.cols(), cols)?;
    let params = GatherParams {
        x: x.ptr(),
        index: rows.ptr(),
        out: out.ptr(),
        x_stride: x.stride() as u64,
        out_stride: out.stride() as u64,
        x_rows: x.rows() as u64,
        rows: rows.len() as u64,
        cols: narrow(&op, "the columns", cols)?,
        unused: 0,
    };
    if rows.is_empty() || cols == 0 {
        return Ok(());
    }
    let units = (rows.len() as u64).saturating_mul(cols.div_ceil(width) as u64);
    let grid = grid(&op, units, 4 * 256, 256)?;
    // SAFETY: `DeviceRows` hold their rows at aligned strides, shapes agree, indices past x are not followed.
    unsafe { stream.launch(&name(symbol), grid, &params) }
}

/// What can be rounded to bf16 on the device: f32 and f16.
pub trait Rounded: sealed::Sealed {}

mod sealed {
    pub trait Sealed {
        const SYMBOL: &'static str;
    }
}

impl sealed::Sealed for f32 {
    const SYMBOL: &'static str = "gradus_to_bf16_f32";
}
impl sealed::Sealed for half::f16 {
    const SYMBOL: &'static str = "gradus_to_bf16_f16";
}
impl Rounded for f32 {}
impl Rounded for half::f16 {}

/// `out = x`, rounded to nearest even.
///
/// * `x`: `[rows, cols]`, f32 or f16
/// * `out`: `[rows, cols]`, bf16, overwritten
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn to_bf16<T: Rounded>(
    stream: &Stream,
    x: DeviceRows<'_, T>,
    out: DeviceRowsMut<'_, bf16>,
) -> Result<(), DeviceError> {
    let (rows, cols) = (x.rows(), x.cols());
    let op = format!("rounding [{rows}, {cols}] to bf16 on the device");
    equal(&op, "the rows of out", out.rows(), rows)?;
    equal(&op, "the columns of out", out.cols(), cols)?;
    let params = ToBf16Params {
        x: x.ptr(),
        out: out.ptr(),
        x_stride: x.stride() as u64,
        out_stride: out.stride() as u64,
        rows: rows as u64,
        cols: narrow(&op, "the columns", cols)?,
        unused: 0,
    };
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    let width = 16 / size_of::<T>();
    let units = (rows as u64).saturating_mul(cols.div_ceil(width) as u64);
    let grid = grid(&op, units, 4 * 256, 256)?;
    // SAFETY: `DeviceRows` hold their rows at aligned strides, and shapes agree.
    unsafe { stream.launch(&name(T::SYMBOL), grid, &params) }
}
