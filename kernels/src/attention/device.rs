//! Attention on a GPU: `include/gradus/attention.cuh` has the formula, the order of sums and the promises; `kernel.cu` and
//! `kernel_sm90.cu` are the same tiles on the matrix instructions of sm_80 and of Hopper.
//!
//! Which kernel runs follows from the layer's shape and the GPU alone, so a query's bits depend on it and on its keys.

mod segments;

pub use segments::DeviceSegments;

use super::AttentionShape;
use crate::device::check::{equal, grid, narrow, refused};
use crate::device::{
    DeviceError, DeviceParams, DeviceRows, DeviceRowsMut, Gpu, Grid, KernelName, Stream,
};
use core::f32::consts::LOG2_E;
use half::bf16;
use segments::Packing;

#[repr(C)]
#[derive(Clone, Copy)]
struct Params {
    qkv: u64,
    out: u64,
    tiles: u64,
    key_rows: u64,
    stride: u64,
    out_stride: u64,
    k: u32,
    v: u32,
    works: u32,
    group: u32,
    head_dim: u32,
    window: u32,
    factor: f32,
    cap_in: f32,
    cap_out: f32,
    vectors: u32,
    zero: u32,
    reserved: u32,
}
const _: () = assert!(
    size_of::<Params>() == 96
        && core::mem::offset_of!(Params, k) == 48
        && core::mem::offset_of!(Params, factor) == 72
        && core::mem::offset_of!(Params, vectors) == 84
        && core::mem::offset_of!(Params, works) == 56
        && core::mem::offset_of!(Params, zero) == 88
);
// SAFETY: plain numbers, laid out as the kernels' structure; both sides assert it.
unsafe impl DeviceParams for Params {}

/// Queries, keys and values of all rows.
///
/// A row holds `num_heads` query heads, then from columns `k` and `v` on the key and value heads.
#[derive(Clone, Copy, Debug)]
pub struct DeviceQkv<'a> {
    /// The rows.
    pub rows: DeviceRows<'a, bf16>,
    /// Column of the first key head.
    pub k: usize,
    /// Column of the first value head.
    pub v: usize,
}

/// A compiled kernel: head sizes up to `head_dim`.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    head_dim: usize,
    symbol: &'static str,
    /// The same under a soft cap of at most [`CAP_MOST`].
    capped: Option<&'static str>,
}

const SM80: [Kernel; 7] = [
    kernel(32, "gradus_attention_32"),
    kernel(64, "gradus_attention_64"),
    kernel(80, "gradus_attention_80"),
    kernel(96, "gradus_attention_96"),
    kernel(128, "gradus_attention_128").with_cap("gradus_attention_128_capped"),
    kernel(192, "gradus_attention_192"),
    kernel(256, "gradus_attention_256").with_cap("gradus_attention_256_capped"),
];
const SM90: [Kernel; 5] = [
    kernel(64, "gradus_attention_64_sm90"),
    kernel(96, "gradus_attention_96_sm90"),
    kernel(128, "gradus_attention_128_sm90").with_cap("gradus_attention_128_sm90_capped"),
    kernel(192, "gradus_attention_192_sm90"),
    kernel(256, "gradus_attention_256_sm90").with_cap("gradus_attention_256_sm90_capped"),
];
/// Largest head size.
const WIDEST: usize = 256;

/// Largest soft cap whose exponentials, and sums of them, f32 holds without a maximum.
const CAP_MOST: f32 = 64.0;

const fn kernel(head_dim: usize, symbol: &'static str) -> Kernel {
    Kernel {
        head_dim,
        symbol,
        capped: None,
    }
}

impl Kernel {
    const fn with_cap(mut self, symbol: &'static str) -> Self {
        self.capped = Some(symbol);
        self
    }

    fn symbol(&self, shape: &AttentionShape) -> &'static str {
        let capped = shape.soft_cap.is_some_and(|cap| cap <= CAP_MOST);
        self.capped.filter(|_| capped).unwrap_or(self.symbol)
    }
}

