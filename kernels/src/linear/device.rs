//! Linear layers on a GPU: `y = (x w^T + low low_w^T) * scale + bias`, on tensor cores, in bf16 with f32 sums.
//!
//! Which tile computes an element follows from the GPU's architecture and the number of output features, never from the number of
//! rows: a row's bits are the same in any company.

use super::hopper;
use crate::activation::Activation;
use crate::activation::device::gated_halves;
use crate::device::check::{equal, narrow, refused};
use crate::device::{
    DeviceError, DeviceParams, DeviceRows, DeviceRowsMut, DeviceView, Grid, KernelName, Stream,
    aligned_stride,
};
use half::bf16;

/// What is multiplied.
#[derive(Clone, Copy, Debug)]
pub struct LinearArgs<'a> {
    /// `[rows, in_features]`
    pub x: DeviceRows<'a, bf16>,
    /// `[out_features, in_features]`
    pub w: DeviceRows<'a, bf16>,
    /// A low-rank addition: `[rows, rank]` and `[out_features, rank]`.
    pub low: Option<(DeviceRows<'a, bf16>, DeviceRows<'a, bf16>)>,
    /// Factor of each output feature.
    pub scale: Option<DeviceView<'a, f32>>,
    /// Added to each output feature after that.
    pub bias: Option<DeviceView<'a, f32>>,
}

