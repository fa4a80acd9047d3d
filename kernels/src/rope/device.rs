//! Rotary embedding on a GPU: `kernel.cu` says who computes what. Tables come from the CPU side, where angles are f64.

use super::{RopeLayout, RopeTable};
use crate::device::check::{equal, grid, narrow, refused, vector};
use crate::device::{
    DeviceBuffer, DeviceError, DeviceParams, DeviceRowsMut, DeviceView, KernelName, Stream,
};
use crate::rms_norm::Gain;
use half::bf16;

#[repr(C)]
#[derive(Clone, Copy)]
struct RotateParams {
    x: u64,
    table: u64,
    positions: u64,
    stride: u64,
    rows: u64,
    table_positions: u32,
    half: u32,
    head_dim: u32,
    heads: u32,
    interleaved: u32,
    unused: u32,
}
const _: () = assert!(
    size_of::<RotateParams>() == 64
        && core::mem::offset_of!(RotateParams, table_positions) == 40
        && core::mem::offset_of!(RotateParams, interleaved) == 56
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for RotateParams {}

#[repr(C)]
#[derive(Clone, Copy)]
struct ScaleRowsParams {
    x: u64,
    factors: u64,
    stride: u64,
    rows: u64,
    cols: u32,
    unused: u32,
}
const _: () = assert!(
    size_of::<ScaleRowsParams>() == 40 && core::mem::offset_of!(ScaleRowsParams, cols) == 32
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for ScaleRowsParams {}

#[repr(C)]
#[derive(Clone, Copy)]
struct NormAndRotateParams {
    x: u64,
    q_weight: u64,
    k_weight: u64,
    table: u64,
    positions: u64,
    stride: u64,
    rows: u64,
    q_heads: u32,
    heads: u32,
    head_dim: u32,
    half: u32,
    table_positions: u32,
    eps: f32,
    one_plus_weight: u32,
    unused: u32,
}
const _: () = assert!(
    size_of::<NormAndRotateParams>() == 88
        && core::mem::offset_of!(NormAndRotateParams, q_heads) == 56
        && core::mem::offset_of!(NormAndRotateParams, eps) == 76
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for NormAndRotateParams {}

const fn name(symbol: &'static str) -> KernelName {
    KernelName {
        module: "rope",
        symbol,
    }
}

/// A [`RopeTable`] in device memory.
#[derive(Debug)]
pub struct DeviceRopeTable {
    /// A position's cosines, then its sines.
    values: DeviceBuffer<f32>,
    positions: usize,
    half: usize,
}

impl DeviceRopeTable {
    /// A copy of `table`.
    ///
    /// # Errors
    /// `OutOfMemory`, or if the device is lost.
    pub fn upload(stream: &Stream, table: &RopeTable) -> Result<Self, DeviceError> {
        Ok(Self {
            values: stream.upload("rotary table", table.values())?,
            positions: table.positions(),
            half: table.rotary_dim() / 2,
        })
    }

    /// Positions that the table has.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Values of a head that it rotates.
    #[must_use]
    pub fn rotary_dim(&self) -> usize {
        2 * self.half
    }

    /// Bytes of device memory held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.values.size_bytes()
    }
}

/// Heads of a row, checked.
fn heads(
    op: &str,
    cols: usize,
    head_dim: usize,
    table: &DeviceRopeTable,
) -> Result<usize, DeviceError> {
    if head_dim == 0 || !cols.is_multiple_of(head_dim) {
        let expected = format!("a divisor of {cols}");
        return refused(op, "head_dim", head_dim, expected);
    }
    if table.rotary_dim() > head_dim {
        let expected = format!("at most head_dim, {head_dim}");
        return refused(op, "rotary_dim", table.rotary_dim(), expected);
    }
    Ok(cols / head_dim)
}

/// Rotates every head of every row in place; value i of a head's first `rotary_dim` turns with value i + rotary_dim / 2.
///
/// * `x`: `[tokens, heads * head_dim]`, bf16; a head's values from `rotary_dim` on are not touched
/// * `table`: of the length class of the rows that these tokens belong to
/// * `positions`: `[tokens]`; the caller has checked them against the table, and one that is outside turns its row into NaN
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn rotate(
    stream: &Stream,
    x: DeviceRowsMut<'_, bf16>,
    head_dim: usize,
    table: &DeviceRopeTable,
    positions: DeviceView<'_, u32>,
) -> Result<(), DeviceError> {
    rotate_layout(stream, x, head_dim, table, positions, RopeLayout::HalfSplit)
}

/// As [`rotate`], with the layout of pairs given.
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn rotate_layout(
    stream: &Stream,
    x: DeviceRowsMut<'_, bf16>,
    head_dim: usize,
    table: &DeviceRopeTable,
    positions: DeviceView<'_, u32>,
    layout: RopeLayout,
) -> Result<(), DeviceError> {
    let (rows, cols, half) = (x.rows(), x.cols(), table.half);
    let op = format!("rotation of [{rows}, {cols}], head_dim {head_dim}, on the device");
    let heads = heads(&op, cols, head_dim, table)?;
    equal(&op, "the number of positions", positions.len(), rows)?;
    narrow(&op, "the columns", cols)?;
    let params = RotateParams {
        x: x.ptr(),
        table: table.values.view().ptr(),
        positions: positions.ptr(),
        stride: x.stride() as u64,
        rows: rows as u64,
        table_positions: narrow(&op, "the table's positions", table.positions)?,
        half: half as u32,
        head_dim: head_dim as u32,
        heads: heads as u32,
        interleaved: u32::from(layout == RopeLayout::Interleaved),
        unused: 0,
    };
    if rows == 0 || heads == 0 || half == 0 {
        return Ok(());
    }
    let whole = half.is_multiple_of(8) && head_dim.is_multiple_of(8);
    let (symbol, per_row) = if whole && layout == RopeLayout::HalfSplit {
        ("gradus_rotate_half_split", half / 8 * heads.div_ceil(4))
    } else {
        ("gradus_rotate_any", half * heads)
    };
    let units = (rows as u64).saturating_mul(per_row as u64);
    let grid = grid(&op, units, 256, 256)?;
    // SAFETY: rows hold whole heads at an aligned stride, heads hold all pairs, positions past the table are not followed.
    unsafe { stream.launch(&name(symbol), grid, &params) }
}

/// `x[r] *= factors[r]`, in place.
///
/// * `x`: `[rows, cols]`, bf16
/// * `factors`: `[rows]`, f32
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn scale_rows(
    stream: &Stream,
    x: DeviceRowsMut<'_, bf16>,
    factors: DeviceView<'_, f32>,
) -> Result<(), DeviceError> {
    let (rows, cols) = (x.rows(), x.cols());
    let op = format!("scaling rows of [{rows}, {cols}] on the device");
    equal(&op, "the number of factors", factors.len(), rows)?;
    let params = ScaleRowsParams {
        x: x.ptr(),
        factors: factors.ptr(),
        stride: x.stride() as u64,
        rows: rows as u64,
        cols: narrow(&op, "the columns", cols)?,
        unused: 0,
    };
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    let units = (rows as u64).saturating_mul(cols.div_ceil(8) as u64);
    let grid = grid(&op, units, 4 * 256, 256)?;
    // SAFETY: rows lie at an aligned stride, and there is a factor for each.
    unsafe { stream.launch(&name("gradus_scale_rows"), grid, &params) }
}

/// Whether [`norm_and_rotate`] can do heads of this shape.
#[must_use]
pub fn can_norm_and_rotate(head_dim: usize, rotary_dim: usize) -> bool {
    head_dim.is_multiple_of(8) && head_dim <= 256 && rotary_dim.is_multiple_of(16)
}

/// RMS norm of every head, then its rotation, in one pass and without rounding in between.
///
/// * `x`: `[tokens, heads * head_dim]`, bf16, in place: `q_heads` query heads, then key heads
/// * `q_weight`, `k_weight`: `[head_dim]`, f32, at 16 bytes
/// * `table`, `positions`: as [`rotate`]
///
/// # Errors
/// `Argument` if shapes do not fit or [`can_norm_and_rotate`] is false; else those of a launch.
pub fn norm_and_rotate(
    stream: &Stream,
    x: DeviceRowsMut<'_, bf16>,
    q_heads: usize,
    q_weight: DeviceView<'_, f32>,
    k_weight: DeviceView<'_, f32>,
    eps: f64,
    gain: Gain,
    table: &DeviceRopeTable,
    positions: DeviceView<'_, u32>,
) -> Result<(), DeviceError> {
    let (rows, cols, head_dim) = (x.rows(), x.cols(), q_weight.len());
    let op = format!("norm and rotation of [{rows}, {cols}], head_dim {head_dim}, on the device");
    let heads = heads(&op, cols, head_dim, table)?;
    if !can_norm_and_rotate(head_dim, table.rotary_dim()) {
        let found = format!("{head_dim}, of which {} rotate", table.rotary_dim());
        let expected = "a multiple of 8 up to 256, of which a multiple of 16 rotates";
        return refused(&op, "head_dim", found, expected);
    }
    if q_heads > heads {
        let expected = format!("at most {heads}");
        return refused(&op, "the query heads", q_heads, expected);
    }
    equal(&op, "the number of positions", positions.len(), rows)?;
    narrow(&op, "the columns", cols)?;
    let params = NormAndRotateParams {
        x: x.ptr(),
        q_weight: vector(&op, "the query weight", &q_weight, head_dim)?,
        k_weight: vector(&op, "the key weight", &k_weight, head_dim)?,
        table: table.values.view().ptr(),
        positions: positions.ptr(),
        stride: x.stride() as u64,
        rows: rows as u64,
        q_heads: q_heads as u32,
        heads: heads as u32,
        head_dim: head_dim as u32,
        half: table.half as u32,
        table_positions: narrow(&op, "the table's positions", table.positions)?,
        eps: eps as f32,
        one_plus_weight: u32::from(gain == Gain::OnePlusWeight),
        unused: 0,
    };
    if rows == 0 || heads == 0 {
        return Ok(());
    }
    let (symbol, per_block) = match head_dim {
        ..=64 => ("gradus_norm_and_rotate_64", 4 * 32),
        65..=128 => ("gradus_norm_and_rotate_128", 4 * 16),
        _ => ("gradus_norm_and_rotate_256", 4 * 8),
    };
    let units = (rows as u64).saturating_mul(heads as u64);
    let grid = grid(&op, units, per_block, 256)?;
    // SAFETY: rows hold whole heads at an aligned stride, heads hold all pairs, positions past the table are not followed.
    unsafe { stream.launch(&name(symbol), grid, &params) }
}