/// A kernel and what it wants of a launch.
struct Plan {
    name: KernelName,
    threads: u32,
    smem_bytes: u32,
    packing: Packing,
    vectors: bool,
    /// A block a multiprocessor, which takes works until there is none; else one block a work.
    persistent: bool,
}

impl Plan {
    /// `k`, `v`: columns of the first key and value head; `head_dim` is at most [`WIDEST`].
    fn new(gpu: &Gpu, shape: &AttentionShape, k: usize, v: usize) -> Self {
        let d = shape.head_dim;
        let vectors = [d, k, v].iter().all(|n| n.is_multiple_of(8));
        let group = shape.num_heads / shape.num_kv_heads;
        let packing = |rows| Packing {
            rows,
            group,
            kv_heads: shape.num_kv_heads,
        };
        let padded = |kernels: &[Kernel]| {
            let fits = kernels.iter().find(|kernel| d <= kernel.head_dim);
            fits.copied().unwrap_or(kernels[kernels.len() - 1])
        };
        // Hopper's kernel copies 16 bytes at a time only, and a head of 32 would leave half of its tile empty.
        if gpu.is_hopper() && vectors && d > 32 {
            let kernel = padded(&SM90);
            let head_dim = kernel.head_dim;
            let keys = if head_dim <= 128 { 128 } else { 64 };
            // 128 queries, two tiles of keys, two of values; panels of 64 columns; and the barriers.
            let row_bytes = head_dim.next_multiple_of(64) * 2;
            return Self {
                name: KernelName {
                    module: "attention_sm90",
                    symbol: kernel.symbol(shape),
                },
                threads: 384,
                smem_bytes: ((128 + 4 * keys) * row_bytes + 1024) as u32,
                packing: packing(128),
                vectors,
                persistent: true,
            };
        }
        let kernel = padded(&SM80);
        let head_dim = kernel.head_dim;
        let rows = if head_dim <= 128 { 128 } else { 64 };
        let row_bytes = 2 * if head_dim.is_multiple_of(64) {
            head_dim
        } else {
            head_dim + 8
        };
        Self {
            name: KernelName {
                module: "attention",
                symbol: kernel.symbol(shape),
            },
            threads: 128,
            smem_bytes: ((rows + 2 * 64) * row_bytes) as u32,
            packing: packing(rows),
            vectors,
            persistent: false,
        }
    }
}

fn op(shape: &AttentionShape, segments: &DeviceSegments) -> String {
    let AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
        ..
    } = *shape;
    let rows = segments.rows();
    format!(
        "attention over {rows} rows, {num_heads} heads on {num_kv_heads} key heads of {head_dim}, on the device"
    )
}

