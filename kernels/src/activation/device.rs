//! Gated activations on a GPU: `kernel.cu` has the formulas.

use super::Activation;
use crate::device::check::{equal, grid, narrow, refused};
use crate::device::{DeviceError, DeviceParams, DeviceRows, DeviceRowsMut, KernelName, Stream};
use half::bf16;

#[repr(C)]
#[derive(Clone, Copy)]
struct GatedParams {
    x: u64,
    out: u64,
    x_stride: u64,
    out_stride: u64,
    rows: u64,
    inner: u32,
    unused: u32,
}
const _: () = assert!(
    size_of::<GatedParams>() == 48
        && core::mem::offset_of!(GatedParams, rows) == 32
        && core::mem::offset_of!(GatedParams, inner) == 40
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for GatedParams {}

/// `out = activation(gate) * up` of rows that are a gate's values, then an up's.
///
/// * `gate_up`: `[rows, 2 * inner]`, bf16
/// * `out`: `[rows, inner]`, bf16, overwritten; rounded once from f32
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn gated_halves(
    stream: &Stream,
    kind: Activation,
    gate_up: DeviceRows<'_, bf16>,
    out: DeviceRowsMut<'_, bf16>,
) -> Result<(), DeviceError> {
    let (rows, cols) = (gate_up.rows(), gate_up.cols());
    let op = format!("gated activation of [{rows}, {cols}] on the device");
    if !cols.is_multiple_of(2) {
        let expected = "a gate and an up of one length";
        return refused(&op, "the columns", cols, expected);
    }
    let inner = cols / 2;
    equal(&op, "the rows of out", out.rows(), rows)?;
    equal(&op, "the columns of out", out.cols(), inner)?;
    let params = GatedParams {
        x: gate_up.ptr(),
        out: out.ptr(),
        x_stride: gate_up.stride() as u64,
        out_stride: out.stride() as u64,
        rows: rows as u64,
        inner: narrow(&op, "the columns of out", inner)?,
        unused: 0,
    };
    if rows == 0 || inner == 0 {
        return Ok(());
    }
    let whole = inner.is_multiple_of(8);
    let symbol = match (kind, whole) {
        (Activation::Silu, true) => "gradus_gated_silu",
        (Activation::Gelu, true) => "gradus_gated_gelu",
        (Activation::GeluTanh, true) => "gradus_gated_gelu_tanh",
        (Activation::Silu, false) => "gradus_gated_silu_ragged",
        (Activation::Gelu, false) => "gradus_gated_gelu_ragged",
        (Activation::GeluTanh, false) => "gradus_gated_gelu_tanh_ragged",
    };
    let (width, per_block) = if whole { (8, 2 * 256) } else { (1, 256) };
    let units = (rows as u64).saturating_mul((inner / width) as u64);
    let grid = grid(&op, units, per_block, 256)?;
    let kernel = KernelName {
        module: "activation",
        symbol,
    };
    // SAFETY: `DeviceRows` hold their rows at aligned strides, and shapes agree.
    unsafe { stream.launch(&kernel, grid, &params) }
}
