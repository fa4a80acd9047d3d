//! Launches of the head's kernels.

use super::{DeviceHeadModel, DeviceHeadSums, VOCAB_BLOCK};
use crate::cross_entropy::hopper::{self, HopperHead};
use crate::cross_entropy::transform::{Kind, Transform};
use crate::device::check::narrow;
use crate::device::{DeviceBuffer, DeviceError, DeviceParams, Grid, KernelName, Stream};

/// `HeadModel` of `kernel.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Model {
    x: u64,
    w: u64,
    low: u64,
    low_w: u64,
    x_stride: u64,
    w_stride: u64,
    low_stride: u64,
    low_w_stride: u64,
    transform: Transform,
    k: u32,
    r: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct HeadParams {
    model: Model,
    partials: u64,
    rows: u32,
    tokens: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct HeadKlParams {
    model: Model,
    base: Model,
    partials: u64,
    base_partials: u64,
    rows: u32,
    tokens: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct HeadMergeParams {
    partials: u64,
    max: u64,
    sum: u64,
    difference: u64,
    rows: u32,
    blocks: u32,
    width: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct HeadTargetsParams {
    model: Model,
    targets: u64,
    logits: u64,
    count: u32,
    first: u32,
    tokens: u32,
    reserved: u32,
}
const _: () = assert!(
    size_of::<Model>() == 104
        && core::mem::offset_of!(Model, x_stride) == 32
        && core::mem::offset_of!(Model, transform) == 64
        && core::mem::offset_of!(Model, k) == 96
        && core::mem::offset_of!(Model, r) == 100
        && size_of::<HeadParams>() == 120
        && core::mem::offset_of!(HeadParams, partials) == 104
        && core::mem::offset_of!(HeadParams, rows) == 112
        && size_of::<HeadKlParams>() == 232
        && core::mem::offset_of!(HeadKlParams, base) == 104
        && core::mem::offset_of!(HeadKlParams, partials) == 208
        && core::mem::offset_of!(HeadKlParams, rows) == 224
        && size_of::<HeadMergeParams>() == 48
        && core::mem::offset_of!(HeadMergeParams, difference) == 24
        && core::mem::offset_of!(HeadMergeParams, rows) == 32
        && core::mem::offset_of!(HeadMergeParams, width) == 40
        && size_of::<HeadTargetsParams>() == 136
        && core::mem::offset_of!(HeadTargetsParams, targets) == 104
        && core::mem::offset_of!(HeadTargetsParams, count) == 120
        && core::mem::offset_of!(HeadTargetsParams, tokens) == 128
);
// SAFETY: plain numbers, laid out as the kernels' structures; both sides assert it.
unsafe impl DeviceParams for HeadParams {}
// SAFETY: as above.
unsafe impl DeviceParams for HeadKlParams {}
// SAFETY: as above.
unsafe impl DeviceParams for HeadMergeParams {}
// SAFETY: as above.
unsafe impl DeviceParams for HeadTargetsParams {}

const MODULE: &str = "cross_entropy";
/// Threads and shared memory of a block of the head.
const THREADS: u32 = 128;
const SMEM_BYTES: u32 = 49_152;
/// Rows of a block, with and without a base.
const ROWS: u32 = 128;
const KL_ROWS: u32 = 64;

/// Which kernels take it.
pub(super) fn kind(model: &DeviceHeadModel<'_>) -> Kind {
    Kind::of(
        model.transform,
        model.scale.is_some() || model.bias.is_some(),
    )
}

fn for_kernel(op: &str, model: &DeviceHeadModel<'_>) -> Result<Model, DeviceError> {
    let low = model.low.filter(|(low, _)| low.cols() > 0);
    Ok(Model {
        x: model.rows.ptr(),
        w: model.weights.ptr(),
        low: low.map_or(0, |(low, _)| low.ptr()),
        low_w: low.map_or(0, |(_, b)| b.ptr()),
        x_stride: model.rows.stride() as u64,
        w_stride: model.weights.stride() as u64,
        low_stride: low.map_or(0, |(low, _)| low.stride() as u64),
        low_w_stride: low.map_or(0, |(_, b)| b.stride() as u64),
        transform: Transform::new(op, model.transform, model.scale, model.bias)?,
        k: narrow(op, "the hidden size", model.rows.cols())?,
        r: narrow(op, "the rank", low.map_or(0, |(low, _)| low.cols()))?,
    })
}

fn for_hopper<'a>(model: &DeviceHeadModel<'a>) -> HopperHead<'a> {
    HopperHead {
        x: model.rows,
        w: model.weights,
        low: model.low,
        column_scale: model.scale,
        bias: model.bias,
        transform: model.transform,
    }
}

/// Sums of each row over each block of a slab.
#[derive(Debug)]
pub(super) struct Partials {
    /// `[blocks][rows][width]`: maximum, sum, and with a width of 4 the difference.
    values: DeviceBuffer<f32>,
    blocks: usize,
    width: usize,
}

impl Partials {
    /// Of `model`, and of its difference from `base`; then the base's, too.
    pub(super) fn of(
        stream: &Stream,
        model: &DeviceHeadModel<'_>,
        base: Option<&DeviceHeadModel<'_>>,
    ) -> Result<(Self, Option<Self>), DeviceError> {
        let (rows, tokens, k) = (model.rows.rows(), model.weights.rows(), model.rows.cols());
        let op = format!("head [{rows}, {k}] x [{tokens}, {k}]^T on the device");
        let blocks = tokens.div_ceil(VOCAB_BLOCK);
        let width = if base.is_some() { 4 } else { 2 };
        let mut values = stream.alloc("partial sums of the head", blocks * rows * width)?;
        let grid = |tile: u32| -> Result<Grid, DeviceError> {
            let items = u64::from(narrow(&op, "the rows", rows)?.div_ceil(tile)) * blocks as u64;
            Ok(Grid {
                blocks: [narrow(&op, "the number of tiles", items as usize)?, 1, 1],
                threads: THREADS,
                smem_bytes: SMEM_BYTES,
            })
        };
        let launch = |symbol| KernelName {
            module: MODULE,
            symbol,
        };
        let base = match base {
            None if stream.gpu().is_hopper() => {
                hopper::partials(stream, &for_hopper(model), &mut values.view_mut())?;
                None
            }
            None => {
                let params = HeadParams {
                    model: for_kernel(&op, model)?,
                    partials: values.view().ptr(),
                    rows: rows as u32,
                    tokens: tokens as u32,
                };
                let symbol = match kind(model) {
                    Kind::Scaled => "gradus_head",
                    Kind::Capped => "gradus_head_capped",
                    Kind::Any => "gradus_head_general",
                };
                // SAFETY: `DeviceRows` hold their rows at aligned strides; `absorb` has compared the shapes.
                unsafe { stream.launch(&launch(symbol), grid(ROWS)?, &params)? }
                None
            }
            Some(base) => {
                let mut own = stream.alloc("partial sums of the base", blocks * rows * 2)?;
                if stream.gpu().is_hopper() {
                    let (model, base) = (for_hopper(model), for_hopper(base));
                    let (values, own) = (&mut values.view_mut(), &mut own.view_mut());
                    hopper::kl_partials(stream, &model, &base, values, own)?;
                } else {
                    let params = HeadKlParams {
                        model: for_kernel(&op, model)?,
                        base: for_kernel(&op, base)?,
                        partials: values.view().ptr(),
                        base_partials: own.view_mut().ptr(),
                        rows: rows as u32,
                        tokens: tokens as u32,
                    };
                    let symbol = match kind(model).with(kind(base)) {
                        Kind::Scaled => "gradus_head_kl",
                        Kind::Capped => "gradus_head_kl_capped",
                        Kind::Any => "gradus_head_kl_general",
                    };
                    // SAFETY: as above.
                    unsafe { stream.launch(&launch(symbol), grid(KL_ROWS)?, &params)? }
                }
                Some(Self {
                    values: own,
                    blocks,
                    width: 2,
                })
            }
        };
        let own = Self {
            values,
            blocks,
            width,
        };
        Ok((own, base))
    }
}

/// Merges a slab's sums into those so far.
pub(super) fn merge(
    stream: &Stream,
    partials: &Partials,
    sums: &mut DeviceHeadSums,
) -> Result<(), DeviceError> {
    let has_difference = partials.width == 4;
    let params = HeadMergeParams {
        partials: partials.values.view().ptr(),
        max: sums.max.view_mut().ptr(),
        sum: sums.sum.view_mut().ptr(),
        difference: match &mut sums.difference {
            Some(difference) if has_difference => difference.view_mut().ptr(),
            _ => 0,
        },
        rows: sums.rows as u32,
        blocks: partials.blocks as u32,
        width: partials.width as u32,
        reserved: 0,
    };
    let kernel = KernelName {
        module: MODULE,
        symbol: "gradus_head_merge",
    };
    let grid = Grid {
        blocks: [params.rows.div_ceil(256), 1, 1],
        threads: 256,
        smem_bytes: 0,
    };
    // SAFETY: partials have `blocks` x `rows` x `width` values, sums one for each row.
    unsafe { stream.launch(&kernel, grid, &params) }
}

/// Logits of the targets whose tokens are in the slab that starts at `first`.
pub(super) fn target_logits(
    stream: &Stream,
    model: &DeviceHeadModel<'_>,
    first: usize,
    sums: &mut DeviceHeadSums,
) -> Result<(), DeviceError> {
    let count = sums.target_rows.len();
    if count == 0 {
        return Ok(());
    }
    let op = format!("logits of {count} targets on the device");
    let params = HeadTargetsParams {
        model: for_kernel(&op, model)?,
        targets: sums.targets.view().ptr(),
        logits: sums.logits.view_mut().ptr(),
        count: narrow(&op, "the number of targets", count)?,
        first: first as u32,
        tokens: model.weights.rows() as u32,
        reserved: 0,
    };
    let kernel = KernelName {
        module: MODULE,
        symbol: "gradus_head_targets",
    };
    let grid = Grid {
        blocks: [params.count.div_ceil(4), 1, 1],
        threads: 128,
        smem_bytes: 0,
    };
    // SAFETY: targets' rows were checked, tokens outside the slab are passed over by the kernel.
    unsafe { stream.launch(&kernel, grid, &params) }
}
