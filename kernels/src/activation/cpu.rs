//! Sixteen elements at a time.

use super::Activation;
use crate::simd::{Kernel, LANES, Simd, gelu_tanh, silu, soft_cap_lanes};

/// One row.
pub(super) struct Gated {
    /// `len` values.
    pub(super) gate: *const f32,
    /// `len` values.
    pub(super) up: *const f32,
    /// `len` values; `gate` itself or apart from both.
    pub(super) out: *mut f32,
    pub(super) len: usize,
    pub(super) kind: Activation,
}

impl Kernel for Gated {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: `gate`, `up` and `out` hold `len` values; a value is read before its place is written.
        unsafe {
            let whole = self.len - self.len % LANES;
            let value = |gate, up| {
                let gate = match self.kind {
                    Activation::Silu => silu::<S>(gate),
                    Activation::GeluTanh => gelu_tanh::<S>(gate),
                };
                S::mul(gate, up)
            };
            for i in (0..whole).step_by(LANES) {
                let y = value(S::load(self.gate.add(i)), S::load(self.up.add(i)));
                S::store(self.out.add(i), y);
            }
            let left = self.len - whole;
            if left > 0 {
                let gate = S::load_partial(self.gate.add(whole), left, 0.0);
                let up = S::load_partial(self.up.add(whole), left, 0.0);
                S::store_partial(self.out.add(whole), left, value(gate, up));
            }
        }
    }
}

/// A slice, in place.
pub(super) struct SoftCap<'a> {
    pub(super) x: &'a mut [f32],
    pub(super) cap: f32,
}

impl Kernel for SoftCap<'_> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut vectors = self.x.chunks_exact_mut(LANES);
        for v in &mut vectors {
            let p = v.as_mut_ptr();
            // SAFETY: `v` holds sixteen values.
            unsafe { S::store(p, soft_cap_lanes::<S>(S::load(p), self.cap)) };
        }
        let tail = vectors.into_remainder();
        let (p, n) = (tail.as_mut_ptr(), tail.len());
        if n > 0 {
            // SAFETY: `tail` holds `n` values.
            unsafe {
                let x = S::load_partial(p, n, 0.0);
                S::store_partial(p, n, soft_cap_lanes::<S>(x, self.cap));
            }
        }
    }
}
