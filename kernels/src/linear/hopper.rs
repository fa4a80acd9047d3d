//! `linear` on Hopper: `kernel_sm90.cu`. Checked here, so that it can be called alone.

use super::device::{LinearArgs, LinearOut};
use crate::activation::Activation;
use crate::device::check::{equal, narrow, refused};
use crate::device::tensor_map::TensorMap;
use crate::device::{DeviceError, DeviceParams, DeviceRows, DeviceView, Grid, KernelName, Stream};
use half::bf16;

/// Threads of a block.
pub(crate) const THREADS: u32 = 384;

/// A tile of the output, and what a block of it takes.
struct Tile {
    rows: u32,
    cols: u32,
    smem_bytes: u32,
    /// Symbols that store bf16, store f32, add to f32.
    symbols: [&'static str; 3],
}

const WIDE: Tile = Tile {
    rows: 256,
    cols: 192,
    smem_bytes: 229_440,
    symbols: [
        "gradus_linear_sm90_bf16",
        "gradus_linear_sm90_f32",
        "gradus_linear_sm90_add_f32",
    ],
};
const MIDDLE: Tile = Tile {
    rows: 128,
    cols: 128,
    smem_bytes: 229_488,
    symbols: [
        "gradus_linear_sm90_middle_bf16",
        "gradus_linear_sm90_middle_f32",
        "gradus_linear_sm90_middle_add_f32",
    ],
};
const NARROW: Tile = Tile {
    rows: 128,
    cols: 64,
    smem_bytes: 196_736,
    symbols: [
        "gradus_linear_sm90_narrow_bf16",
        "gradus_linear_sm90_narrow_f32",
        "gradus_linear_sm90_narrow_add_f32",
    ],
};

impl Tile {
    /// By the output's columns alone, so that a row's bits do not depend on how many there are.
    fn of(n: u32) -> &'static Self {
        let padded = |tile: &Self| u64::from(n.div_ceil(tile.cols)) * u64::from(tile.cols);
        if n <= NARROW.cols {
            &NARROW
        } else if padded(&WIDE) * 4 <= padded(&MIDDLE) * 5 {
            // Worth a quarter of padding: 128x128 is bound by the second cache.
            &WIDE
        } else {
            &MIDDLE
        }
    }
}

/// The tile of a gated product, half of it the gate's, and its kernel.
fn gated(activation: Activation) -> (&'static Tile, &'static str) {
    match activation {
        Activation::Silu => (&WIDE, "gradus_linear_sm90_gated_silu"),
        Activation::Gelu => (&MIDDLE, "gradus_linear_sm90_gated_gelu"),
        Activation::GeluTanh => (&WIDE, "gradus_linear_sm90_gated_gelu_tanh"),
    }
}

