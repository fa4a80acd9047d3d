//! Norms on a GPU: `kernel.cu` has the formulas, who owns a row, and the order of its sum.
//!
//! Which kernel runs follows from the number of columns alone, so a row's bits do not depend on how many rows there are.

use super::Gain;
use crate::device::check::{equal, grid, narrow, refused, vector};
use crate::device::{
    DeviceError, DeviceParams, DeviceRows, DeviceRowsMut, DeviceView, Grid, KernelName, Stream,
};
use half::bf16;

#[repr(C)]
#[derive(Clone, Copy)]
struct RowNormParams {
    x: u64,
    weight: u64,
    bias: u64,
    out: u64,
    x_stride: u64,
    out_stride: u64,
    rows: u64,
    cols: u32,
    eps: f32,
    one_plus_weight: u32,
    unused: u32,
}
const _: () = assert!(
    size_of::<RowNormParams>() == 72
        && core::mem::offset_of!(RowNormParams, rows) == 48
        && core::mem::offset_of!(RowNormParams, one_plus_weight) == 64
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for RowNormParams {}

#[repr(C)]
#[derive(Clone, Copy)]
struct AddNormedParams {
    y: u64,
    weight: u64,
    hidden: u64,
    next_weight: u64,
    out: u64,
    y_stride: u64,
    hidden_stride: u64,
    out_stride: u64,
    rows: u64,
    cols: u32,
    eps: f32,
    factor: f32,
    one_plus_weight: u32,
}
const _: () = assert!(
    size_of::<AddNormedParams>() == 88
        && core::mem::offset_of!(AddNormedParams, rows) == 64
        && core::mem::offset_of!(AddNormedParams, factor) == 80
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for AddNormedParams {}

#[repr(C)]
#[derive(Clone, Copy)]
struct HeadNormParams {
    x: u64,
    weight: u64,
    stride: u64,
    rows: u64,
    groups: u32,
    group: u32,
    eps: f32,
    one_plus_weight: u32,
}
const _: () = assert!(
    size_of::<HeadNormParams>() == 48
        && core::mem::offset_of!(HeadNormParams, groups) == 32
        && core::mem::offset_of!(HeadNormParams, eps) == 40
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for HeadNormParams {}

/// Kernels of one operation by the widest row that each holds; the last holds none.
struct ByWidth([&'static str; 6]);

/// Widest row, threads of a block, rows of a block.
const WIDTHS: [(usize, u32, u64); 6] = [
    (1024, 256, 8),
    (2048, 128, 1),
    (4096, 256, 1),
    (8192, 512, 1),
    (16384, 512, 1),
    (usize::MAX, 512, 1),
];

macro_rules! by_width {
    ($name:literal) => {
        ByWidth([
            concat!("gradus_", $name, "_1024"),
            concat!("gradus_", $name, "_2048"),
            concat!("gradus_", $name, "_4096"),
            concat!("gradus_", $name, "_8192"),
            concat!("gradus_", $name, "_16384"),
            concat!("gradus_", $name, "_wide"),
        ])
    };
}

const RMS_NORM: ByWidth = by_width!("rms_norm");
const LAYER_NORM: ByWidth = by_width!("layer_norm");
const ADD_NORMED: ByWidth = by_width!("add_normed");
const ADD_NORMED_THEN_NORM: ByWidth = by_width!("add_normed_then_norm");

impl ByWidth {
    fn choose(
        &self,
        op: &str,
        rows: usize,
        cols: usize,
    ) -> Result<(KernelName, Grid), DeviceError> {
        let at = WIDTHS
            .iter()
            .position(|&(widest, ..)| cols <= widest)
            .unwrap_or(WIDTHS.len() - 1);
        let (_, threads, per_block) = WIDTHS[at];
        Ok((name(self.0[at]), grid(op, rows as u64, per_block, threads)?))
    }
}

const fn name(symbol: &'static str) -> KernelName {
    KernelName {
        module: "rms_norm",
        symbol,
    }
}

fn one_plus(gain: Gain) -> u32 {
    u32::from(gain == Gain::OnePlusWeight)
}

fn op(name: &str, rows: usize, cols: usize) -> String {
    format!("{name} of [{rows}, {cols}] on the device")
}

fn same_shape(
    op: &str,
    (rows, cols): (usize, usize),
    out: (usize, usize),
    what: [&'static str; 2],
) -> Result<(), DeviceError> {
    equal(op, what[0], out.0, rows)?;
    equal(op, what[1], out.1, cols)
}

const OUT: [&str; 2] = ["the rows of out", "the columns of out"];
const HIDDEN: [&str; 2] = ["the rows of hidden", "the columns of hidden"];

/// `out = x / sqrt(mean(x^2) + eps) * gain`, each row.
///
/// * `x`: `[rows, cols]`, f32
/// * `weight`: `[cols]`, f32, at 16 bytes
/// * `eps`: added to the mean of squares, rounded to f32
/// * `out`: `[rows, cols]`, bf16, overwritten
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn rms_norm(
    stream: &Stream,
    x: DeviceRows<'_, f32>,
    weight: DeviceView<'_, f32>,
    eps: f64,
    gain: Gain,
    out: DeviceRowsMut<'_, bf16>,
) -> Result<(), DeviceError> {
    let op = op("rms_norm", x.rows(), x.cols());
    row_norm(stream, &op, &RMS_NORM, x, weight, None, eps, gain, out)
}

/// `out = (x - mean) / sqrt(variance + eps) * weight + bias`, each row.
///
/// * `x`: `[rows, cols]`, f32
/// * `weight`, `bias`: `[cols]`, f32, at 16 bytes
/// * `eps`: added to the variance, rounded to f32
/// * `out`: `[rows, cols]`, bf16, overwritten
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn layer_norm(
    stream: &Stream,
    x: DeviceRows<'_, f32>,
    weight: DeviceView<'_, f32>,
    bias: Option<DeviceView<'_, f32>>,
    eps: f64,
    out: DeviceRowsMut<'_, bf16>,
) -> Result<(), DeviceError> {
    let op = op("layer_norm", x.rows(), x.cols());
    let gain = Gain::Weight;
    row_norm(stream, &op, &LAYER_NORM, x, weight, bias, eps, gain, out)
}

fn row_norm(
    stream: &Stream,
    op: &str,
    kernels: &ByWidth,
    x: DeviceRows<'_, f32>,
    weight: DeviceView<'_, f32>,
    bias: Option<DeviceView<'_, f32>>,
    eps: f64,
    gain: Gain,
    out: DeviceRowsMut<'_, bf16>,
) -> Result<(), DeviceError> {
    let (rows, cols) = (x.rows(), x.cols());
    same_shape(op, (rows, cols), (out.rows(), out.cols()), OUT)?;
    let params = RowNormParams {
        x: x.ptr(),
        weight: vector(op, "the weight", &weight, cols)?,
        bias: match &bias {
            Some(bias) => vector(op, "the bias", bias, cols)?,
            None => 0,
        },
        out: out.ptr(),
        x_stride: x.stride() as u64,
        out_stride: out.stride() as u64,
        rows: rows as u64,
        cols: narrow(op, "the columns", cols)?,
        eps: eps as f32,
        one_plus_weight: one_plus(gain),
        unused: 0,
    };
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    let (kernel, grid) = kernels.choose(op, rows, cols)?;
    // SAFETY: `DeviceRows` hold their rows at aligned strides, shapes agree, vectors are as long as a row.
    unsafe { stream.launch(&kernel, grid, &params) }
}

/// `hidden += factor * norm(y)`, each row; without a weight `hidden += factor * y`.
///
/// * `y`: `[rows, cols]`, f32
/// * `weight`: `[cols]`, f32, at 16 bytes
/// * `hidden`: `[rows, cols]`, f32, in place
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn add_normed(
    stream: &Stream,
    y: DeviceRows<'_, f32>,
    weight: Option<DeviceView<'_, f32>>,
    eps: f64,
    gain: Gain,
    factor: f32,
    hidden: DeviceRowsMut<'_, f32>,
) -> Result<(), DeviceError> {
    let op = op("add_normed", y.rows(), y.cols());
    add(stream, &op, y, weight, eps, gain, factor, hidden, None)
}

/// As [`add_normed`], then `out = rms_norm(hidden)` with `next_weight`, in the same pass: the bits of the two one after the other.
///
/// * `next_weight`: `[cols]`, f32, at 16 bytes; its gain and `eps` are those of the first norm
/// * `out`: `[rows, cols]`, bf16, overwritten
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn add_normed_then_norm(
    stream: &Stream,
    y: DeviceRows<'_, f32>,
    weight: Option<DeviceView<'_, f32>>,
    eps: f64,
    gain: Gain,
    factor: f32,
    hidden: DeviceRowsMut<'_, f32>,
    next_weight: DeviceView<'_, f32>,
    out: DeviceRowsMut<'_, bf16>,
) -> Result<(), DeviceError> {
    let op = op("add_normed_then_norm", y.rows(), y.cols());
    let next = Some((next_weight, out));
    add(stream, &op, y, weight, eps, gain, factor, hidden, next)
}

fn add(
    stream: &Stream,
    op: &str,
    y: DeviceRows<'_, f32>,
    weight: Option<DeviceView<'_, f32>>,
    eps: f64,
    gain: Gain,
    factor: f32,
    hidden: DeviceRowsMut<'_, f32>,
    next: Option<(DeviceView<'_, f32>, DeviceRowsMut<'_, bf16>)>,
) -> Result<(), DeviceError> {
    let (rows, cols) = (y.rows(), y.cols());
    same_shape(op, (rows, cols), (hidden.rows(), hidden.cols()), HIDDEN)?;
    let mut params = AddNormedParams {
        y: y.ptr(),
        weight: match &weight {
            Some(weight) => vector(op, "the weight", weight, cols)?,
            None => 0,
        },
        hidden: hidden.ptr(),
        next_weight: 0,
        out: 0,
        y_stride: y.stride() as u64,
        hidden_stride: hidden.stride() as u64,
        out_stride: 0,
        rows: rows as u64,
        cols: narrow(op, "the columns", cols)?,
        eps: eps as f32,
        factor,
        one_plus_weight: one_plus(gain),
    };
    let mut kernels = &ADD_NORMED;
    if let Some((next_weight, out)) = &next {
        same_shape(op, (rows, cols), (out.rows(), out.cols()), OUT)?;
        params.next_weight = vector(op, "the next weight", next_weight, cols)?;
        params.out = out.ptr();
        params.out_stride = out.stride() as u64;
        kernels = &ADD_NORMED_THEN_NORM;
    }
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    let (kernel, grid) = kernels.choose(op, rows, cols)?;
    // SAFETY: `DeviceRows` hold their rows at aligned strides, shapes agree, vectors are as long as a row.
    unsafe { stream.launch(&kernel, grid, &params) }
}

/// RMS norm of every group of `weight.len()` values, in place.
///
/// * `x`: `[rows, groups * weight.len()]`, bf16
/// * `weight`: `[group]`, f32, at 16 bytes
/// * `eps`: added to the mean of squares, rounded to f32
///
/// # Errors
/// `Argument` if rows are not whole groups; else those of a launch.
pub fn rms_norm_heads(
    stream: &Stream,
    x: DeviceRowsMut<'_, bf16>,
    weight: DeviceView<'_, f32>,
    eps: f64,
    gain: Gain,
) -> Result<(), DeviceError> {
    let (rows, cols, group) = (x.rows(), x.cols(), weight.len());
    let op = op("rms_norm_heads", rows, cols);
    if group == 0 || !cols.is_multiple_of(group) {
        let expected = format!("a divisor of {cols}");
        return refused(&op, "the weight's length", group, expected);
    }
    let groups = cols / group;
    let params = HeadNormParams {
        x: x.ptr(),
        weight: vector(&op, "the weight", &weight, group)?,
        stride: x.stride() as u64,
        rows: rows as u64,
        groups: narrow(&op, "the groups of a row", groups)?,
        group: narrow(&op, "the weight's length", group)?,
        eps: eps as f32,
        one_plus_weight: one_plus(gain),
    };
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    // A lane has 8 values of a head and 4 heads; a wider or ragged group has a block of its own.
    let (symbol, per_block) = match group {
        _ if !group.is_multiple_of(8) => ("gradus_rms_norm_heads_any", 1),
        ..=64 => ("gradus_rms_norm_heads_64", 4 * 32),
        65..=128 => ("gradus_rms_norm_heads_128", 4 * 16),
        129..=256 => ("gradus_rms_norm_heads_256", 4 * 8),
        _ => ("gradus_rms_norm_heads_wide", 1),
    };
    let units = (rows as u64).saturating_mul(groups as u64);
    let grid = grid(&op, units, per_block, 256)?;
    // SAFETY: the rows hold whole groups at an aligned stride, the weight is a group long.
    unsafe { stream.launch(&name(symbol), grid, &params) }
}
