//! Matrices as Hopper's tensor memory accelerator sees them.

use super::error::DeviceError;
use super::gpu::Gpu;
use super::rows::DeviceRows;
use cudarc::driver::DriverError;
use cudarc::driver::sys::{
    CUresult, CUtensorMap, CUtensorMapDataType_enum, CUtensorMapFloatOOBfill_enum,
    CUtensorMapInterleave_enum, CUtensorMapL2promotion_enum, CUtensorMapSwizzle_enum,
    cuTensorMapEncodeTiled,
};
use half::bf16;
use std::ffi::c_void;

/// Columns of a box: 128 bytes of bf16, what the widest swizzle permutes.
pub const BOX_COLS: u32 = 64;

/// A matrix, and the boxes in which kernels load it; part of a kernel's parameters (`TensorMap` of `ptx_sm90.cuh`).
///
/// What a box has outside the matrix arrives as zeros.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct TensorMap([u64; 16]);

impl TensorMap {
    /// Of no matrix, for kernels that are told not to read it.
    pub(crate) const NONE: Self = Self([0; 16]);

    /// Boxes of [`BOX_COLS`] columns and `box_rows` rows (at most 256), swizzled by 128 bytes.
    ///
    /// # Errors
    /// `Driver` if the matrix has no value, or is one that the accelerator cannot address.
    pub(crate) fn boxes(
        gpu: &Gpu,
        what: &'static str,
        rows: DeviceRows<'_, bf16>,
        box_rows: u32,
    ) -> Result<Self, DeviceError> {
        let mut map = CUtensorMap { opaque: [0; 16] };
        let sizes = [rows.cols() as u64, rows.rows() as u64];
        let strides = [rows.stride() as u64 * 2];
        let (box_sizes, steps) = ([BOX_COLS, box_rows], [1, 1]);
        // SAFETY: two dimensions: two sizes, boxes and steps, one stride. The driver reads them and writes `map`; the matrix's
        // address is only noted.
        let result = unsafe {
            cuTensorMapEncodeTiled(
                &raw mut map,
                CUtensorMapDataType_enum::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                2,
                rows.ptr() as *mut c_void,
                sizes.as_ptr(),
                strides.as_ptr(),
                box_sizes.as_ptr(),
                steps.as_ptr(),
                CUtensorMapInterleave_enum::CU_TENSOR_MAP_INTERLEAVE_NONE,
                CUtensorMapSwizzle_enum::CU_TENSOR_MAP_SWIZZLE_128B,
                CUtensorMapL2promotion_enum::CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                CUtensorMapFloatOOBfill_enum::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
            )
        };
        if result == CUresult::CUDA_SUCCESS {
            return Ok(Self(map.opaque));
        }
        let op = format!(
            "describing {what} [{}, {}] with stride {} to the copy engine",
            rows.rows(),
            rows.cols(),
            rows.stride()
        );
        Err(gpu.call(op, DriverError(result)))
    }
}