/// `out[row, head, :] = softmax(t(scale q k^T)) v` for every query row of every segment, `t` the soft cap.
///
/// * `out`: `[rows, num_heads * head_dim]`; rows that no segment owns are left alone
///
/// The first call with a shape whose group of heads is new to `segments` uploads a list of blocks: before a graph is recorded,
/// [`prepare`] does that.
///
/// # Errors
/// `Argument` if heads do not divide, `head_dim` is past 256, `scale` or `soft_cap` is not a positive number, the window is 0, or rows do
/// not fit; whatever the driver says.
pub fn attention(
    stream: &Stream,
    shape: &AttentionShape,
    qkv: DeviceQkv<'_>,
    segments: &DeviceSegments,
    out: DeviceRowsMut<'_, bf16>,
) -> Result<(), DeviceError> {
    let op = op(shape, segments);
    check_shape(&op, shape)?;
    if segments.is_empty() {
        return Ok(());
    }
    let (width, kv) = (
        shape.num_heads * shape.head_dim,
        shape.num_kv_heads * shape.head_dim,
    );
    for (what, end) in [
        ("the end of the query heads", Some(width)),
        ("the end of the key heads", qkv.k.checked_add(kv)),
        ("the end of the value heads", qkv.v.checked_add(kv)),
    ] {
        let cols = qkv.rows.cols();
        if end.is_none_or(|end| end > cols) {
            let found = end.map_or("past 2^64".to_owned(), |end| end.to_string());
            return refused(&op, what, found, format!("at most {cols}, the columns"));
        }
    }
    equal(&op, "the columns of out", out.cols(), width)?;
    for (what, rows) in [
        ("the rows of qkv", qkv.rows.rows()),
        ("the rows of out", out.rows()),
    ] {
        if rows < segments.rows() {
            return refused(&op, what, rows, format!("at least {}", segments.rows()));
        }
    }
    narrow(&op, "the columns of qkv", qkv.rows.cols())?;
    narrow(&op, "the stride of qkv", qkv.rows.stride())?;

    let plan = Plan::new(stream.gpu(), shape, qkv.k, qkv.v);
    let capped = shape
        .soft_cap
        .map(|cap| (2.0 * LOG2_E * shape.scale / cap, LOG2_E * cap));
    let (cap_in, cap_out) = capped.unwrap_or((0.0, 0.0));
    segments.with_tiles(stream, plan.packing, |tiles, works| {
        let params = Params {
            qkv: qkv.rows.ptr(),
            out: out.ptr(),
            tiles,
            key_rows: segments.key_rows(),
            stride: qkv.rows.stride() as u64,
            out_stride: out.stride() as u64,
            k: qkv.k as u32,
            v: qkv.v as u32,
            works: narrow(&op, "the number of works", works)?,
            group: plan.packing.group as u32,
            head_dim: shape.head_dim as u32,
            window: shape
                .window
                .map_or(i32::MAX as u32, |w| w.min(i32::MAX as usize) as u32),
            factor: if capped.is_some() {
                1.0
            } else {
                shape.scale * LOG2_E
            },
            cap_in,
            cap_out,
            vectors: u32::from(plan.vectors),
            zero: 0,
            reserved: 0,
        };
        let blocks = if plan.persistent {
            works.min(stream.gpu().info().sm_count as usize)
        } else {
            works
        };
        let grid = Grid {
            smem_bytes: plan.smem_bytes,
            ..grid(&op, blocks as u64, 1, plan.threads)?
        };
        // SAFETY: columns and rows that segments name lie inside both matrices, as checked; tiles and key rows are the segments' own
        // and outlive the launch in the stream's order.
        unsafe { stream.launch(&plan.name, grid, &params) }
    })
}

/// Uploads what [`attention`] needs of `segments` for layers of this shape, so that its calls can be recorded.
///
/// # Errors
/// As [`attention`].
pub fn prepare(
    stream: &Stream,
    shape: &AttentionShape,
    k: usize,
    v: usize,
    segments: &DeviceSegments,
) -> Result<(), DeviceError> {
    check_shape(&op(shape, segments), shape)?;
    if segments.is_empty() {
        return Ok(());
    }
    let plan = Plan::new(stream.gpu(), shape, k, v);
    segments.with_tiles(stream, plan.packing, |_, _| Ok(()))
}

fn check_shape(op: &str, shape: &AttentionShape) -> Result<(), DeviceError> {
    let AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
        scale,
        window,
        soft_cap,
    } = *shape;
    if num_heads == 0 || num_kv_heads == 0 || !num_heads.is_multiple_of(num_kv_heads) {
        return refused(
            op,
            "the number of heads",
            num_heads,
            format!("a positive multiple of the {num_kv_heads} key heads"),
        );
    }
    if head_dim == 0 || head_dim > WIDEST {
        return refused(op, "head_dim", head_dim, format!("1 to {WIDEST}"));
    }
    if !(scale > 0.0 && scale.is_finite()) {
        return refused(op, "scale", scale, "a positive number");
    }
    if window == Some(0) {
        return refused(op, "window", 0, "at least 1: a query sees itself");
    }
    match soft_cap {
        Some(cap) if !(cap > 0.0 && cap.is_finite()) => {
            refused(op, "soft_cap", cap, "a positive number")
        }
        _ => Ok(()),
    }
}
