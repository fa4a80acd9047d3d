//! The fused head on Hopper: `kernel_sm90.cu`. Partial sums per row and block of the vocabulary; merging them is the caller's.

use super::LogitTransform;
use super::transform::{Kind, Transform};
use crate::device::check::{equal, narrow, refused};
use crate::device::tensor_map::TensorMap;
use crate::device::{
    DeviceError, DeviceParams, DeviceRows, DeviceView, DeviceViewMut, Grid, KernelName, Stream,
};
use crate::linear::hopper::{THREADS, low_rank};
use half::bf16;

/// Tokens whose exponentials are summed in f32 before partials are merged. A slab starts at a multiple of it. Part of the
/// numeric contract.
pub(super) const HOPPER_VOCAB_BLOCK: usize = 1536;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Model {
    x: TensorMap,
    w: TensorMap,
    low: TensorMap,
    low_w: TensorMap,
    transform: Transform,
    r: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct HeadSm90Params {
    model: Model,
    partials: u64,
    rows: u32,
    tokens: u32,
    k: u32,
    zero: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct HeadKlSm90Params {
    model: Model,
    base: Model,
    partials: u64,
    base_partials: u64,
    rows: u32,
    tokens: u32,
    k: u32,
    zero: u32,
}
const _: () = assert!(
    size_of::<Model>() == 576
        && core::mem::offset_of!(Model, transform) == 512
        && core::mem::offset_of!(Model, r) == 544
        && size_of::<HeadSm90Params>() == 640
        && core::mem::offset_of!(HeadSm90Params, partials) == 576
        && core::mem::offset_of!(HeadSm90Params, rows) == 584
        && core::mem::offset_of!(HeadSm90Params, zero) == 596
        && size_of::<HeadKlSm90Params>() == 1216
        && core::mem::offset_of!(HeadKlSm90Params, partials) == 1152
        && core::mem::offset_of!(HeadKlSm90Params, rows) == 1168
        && core::mem::offset_of!(HeadKlSm90Params, zero) == 1180
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for HeadSm90Params {}
// SAFETY: as above.
unsafe impl DeviceParams for HeadKlSm90Params {}

/// A model at the head, for a slab of the vocabulary.
#[derive(Clone, Copy)]
pub(super) struct HopperHead<'a> {
    /// Final hidden states, `[rows, k]`.
    pub(super) x: DeviceRows<'a, bf16>,
    /// Head weights of the slab, `[tokens, k]`.
    pub(super) w: DeviceRows<'a, bf16>,
    /// A low-rank addition: `[rows, r]` and `[tokens, r]`.
    pub(super) low: Option<(DeviceRows<'a, bf16>, DeviceRows<'a, bf16>)>,
    /// Factor of each token's sum, `[tokens]`.
    pub(super) column_scale: Option<DeviceView<'a, f32>>,
    /// Added after it, `[tokens]`.
    pub(super) bias: Option<DeviceView<'a, f32>>,
    /// What happens to its logits.
    pub(super) transform: LogitTransform,
}

impl HopperHead<'_> {
    fn kind(&self) -> Kind {
        Kind::of(
            self.transform,
            self.column_scale.is_some() || self.bias.is_some(),
        )
    }

    fn model(
        &self,
        stream: &Stream,
        op: &str,
        (rows, tokens, k): (usize, usize, usize),
        (box_rows, box_cols): (u32, u32),
    ) -> Result<Model, DeviceError> {
        let gpu = stream.gpu();
        equal(op, "the rows of x", self.x.rows(), rows)?;
        equal(op, "the columns of x", self.x.cols(), k)?;
        equal(op, "the rows of w", self.w.rows(), tokens)?;
        equal(op, "the columns of w", self.w.cols(), k)?;
        for (what, vector) in [
            ("the length of the column scale", self.column_scale),
            ("the length of bias", self.bias),
        ] {
            equal(op, what, vector.map_or(tokens, |v| v.len()), tokens)?;
        }
        let (low, low_w, r) = match low_rank(op, self.low, rows, tokens)? {
            None => (TensorMap::NONE, TensorMap::NONE, 0),
            Some((low, low_w)) => (
                TensorMap::boxes(gpu, "low", low, box_rows)?,
                TensorMap::boxes(gpu, "the low-rank weights", low_w, box_cols)?,
                narrow(op, "r", low.cols())?,
            ),
        };
        Ok(Model {
            x: TensorMap::boxes(gpu, "x", self.x, box_rows)?,
            w: TensorMap::boxes(gpu, "w", self.w, box_cols)?,
            low,
            low_w,
            transform: Transform::new(op, self.transform, self.column_scale, self.bias)?,
            r,
            reserved: 0,
        })
    }
}

/// Whether both are the same values of the same memory.
fn same_rows(a: &DeviceRows<'_, bf16>, b: &DeviceRows<'_, bf16>) -> bool {
    (a.ptr(), a.rows(), a.cols(), a.stride()) == (b.ptr(), b.rows(), b.cols(), b.stride())
}

/// Blocks of the vocabulary in a slab of `tokens`.
pub(super) fn hopper_blocks(tokens: usize) -> usize {
    tokens.div_ceil(HOPPER_VOCAB_BLOCK)
}

/// What a launch needs besides parameters; none if there is nothing to do.
fn plan(
    stream: &Stream,
    op: &str,
    (rows, tokens, k): (usize, usize, usize),
    tile_rows: u32,
    smem_bytes: u32,
) -> Result<Option<Grid>, DeviceError> {
    let info = stream.gpu().info();
    if !stream.gpu().is_hopper() {
        let found = format!("{}.{}", info.capability.0, info.capability.1);
        return refused(op, "the compute capability", found, "9.0");
    }
    let rows = narrow(op, "the rows", rows)?;
    let blocks = narrow(op, "the blocks", hopper_blocks(tokens))?;
    narrow(op, "the tokens", tokens)?;
    narrow(op, "k", k)?;
    let items = u64::from(rows.div_ceil(tile_rows)) * u64::from(blocks);
    let items = narrow(op, "the number of tiles", items as usize)?;
    if items == 0 {
        return Ok(None);
    }
    if k == 0 {
        return refused(op, "k", 0, "at least 1");
    }
    Ok(Some(Grid {
        blocks: [items.min(info.sm_count.max(1)), 1, 1],
        threads: THREADS,
        smem_bytes,
    }))
}

/// Partial sums of a slab: (maximum, sum of `e^(x - maximum)`).
///
/// * `partials`: `[blocks][rows][2]`, overwritten; `blocks` is [`hopper_blocks`] of the slab's tokens
///
/// # Errors
/// `Argument` if shapes do not fit, `k` is 0, or the GPU is another; else those of a launch.
pub(super) fn partials(
    stream: &Stream,
    model: &HopperHead<'_>,
    partials: &mut DeviceViewMut<'_, f32>,
) -> Result<(), DeviceError> {
    let shape = (model.x.rows(), model.w.rows(), model.x.cols());
    let (rows, tokens, k) = shape;
    let op = format!("head [{rows}, {k}] x [{tokens}, {k}]^T on Hopper");
    let length = (hopper_blocks(tokens) * 2).saturating_mul(rows);
    equal(&op, "the length of the partials", partials.len(), length)?;
    let (tile, smem_bytes, symbol) = match model.kind() {
        Kind::Scaled => ((256, 192), 229_440, "gradus_head_sm90"),
        Kind::Capped => ((256, 192), 229_440, "gradus_head_sm90_capped"),
        Kind::Any => ((256, 128), 196_672, "gradus_head_sm90_general"),
    };
    let Some(grid) = plan(stream, &op, shape, tile.0, smem_bytes)? else {
        return Ok(());
    };
    let params = HeadSm90Params {
        model: model.model(stream, &op, shape, tile)?,
        partials: partials.ptr(),
        rows: rows as u32,
        tokens: tokens as u32,
        k: k as u32,
        zero: 0,
    };
    let kernel = KernelName {
        module: "cross_entropy_sm90",
        symbol,
    };
    // SAFETY: `DeviceRows` hold their rows at aligned strides, and shapes agree, the partials' too.
    unsafe { stream.launch(&kernel, grid, &params) }
}

/// Partial sums of a slab for two models: (maximum, sum, sum of `e^(f - maximum) (f - b)`, 0) and the base's (maximum, sum).
///
/// * `partials`: `[blocks][rows][4]`; `base_partials`: `[blocks][rows][2]`; both overwritten
///
/// # Errors
/// As [`partials`].
pub(super) fn kl_partials(
    stream: &Stream,
    model: &HopperHead<'_>,
    base: &HopperHead<'_>,
    partials: &mut DeviceViewMut<'_, f32>,
    base_partials: &mut DeviceViewMut<'_, f32>,
) -> Result<(), DeviceError> {
    let shape = (model.x.rows(), model.w.rows(), model.x.cols());
    let (rows, tokens, k) = shape;
    let op = format!("head with KL [{rows}, {k}] x [{tokens}, {k}]^T on Hopper");
    let length = (hopper_blocks(tokens) * 2).saturating_mul(rows);
    equal(
        &op,
        "the length of the partials",
        partials.len(),
        length.saturating_mul(2),
    )?;
    equal(
        &op,
        "the length of the base's partials",
        base_partials.len(),
        length,
    )?;
    if rows > 0 && !partials.ptr().is_multiple_of(16) {
        let found = format!("at {:#x}", partials.ptr());
        return refused(&op, "the partials", found, "at an address of 16 bytes");
    }
    let shared = model.low.is_none() && base.low.is_none() && same_rows(&model.w, &base.w);
    let (box_rows, smem_bytes, symbol) = match (model.kind().with(base.kind()), shared) {
        (Kind::Scaled, true) => (64, 196_672, "gradus_head_kl_sm90_shared"),
        (Kind::Scaled, false) => (128, 229_488, "gradus_head_kl_sm90"),
        (Kind::Capped, true) => (64, 196_672, "gradus_head_kl_sm90_shared_capped"),
        (Kind::Capped, false) => (128, 229_488, "gradus_head_kl_sm90_capped"),
        (Kind::Any, _) => (128, 229_488, "gradus_head_kl_sm90_general"),
    };
    let Some(grid) = plan(stream, &op, shape, 128, smem_bytes)? else {
        return Ok(());
    };
    let params = HeadKlSm90Params {
        model: model.model(stream, &op, shape, (box_rows, 128))?,
        base: base.model(stream, &op, shape, (box_rows, 128))?,
        partials: partials.ptr(),
        base_partials: base_partials.ptr(),
        rows: rows as u32,
        tokens: tokens as u32,
        k: k as u32,
        zero: 0,
    };
    let kernel = KernelName {
        module: "cross_entropy_sm90",
        symbol,
    };
    // SAFETY: `DeviceRows` hold their rows at aligned strides, and shapes agree, the partials' too.
    unsafe { stream.launch(&kernel, grid, &params) }
}
