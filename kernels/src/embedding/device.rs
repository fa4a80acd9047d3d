//! Token embedding on a GPU: `kernel.cu` says who computes what.

use crate::device::check::{equal, grid, narrow};
use crate::device::{
    DeviceError, DeviceParams, DeviceRows, DeviceRowsMut, DeviceView, KernelName, Stream,
};

#[repr(C)]
#[derive(Clone, Copy)]
struct EmbeddingParams {
    table: u64,
    ids: u64,
    out: u64,
    table_stride: u64,
    out_stride: u64,
    tokens: u64,
    table_rows: u64,
    cols: u32,
    scale: f32,
}
const _: () = assert!(
    size_of::<EmbeddingParams>() == 64
        && core::mem::offset_of!(EmbeddingParams, table_rows) == 48
        && core::mem::offset_of!(EmbeddingParams, scale) == 60
);
// SAFETY: plain numbers, laid out as the kernel's structure; both sides assert it.
unsafe impl DeviceParams for EmbeddingParams {}

/// How a table of the device is stored: f32, bf16 or f16.
pub trait TableValue: sealed::Sealed {}

mod sealed {
    pub trait Sealed {
        const SYMBOL: &'static str;
    }
}

macro_rules! table_value {
    ($($of:ty: $symbol:literal),*) => {$(
        impl sealed::Sealed for $of {
            const SYMBOL: &'static str = $symbol;
        }
        impl TableValue for $of {}
    )*};
}

table_value!(f32: "gradus_embedding_f32", half::bf16: "gradus_embedding_bf16", half::f16: "gradus_embedding_f16");

/// `out[t] = table[ids[t]] * scale`.
///
/// * `table`: `[vocab_size, hidden_size]`, widened exactly
/// * `ids`: `[tokens]`; the caller has checked them against the table, and one that is outside gives a row of NaN
/// * `out`: `[tokens, hidden_size]`, f32, overwritten
///
/// # Errors
/// `Argument` if shapes do not fit; else those of a launch.
pub fn embedding<T: TableValue>(
    stream: &Stream,
    table: DeviceRows<'_, T>,
    ids: DeviceView<'_, u32>,
    scale: f32,
    out: DeviceRowsMut<'_, f32>,
) -> Result<(), DeviceError> {
    let (tokens, cols) = (ids.len(), table.cols());
    let op = format!("embedding {tokens} tokens of {cols} values on the device");
    equal(&op, "the rows of out", out.rows(), tokens)?;
    equal(&op, "the columns of out", out.cols(), cols)?;
    let params = EmbeddingParams {
        table: table.ptr(),
        ids: ids.ptr(),
        out: out.ptr(),
        table_stride: table.stride() as u64,
        out_stride: out.stride() as u64,
        tokens: tokens as u64,
        table_rows: table.rows() as u64,
        cols: narrow(&op, "the columns", cols)?,
        scale,
    };
    if tokens == 0 || cols == 0 {
        return Ok(());
    }
    let units = (tokens as u64).saturating_mul(cols.div_ceil(4) as u64);
    let grid = grid(&op, units, 4 * 256, 256)?;
    let kernel = KernelName {
        module: "embedding",
        symbol: T::SYMBOL,
    };
    // SAFETY: `DeviceRows` hold their rows at aligned strides, shapes agree, ids past the table are not followed.
    unsafe { stream.launch(&kernel, grid, &params) }
}