/// Where the product goes, `[rows, out_features]`.
#[derive(Debug)]
pub enum LinearOut<'a> {
    /// Overwritten, rounded once.
    Bf16(DeviceRowsMut<'a, bf16>),
    /// Overwritten.
    F32(DeviceRowsMut<'a, f32>),
    /// `rows += factor * value`.
    AddF32 {
        /// What is added to.
        rows: DeviceRowsMut<'a, f32>,
        /// Weight of the product.
        factor: f32,
    },
    /// `activation(g) * u`, `g` and `u` the halves of the product: `[rows, out_features / 2]`, overwritten, rounded once. On Hopper `g` and
    /// `u` are f32 and never stored; elsewhere they are rounded to bf16 in between.
    Gated {
        /// Where it goes.
        rows: DeviceRowsMut<'a, bf16>,
        /// What becomes of `g`.
        activation: Activation,
    },
}

/// `LinearParams` of `gemm_epilogue.cuh`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LinearParams {
    x: u64,
    w: u64,
    low: u64,
    low_w: u64,
    scale: u64,
    bias: u64,
    out: u64,
    x_stride: u64,
    w_stride: u64,
    low_stride: u64,
    low_w_stride: u64,
    out_stride: u64,
    m: u32,
    n: u32,
    k: u32,
    r: u32,
    factor: f32,
    reserved: u32,
}
const _: () = assert!(
    size_of::<LinearParams>() == 120
        && core::mem::offset_of!(LinearParams, low_w) == 24
        && core::mem::offset_of!(LinearParams, scale) == 32
        && core::mem::offset_of!(LinearParams, bias) == 40
        && core::mem::offset_of!(LinearParams, out) == 48
        && core::mem::offset_of!(LinearParams, x_stride) == 56
        && core::mem::offset_of!(LinearParams, w_stride) == 64
        && core::mem::offset_of!(LinearParams, low_stride) == 72
        && core::mem::offset_of!(LinearParams, low_w_stride) == 80
        && core::mem::offset_of!(LinearParams, out_stride) == 88
        && core::mem::offset_of!(LinearParams, m) == 96
        && core::mem::offset_of!(LinearParams, n) == 100
        && core::mem::offset_of!(LinearParams, k) == 104
        && core::mem::offset_of!(LinearParams, r) == 108
        && core::mem::offset_of!(LinearParams, factor) == 112
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for LinearParams {}

/// A tile of the output, and what a block of it takes.
struct Tile {
    side: u32,
    smem_bytes: u32,
    /// Symbols that store bf16, store f32, add to f32.
    symbols: [&'static str; 3],
}

const WIDE: Tile = Tile {
    side: 128,
    smem_bytes: 49_152,
    symbols: [
        "gradus_linear_bf16",
        "gradus_linear_f32",
        "gradus_linear_add_f32",
    ],
};
const NARROW: Tile = Tile {
    side: 64,
    smem_bytes: 32_768,
    symbols: [
        "gradus_linear_narrow_bf16",
        "gradus_linear_narrow_f32",
        "gradus_linear_narrow_add_f32",
    ],
};
/// Threads of a block.
const THREADS: u32 = 128;

/// `out = (x w^T + low.0 low.1^T) * scale + bias`, or added to what is there.
///
/// # Errors
/// `Argument` if shapes do not fit or there are no input features; else those of a launch.
pub fn linear(
    stream: &Stream,
    args: &LinearArgs<'_>,
    out: LinearOut<'_>,
) -> Result<(), DeviceError> {
    if stream.gpu().is_hopper() {
        return hopper::linear(stream, args, &out);
    }
    let (m, n, k) = (args.x.rows(), args.w.rows(), args.x.cols());
    let op = format!("linear [{m}, {k}] x [{n}, {k}]^T on the device");
    let out = match out {
        LinearOut::Gated { rows, activation } => {
            let stride = aligned_stride(n);
            let mut both = stream.alloc("gate and up", m * stride)?;
            let halves = DeviceRowsMut::new(both.view_mut(), m, n, stride)?;
            linear(stream, args, LinearOut::Bf16(halves))?;
            let halves = DeviceRows::new(both.view(), m, n, stride)?;
            return gated_halves(stream, activation, halves, rows);
        }
        out => out,
    };
    equal(&op, "the columns of w", args.w.cols(), k)?;
    let (kind, address, rows, cols, out_stride, factor) = match &out {
        LinearOut::Bf16(out) => (0, out.ptr(), out.rows(), out.cols(), out.stride(), 0.0),
        LinearOut::F32(out) => (1, out.ptr(), out.rows(), out.cols(), out.stride(), 0.0),
        LinearOut::AddF32 { rows: out, factor } => {
            (2, out.ptr(), out.rows(), out.cols(), out.stride(), *factor)
        }
        LinearOut::Gated { .. } => unreachable!("replaced above"),
    };
    equal(&op, "the rows of out", rows, m)?;
    equal(&op, "the columns of out", cols, n)?;
    let vector = |what, view: &Option<DeviceView<'_, f32>>| match view {
        None => Ok(0),
        Some(view) => equal(&op, what, view.len(), n).map(|()| view.ptr()),
    };
    let low = hopper::low_rank(&op, args.low, m, n)?;
    let params = LinearParams {
        x: args.x.ptr(),
        w: args.w.ptr(),
        low: low.map_or(0, |(low, _)| low.ptr()),
        low_w: low.map_or(0, |(_, low_w)| low_w.ptr()),
        scale: vector("the length of scale", &args.scale)?,
        bias: vector("the length of bias", &args.bias)?,
        out: address,
        x_stride: args.x.stride() as u64,
        w_stride: args.w.stride() as u64,
        low_stride: low.map_or(0, |(low, _)| low.stride() as u64),
        low_w_stride: low.map_or(0, |(_, low_w)| low_w.stride() as u64),
        out_stride: out_stride as u64,
        m: narrow(&op, "the rows", m)?,
        n: narrow(&op, "the output features", n)?,
        k: narrow(&op, "the input features", k)?,
        r: narrow(&op, "the rank", low.map_or(0, |(low, _)| low.cols()))?,
        factor,
        reserved: 0,
    };
    if m == 0 || n == 0 {
        return Ok(());
    }
    if k == 0 {
        return refused(&op, "k", 0, "at least 1");
    }
    let tile = if params.n <= NARROW.side {
        &NARROW
    } else {
        &WIDE
    };
    let blocks = u64::from(params.m.div_ceil(tile.side)) * u64::from(params.n.div_ceil(tile.side));
    let grid = Grid {
        blocks: [narrow(&op, "the number of tiles", blocks as usize)?, 1, 1],
        threads: THREADS,
        smem_bytes: tile.smem_bytes,
    };
    let kernel = KernelName {
        module: "linear",
        symbol: tile.symbols[kind],
    };
    // SAFETY: `DeviceRows` hold their rows at aligned strides, and shapes agree.
    unsafe { stream.launch(&kernel, grid, &params) }
}
