//! The vendor's product, cuBLASLt, where it is installed: what our own is compared with. Evaluations do not use it, since its choice of
//! algorithm changes with its version and with the number of rows, and with it every bit.

use crate::device::check::equal;
use crate::device::{DeviceBuffer, DeviceError, DeviceRows, DeviceRowsMut, Stream};
use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys;
use half::bf16;
use std::ptr::{from_ref, null_mut};

/// Memory that an algorithm may use beside its matrices.
const WORKSPACE_BYTES: usize = 64 << 20;

/// `y = x w^T` of one shape, in bf16 with f32 sums, by the algorithm that cuBLASLt thinks best.
#[derive(Debug)]
pub struct VendorLinear {
    handle: sys::cublasLtHandle_t,
    product: sys::cublasLtMatmulDesc_t,
    x: sys::cublasLtMatrixLayout_t,
    w: sys::cublasLtMatrixLayout_t,
    out: sys::cublasLtMatrixLayout_t,
    algorithm: sys::cublasLtMatmulAlgo_t,
    workspace: DeviceBuffer<u8>,
    /// Rows, output features, input features; strides of x, w and out.
    sizes: [usize; 3],
    strides: [usize; 3],
    op: String,
}

/// Of a call that cuBLASLt refused.
fn refused(op: &str) -> impl Fn(CublasError) -> DeviceError {
    let op = op.to_owned();
    move |CublasError(status)| DeviceError::Library {
        op: op.clone(),
        library: "cuBLASLt",
        status: format!("{status:?}"),
    }
}

impl VendorLinear {
    /// Whether cuBLASLt can be loaded.
    #[must_use]
    pub fn is_installed() -> bool {
        // SAFETY: loading the library runs its initialisers, which are the vendor's.
        unsafe { sys::is_culib_present() }
    }

    /// For `x`, `w` and `out` of these shapes and strides; `None` if cuBLASLt is not installed.
    ///
    /// # Errors
    /// `Argument` if shapes do not fit; `Library` if it has no algorithm; `OutOfMemory`.
    pub fn new(
        stream: &Stream,
        x: DeviceRows<'_, bf16>,
        w: DeviceRows<'_, bf16>,
        out: &DeviceRowsMut<'_, bf16>,
    ) -> Result<Option<Self>, DeviceError> {
        let (m, n, k) = (x.rows(), w.rows(), x.cols());
        let op = format!("cuBLASLt's linear [{m}, {k}] x [{n}, {k}]^T");
        equal(&op, "the columns of w", w.cols(), k)?;
        equal(&op, "the rows of out", out.rows(), m)?;
        equal(&op, "the columns of out", out.cols(), n)?;
        if !Self::is_installed() {
            return Ok(None);
        }
        let failed = refused(&op);
        // The handle belongs to the context that is current.
        stream.bind("opening cuBLASLt")?;
        let bf16 = sys::cudaDataType::CUDA_R_16BF;
        let layout = |rows: usize, cols: usize, stride: usize| {
            result::create_matrix_layout(bf16, rows as u64, cols as u64, stride as i64)
        };
        let workspace = stream.alloc("cuBLASLt's workspace", WORKSPACE_BYTES)?;
        let mut made = Self {
            handle: result::create_handle().map_err(&failed)?,
            product: null_mut(),
            x: null_mut(),
            w: null_mut(),
            out: null_mut(),
            algorithm: sys::cublasLtMatmulAlgo_t { data: [0; 8] },
            workspace,
            sizes: [m, n, k],
            strides: [x.stride(), w.stride(), out.stride()],
            op: op.clone(),
        };
        let f32 = sys::cudaDataType::CUDA_R_32F;
        made.product =
            result::create_matmul_desc(sys::cublasComputeType_t::CUBLAS_COMPUTE_32F, f32)
                .map_err(&failed)?;
        // Rows here are columns there: out^T [n, m] = (w^T)^T x^T.
        made.w = layout(k, n, w.stride()).map_err(&failed)?;
        made.x = layout(k, m, x.stride()).map_err(&failed)?;
        made.out = layout(n, m, out.stride()).map_err(&failed)?;
        // CUBLAS_OP_T
        let transposed = 1_i32;
        // SAFETY: descriptors are alive; the attribute is four bytes.
        unsafe {
            result::set_matmul_desc_attribute(
                made.product,
                sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA,
                from_ref(&transposed).cast(),
                size_of::<i32>(),
            )
        }
        .map_err(&failed)?;
        let preference = result::create_matmul_pref().map_err(&failed)?;
        // SAFETY: as above; the preference is destroyed here, whatever was found.
        let found =
            unsafe {
                let found = result::set_matmul_pref_attribute(
                preference,
                sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                from_ref(&(WORKSPACE_BYTES as u64)).cast(),
                size_of::<u64>(),
            )
            .and_then(|()| {
                result::get_matmul_algo_heuristic(
                    made.handle, made.product, made.w, made.x, made.out, made.out, preference,
                )
            });
                let _ = result::destroy_matmul_pref(preference);
                found
            };
        made.algorithm = found.map_err(&failed)?.algo;
        Ok(Some(made))
    }

