//! One row at a time: sixteen stored values become sixteen f32.

use crate::params::{ParamDtype, Params};
use crate::simd::{Kernel, LANES, Simd};

/// `out = row * multiplier`.
pub(super) struct Widen<'a> {
    /// One row.
    pub(super) row: Params<'a>,
    pub(super) multiplier: f32,
    /// As many values.
    pub(super) out: &'a mut [f32],
}

/// Sixteen stored values, widened.
///
/// # Safety
/// The CPU has `S`'s features; sixteen values are readable at `p`, at any alignment.
#[inline(always)]
unsafe fn load<S: Simd>(dtype: ParamDtype, p: *const u8) -> S::F {
    // SAFETY: the caller's promise; the loads need no alignment.
    unsafe {
        match dtype {
            ParamDtype::F32 => S::load(p.cast()),
            ParamDtype::Bf16 => S::load_bf16(p.cast()),
            ParamDtype::F16 => S::load_f16(p.cast()),
        }
    }
}

impl Kernel for Widen<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (dtype, bytes) = (self.row.dtype(), self.row.bytes());
        let step = LANES * dtype.size_bytes();
        let mut vectors = self.out.chunks_exact_mut(LANES);
        let mut stored = bytes.chunks_exact(step);
        // SAFETY: `v` holds sixteen values and `b` sixteen stored ones; the copy of the tail is as long as that.
        unsafe {
            let multiplier = S::splat(self.multiplier);
            for (v, b) in (&mut vectors).zip(&mut stored) {
                let x = load::<S>(dtype, b.as_ptr());
                S::store(v.as_mut_ptr(), S::mul(x, multiplier));
            }
            let (tail, b) = (vectors.into_remainder(), stored.remainder());
            if !tail.is_empty() {
                let mut padded = [0u8; LANES * size_of::<f32>()];
                padded[..b.len()].copy_from_slice(b);
                let x = load::<S>(dtype, padded.as_ptr());
                S::store_partial(tail.as_mut_ptr(), tail.len(), S::mul(x, multiplier));
            }
        }
    }
}