/// `HopperLinear` of `linear_sm90.cuh`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Epilogue {
    scale: u64,
    bias: u64,
    out: u64,
    out_stride: u64,
    m: u32,
    n: u32,
    k: u32,
    r: u32,
    factor: f32,
    reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct LinearSm90Params {
    x: TensorMap,
    w: TensorMap,
    low: TensorMap,
    low_w: TensorMap,
    linear: Epilogue,
}
const _: () = assert!(
    size_of::<LinearSm90Params>() == 576
        && size_of::<Epilogue>() == 56
        && core::mem::offset_of!(LinearSm90Params, linear) == 512
        && core::mem::offset_of!(Epilogue, out) == 16
        && core::mem::offset_of!(Epilogue, m) == 32
        && core::mem::offset_of!(Epilogue, r) == 44
        && core::mem::offset_of!(Epilogue, factor) == 48
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for LinearSm90Params {}

/// Multiplies on a GPU of compute capability 9.0.
///
/// # Errors
/// `Argument` if shapes do not fit, `k` is 0, or the GPU is another; else those of a launch.
pub(super) fn linear(
    stream: &Stream,
    product: &LinearArgs<'_>,
    out: &LinearOut<'_>,
) -> Result<(), DeviceError> {
    let (m, n, k) = (product.x.rows(), product.w.rows(), product.x.cols());
    let op = format!("linear [{m}, {k}] x [{n}, {k}]^T on Hopper");
    let gpu = stream.gpu();
    if !gpu.is_hopper() {
        let (major, minor) = gpu.info().capability;
        return refused(
            &op,
            "the compute capability",
            format!("{major}.{minor}"),
            "9.0",
        );
    }
    equal(&op, "the columns of w", product.w.cols(), k)?;
    let (kind, address, out_rows, out_cols, out_stride, factor) = match out {
        LinearOut::Bf16(rows) => (0, rows.ptr(), rows.rows(), rows.cols(), rows.stride(), 0.0),
        LinearOut::F32(rows) => (1, rows.ptr(), rows.rows(), rows.cols(), rows.stride(), 0.0),
        LinearOut::AddF32 { rows, factor } => (
            2,
            rows.ptr(),
            rows.rows(),
            rows.cols(),
            rows.stride(),
            *factor,
        ),
        LinearOut::Gated { rows, .. } => {
            (0, rows.ptr(), rows.rows(), rows.cols(), rows.stride(), 0.0)
        }
    };
    // A gate's columns and an up's become one.
    let halves = if matches!(out, LinearOut::Gated { .. }) {
        2
    } else {
        1
    };
    equal(&op, "the rows of out", out_rows, m)?;
    let what = match halves {
        1 => "the columns of out",
        _ => "twice the columns of out, a gate's and an up's",
    };
    equal(&op, what, out_cols * halves, n)?;
    let vector = |what, view: &Option<DeviceView<'_, f32>>| match view {
        None => Ok(0),
        Some(view) => equal(&op, what, view.len(), n).map(|()| view.ptr()),
    };
    let (scale, bias) = (
        vector("the length of scale", &product.scale)?,
        vector("the length of bias", &product.bias)?,
    );
    let low = low_rank(&op, product.low, m, n)?;
    let (rows, cols) = (narrow(&op, "m", m)?, narrow(&op, "n", n)?);
    let (inner, rank) = (
        narrow(&op, "k", k)?,
        narrow(&op, "r", low.map_or(0, |(low, _)| low.cols()))?,
    );
    if m == 0 || n == 0 {
        return Ok(());
    }
    if k == 0 {
        return refused(&op, "k", 0, "at least 1");
    }
    let (tile, cols, symbol) = match out {
        LinearOut::Gated { activation, .. } => {
            let (tile, symbol) = gated(*activation);
            (tile, cols / 2, symbol)
        }
        _ => {
            let tile = Tile::of(cols);
            (tile, cols, tile.symbols[kind])
        }
    };
    let box_cols = tile.cols / halves as u32;
    let tiles = u64::from(rows.div_ceil(tile.rows)) * u64::from(cols.div_ceil(box_cols));
    let tiles = narrow(&op, "the number of tiles", tiles as usize)?;
    let (low_map, low_w_map) = match low {
        None => (TensorMap::NONE, TensorMap::NONE),
        Some((low, low_w)) => (
            TensorMap::boxes(gpu, "low", low, tile.rows)?,
            TensorMap::boxes(gpu, "the low-rank weights", low_w, box_cols)?,
        ),
    };
    let params = LinearSm90Params {
        x: TensorMap::boxes(gpu, "x", product.x, tile.rows)?,
        w: TensorMap::boxes(gpu, "w", product.w, box_cols)?,
        low: low_map,
        low_w: low_w_map,
        linear: Epilogue {
            scale,
            bias,
            out: address,
            out_stride: out_stride as u64,
            m: rows,
            n: cols,
            k: inner,
            r: rank,
            factor,
            reserved: 0,
        },
    };
    let kernel = KernelName {
        module: "linear_sm90",
        symbol,
    };
    let grid = Grid {
        blocks: [tiles.min(gpu.info().sm_count.max(1)), 1, 1],
        threads: THREADS,
        smem_bytes: tile.smem_bytes,
    };
    // SAFETY: `DeviceRows` hold their rows at aligned strides, and shapes agree.
    unsafe { stream.launch(&kernel, grid, &params) }
}

/// A low-rank pair that fits, or none if there is none or its rank is 0.
type LowRank<'a> = Option<(DeviceRows<'a, bf16>, DeviceRows<'a, bf16>)>;

pub(crate) fn low_rank<'a>(
    op: &str,
    low: LowRank<'a>,
    m: usize,
    n: usize,
) -> Result<LowRank<'a>, DeviceError> {
    let Some((low, low_w)) = low else {
        return Ok(None);
    };
    equal(op, "the rows of low", low.rows(), m)?;
    equal(op, "the rows of the low-rank weights", low_w.rows(), n)?;
    equal(
        op,
        "the columns of the low-rank weights",
        low_w.cols(),
        low.cols(),
    )?;
    Ok((low.cols() > 0).then_some((low, low_w)))
}