    /// Number of the algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Option<i32> {
        let (mut id, mut written) = (0_i32, 0);
        // SAFETY: the attribute is four bytes.
        let status = unsafe {
            sys::cublasLtMatmulAlgoConfigGetAttribute(
                &raw const self.algorithm,
                sys::cublasLtMatmulAlgoConfigAttributes_t::CUBLASLT_ALGO_CONFIG_ID,
                (&raw mut id).cast(),
                size_of::<i32>(),
                &raw mut written,
            )
        };
        status.result().is_ok().then_some(id)
    }

    /// `out = x w^T`, of the shapes and strides that this was made for.
    ///
    /// # Errors
    /// `Argument` if they are others; `Library` if cuBLASLt refuses.
    pub fn run(
        &self,
        stream: &Stream,
        x: DeviceRows<'_, bf16>,
        w: DeviceRows<'_, bf16>,
        out: &mut DeviceRowsMut<'_, bf16>,
    ) -> Result<(), DeviceError> {
        let [m, n, k] = self.sizes;
        for (what, found, expected) in [
            ("the rows of x", x.rows(), m),
            ("the columns of x", x.cols(), k),
            ("the rows of w", w.rows(), n),
            ("the columns of w", w.cols(), k),
            ("the rows of out", out.rows(), m),
            ("the columns of out", out.cols(), n),
            ("the stride of x", x.stride(), self.strides[0]),
            ("the stride of w", w.stride(), self.strides[1]),
            ("the stride of out", out.stride(), self.strides[2]),
        ] {
            equal(&self.op, what, found, expected)?;
        }
        let (one, zero) = (1.0_f32, 0.0_f32);
        stream.bind(&self.op)?;
        // SAFETY: descriptors are alive and are of these matrices, which lie in this device's memory.
        unsafe {
            result::matmul(
                self.handle,
                self.product,
                from_ref(&one).cast(),
                from_ref(&zero).cast(),
                w.ptr() as *const _,
                self.w,
                x.ptr() as *const _,
                self.x,
                out.ptr() as *const _,
                self.out,
                out.ptr() as *mut _,
                self.out,
                &raw const self.algorithm,
                self.workspace.view().ptr() as *mut _,
                self.workspace.len(),
                stream.raw().cast(),
            )
        }
        .map_err(refused(&self.op))
    }
}

impl Drop for VendorLinear {
    fn drop(&mut self) {
        // SAFETY: made here, destroyed once; null where making one failed.
        unsafe {
            for layout in [self.x, self.w, self.out] {
                if !layout.is_null() {
                    let _ = result::destroy_matrix_layout(layout);
                }
            }
            if !self.product.is_null() {
                let _ = result::destroy_matmul_desc(self.product);
            }
            let _ = result::destroy_handle(self.handle);
        }
    }
}
